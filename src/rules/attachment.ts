/** Why a route of the Gateway API is taken by none of the listeners that it names, in words, and what to do first. */
import type { MeshObject } from '../kinds/index.ts'
import type { Path } from '../mesh/names/path.ts'
import { type Unattached, unattached } from '../mesh/routing/gateway-api/attachment.ts'
import type { AnyRoute } from '../mesh/routing/gateway-api/pieces.ts'
import type { Draft, Subject } from './rule.ts'

/** Names that are told of a longer list. */
const MOST_TOLD = 4

/** The parents of the written route that take nothing of it, for what the write brings. */
export function newlyDetached({ before, after, snapshotBefore, snapshotAfter, nameOf }: Subject): Draft[] {
  const [old, route] = [routeOf(before), routeOf(after)]
  if (route === null) return []
  const known = new Set(old === null ? [] : unattached(snapshotBefore, old).map(keyOf))
  return unattached(snapshotAfter, route)
    .filter((each) => !known.has(keyOf(each)))
    .map((each) => ({ path: pathOf(each), ...told(each, route, nameOf) }))
}

/** The object as a route of the Gateway API, where it is one. */
export function routeOf(object: MeshObject | null): AnyRoute | null {
  return object !== null && 'parents' in object ? object : null
}

function keyOf({ parent, misfit }: Unattached): string {
  return JSON.stringify([parent, misfit])
}

/** The field of the route that does not fit. */
function pathOf({ at, misfit }: Unattached): Path {
  if (misfit === 'hostname' || misfit === 'isolated') return ['spec', 'hostnames']
  const field = misfit === 'section' ? ['sectionName'] : misfit === 'port' ? ['port'] : []
  return ['spec', 'parentRefs', at, ...field]
}

function told({ parent, misfit, among }: Unattached, route: AnyRoute, nameOf: Subject['nameOf']): Pick<Draft, 'message' | 'remedy'> {
  const { sectionName, port } = parent
  const kind = parent.kind === 'ListenerSet' ? 'ListenerSet' : 'KubernetesGateway'
  const gateway = nameOf({ kind, namespace: parent.namespace, name: parent.name })
  const listener = among.length === 1 ? `listener "${among[0]?.listener.name}" of ${gateway}` : `no listener of ${gateway} that it names`
  const own = nameOf(route)
  const is = (one: string, none: string) => `${listener} ${among.length === 1 ? one : none}`
  switch (misfit) {
    case 'section':
      return {
        message: `${gateway} has no listener "${sectionName}", which ${own} names; it has ${list(among.map((each) => each.listener.name))}`,
        remedy: 'Name one of its listeners in sectionName, or leave that out for all of them'
      }
    case 'port':
      return {
        message: is(`is not on port ${port}, which ${own} names, but on ${among[0]?.listener.port}`, `is on port ${port}`),
        remedy: 'Name the port of the listener, or leave port out'
      }
    case 'serves':
      return {
        message: is(
          'serves nothing: another listener has its port, or it has no certificate',
          'serves anything: others have their ports, or they have no certificates'
        ),
        remedy: `Give the listener a port and hostname of its own and a certificate that it may use, or name another`
      }
    case 'kind':
      return {
        message: is(`takes no ${route.kind}`, `takes a ${route.kind}`),
        remedy: `Name a listener whose protocol and allowedRoutes.kinds take a ${route.kind}`
      }
    case 'namespace':
      return {
        message: is(`takes no routes of namespace ${route.namespace}`, `takes routes of namespace ${route.namespace}`),
        remedy: `First let allowedRoutes.namespaces of the listener take namespace ${route.namespace}, then apply this again`
      }
    case 'hostname':
      return {
        message: is(
          `is for ${hostnames(among)}, and none of the hostnames of ${own} is`,
          `has a hostname of ${own}; they are for ${hostnames(among)}`
        ),
        remedy: 'Write a hostname that the listener covers'
      }
    case 'isolated':
      return {
        message: is(
          `leaves ${list(route.hostnames)} to a narrower listener beside it`,
          `has ${list(route.hostnames)}: a narrower one beside it does`
        ),
        remedy: `Name the narrower listener of ${gateway} as parent`
      }
  }
}

function hostnames(among: Unattached['among']): string {
  return list(among.map(({ listener }) => listener.hostname || '*'))
}

function list(names: readonly string[]): string {
  const unique = [...new Set(names)]
  return unique.length <= MOST_TOLD ? unique.join(', ') : `${unique.slice(0, MOST_TOLD).join(', ')} and ${unique.length - MOST_TOLD} more`
}
