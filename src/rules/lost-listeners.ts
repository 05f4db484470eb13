/** What a write of a Gateway, ListenerSet or GatewayClass of the Gateway API takes from a route that is served, in words. */
import type { Gap } from '../mesh/gaps/gaps.ts'
import { type Misfit, unattached } from '../mesh/routing/gateway-api/attachment.ts'
import { servicesOf } from '../mesh/routing/gateway-api/deployed.ts'
import { isOfIstio } from '../mesh/routing/gateway-api/listeners.ts'
import { routeServing, told } from './attachment.ts'
import type { Subject } from './rule.ts'

export interface Lost {
  readonly message: string
  /** What to do first, without the way out. */
  readonly first: string
  /** Below `spec`. */
  readonly field: string
}

/** null where the listener itself is gone, or nothing more is known of it. */
export function lostListener(subject: Subject, gap: Gap): Lost | null {
  return ofClass(subject) ?? ofService(subject) ?? ofRoute(subject, gap)
}

const ELSEWHERE = 'First bind its routes to another Gateway, and let their clients call that one'

/** No class that is Istio's stands behind the Gateway any longer. */
function ofClass({ written, after, snapshotAfter, nameOf }: Subject): Lost | null {
  if (written.kind === 'GatewayClass') {
    const message =
      after === null
        ? `this takes away ${nameOf(written)}, by which Istio serves the Gateway`
        : `${nameOf(written)} would be no class of Istio's`
    return { message, first: ELSEWHERE, field: 'controllerName' }
  }
  if (after?.kind !== 'KubernetesGateway' || isOfIstio(snapshotAfter, after)) return null
  const message = `GatewayClass ${after.className}, which ${nameOf(after)} names, is not Istio's, or does not exist`
  return { message, first: ELSEWHERE, field: 'gatewayClassName' }
}

/** Other Pods would serve it: those behind another Service. */
function ofService({ before, after, snapshotBefore, snapshotAfter, nameOf }: Subject): Lost | null {
  if (before?.kind !== 'KubernetesGateway' || after?.kind !== 'KubernetesGateway') return null
  const now = new Set(servicesOf(snapshotAfter, after).map(({ name }) => name))
  const left = servicesOf(snapshotBefore, before).find(({ name }) => !now.has(name))
  if (left === undefined) return null
  const field = before.className === after.className ? 'addresses' : 'gatewayClassName'
  return { message: `${nameOf(after)} would no longer be served by the Pods behind ${nameOf(left)}`, first: ELSEWHERE, field }
}

/** The listeners are there, and take the route no longer. */
function ofRoute(subject: Subject, gap: Gap): Lost | null {
  const { snapshotAfter, nameOf } = subject
  const route = routeServing(subject, gap)
  if (route === null) return null
  const [lost] = unattached(snapshotAfter, route, gap.port)
  if (lost === undefined) return null
  const { message } = told(lost, route, nameOf)
  return {
    message,
    first: firstFor(lost.misfit, nameOf(route), route.namespace),
    field: lost.misfit === 'set' ? 'allowedListeners' : 'listeners'
  }
}

function firstFor(misfit: Misfit, route: string, namespace: string): string {
  switch (misfit) {
    case 'set':
      return `Leave namespace ${namespace} in allowedListeners`
    case 'section':
      return `Leave the listener its name, or first take sectionName out of ${route}`
    case 'port':
      return `Leave the listener its port, or first take port out of the parentRefs of ${route}`
    case 'serves':
      return 'Leave the listener a port and hostname of its own, and a certificate that it may use'
    case 'kind':
      return `Leave the listener a protocol and allowedRoutes.kinds that take ${route}`
    case 'namespace':
      return `Leave namespace ${namespace} in allowedRoutes.namespaces of the listener`
    case 'hostname':
      return 'Leave the host in the hostname of the listener, or of one beside it'
    case 'isolated':
      return `First let the narrower listener take ${route}: by its allowedRoutes, and by sectionName where ${route} has one`
  }
}
