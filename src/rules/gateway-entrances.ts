/** The ways in to a gateway: the Services before its Pods. */
import { takesRequests } from '../kinds/pod.ts'
import type { Service } from '../kinds/service.ts'
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { distinct } from '../mesh/gaps/contexts.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { sameLabels, withoutOwn } from '../mesh/names/labels.ts'
import { boundTo, type Server, serversOf, virtualHosts } from '../mesh/routing/gateways.ts'
import { type Scope, scopeOf } from '../mesh/routing/scope.ts'
import type { Context } from '../mesh/routing/table.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Draft, Subject } from './rule.ts'
import { through, wayOut } from './wording.ts'

/** Of a changed Service: its gateway's Pods listen there no longer, since it no longer leads there. */
export function isEntrance({ cause, context }: Gap): boolean {
  return cause === 'no-listener' && context.kind === 'gateway'
}

/** The ports of Istio's Gateways to which a changed or deleted Service led, and to which none leads after the write. */
export function closedEntrances(subject: Subject): Draft[] {
  const { before, after, snapshotBefore, snapshotAfter } = subject
  if (before?.kind !== 'Service') return []
  const led = entrancesOf(snapshotBefore, before)
  if (led.length === 0) return []
  const others = new Set(led.flatMap(({ scope }) => servicesSelecting(snapshotAfter, before.namespace, scope.context.labels)))
  if (after?.kind === 'Service') others.add(after)
  const kept = new Set(
    [...others].filter(({ deleting }) => !deleting).flatMap((service) => entrancesOf(snapshotAfter, service).map(nameOf))
  )
  const closed = led.filter((entrance) => !kept.has(nameOf(entrance)))
  const hosts = [
    ...new Set(closed.flatMap(({ scope, server }) => boundTo(scope, server.gateway).flatMap((vs) => [...virtualHosts(scope, server, vs)])))
  ].sort()
  const [first, ...more] = hosts
  const [entrance] = closed
  if (first === undefined || entrance === undefined) return []
  const ports = [...new Set(closed.map(({ server }) => server.port))]
  const field = after?.kind === 'Service' && sameLabels(before.selector ?? {}, after.selector ?? {}) ? 'ports' : 'selector'
  return [
    {
      severity: after === null ? 'warn' : 'deny',
      path: after === null ? [] : ['spec', field],
      message:
        `requests to ${first}${more.length === 0 ? '' : ` and ${more.length} more`}${through(entrance.scope.context)} would find nothing listening: ` +
        `no Service would lead to its port${ports.length === 1 ? '' : 's'} ${ports.join(', ')} any longer`,
      remedy: `First let another Service lead there and bring the requests to it; if this is meant, ${wayOut(subject)}`
    }
  ]
}

interface Entrance {
  readonly scope: Scope
  readonly server: Server
}

/** The servers of Istio's Gateways to whose Ready Pods a Service leads: by its own port, or by that of the Pods. `resolvePorts`, pilot/pkg/model/gateway.go. */
function entrancesOf(snapshot: Snapshot, { namespace, selector, ports }: Service): Entrance[] {
  const pods = podsSelected(snapshot, namespace, selector ?? {}).filter(takesRequests)
  const contexts = pods.map(({ labels }): Context => ({ kind: 'gateway', namespace, labels: withoutOwn(labels) }))
  const scopes = distinct(contexts).map((context) => scopeOf(snapshot, context))
  return scopes.flatMap((scope) =>
    serversOf(scope)
      .filter((server) => ports.some(({ port, targetPort }) => port === server.port || targetPort === server.port))
      .map((server) => ({ scope, server }))
  )
}

function nameOf({ server }: Entrance): string {
  return `${server.gateway} ${server.port}`
}
