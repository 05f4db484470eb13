import { destinationsOf } from '../kinds/virtual-service.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { type Scope, scopeOf, serviceInScope } from '../mesh/routing/scope.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { gapRule } from './gap-rule.ts'
import type { Draft, Subject } from './rule.ts'
import { destinationName, loss, place, sends } from './wording.ts'

export const sidecarHides = gapRule({
  id: 'sidecar-hides',
  on: ['Sidecar'],
  summary: 'the egress of a Sidecar no longer imports a host that its workloads reach',
  description:
    'A Sidecar lists what the proxies of its namespace know. What it leaves out has no cluster and no routes for them: a route that sends there answers 503, and with REGISTRY_ONLY the host itself is refused. ' +
    'It can also hide the DestinationRule or VirtualService that made a request work.',
  remedy: 'Add the host to spec.egress.hosts.',
  besides: hiddenDestinations,
  explain: (gap, subject) => ({
    path: subject.after === null ? [] : ['spec', 'egress'],
    message: `${loss(gap)} from namespace ${gap.context.namespace}: ${lost(subject, gap)}`,
    remedy: isBoundAway(subject, gap)
      ? `First give spec.egress a listener for port ${gap.port} without bind, then apply this again`
      : `First add ${entryFor(gap.destination?.host ?? gap.host)} to spec.egress.hosts, then apply this again`
  })
})

/**
 * Hosts that routes of the own namespace send to, so that its workloads are known to reach them, and that are no longer imported. Where unknown
 * hosts are let through, their requests go past every route and rule from then on.
 */
function hiddenDestinations(subject: Subject<'Sidecar'>): Draft[] {
  const { namespace } = subject.written
  const routes = [...subject.snapshotAfter.lookup('routeObjectByNamespace', namespace)].filter(({ gateways }) => gateways.includes('mesh'))
  const known = (snapshot: Snapshot) => scopesOf(subject, snapshot)
  const [before, after] = [known(subject.snapshotBefore), known(subject.snapshotAfter)]
  const hosts = new Map(routes.flatMap((vs) => destinationsOf(vs).map((host) => [host, vs] as const)))
  return [...hosts].flatMap(([host, vs]) => {
    if (!before.some((scope) => serviceInScope(scope, host) !== null) || after.every((scope) => serviceInScope(scope, host) !== null))
      return []
    return [
      {
        severity: 'deny' as const,
        path: ['spec', 'egress'],
        message: `requests to ${host} from namespace ${namespace} would pass by all its routes and rules: ${subject.nameOf(vs)} sends to it, and ${subject.nameOf(subject.written)} does not import it`,
        remedy: `First add ${entryFor(host)} to spec.egress.hosts, then apply this again`
      }
    ]
  })
}

function scopesOf({ written: { namespace }, before, after }: Subject<'Sidecar'>, snapshot: Snapshot): Scope[] {
  const selectors = [before, after].flatMap((object) => (object === null ? [] : [object.workloadSelector ?? {}]))
  return selectors.map((labels) => scopeOf(snapshot, { kind: 'mesh', namespace, labels }))
}

function lost(subject: Subject<'Sidecar'>, gap: Gap): string {
  const name = subject.nameOf(subject.written)
  if (isBoundAway(subject, gap)) return `${name} has the port listen on an address of its own (bind, captureMode) and nowhere else`
  if (gap.destination === null) return `${name} does not import it`
  return `${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, which ${name} does not import`
}

/** The Sidecar has listeners for the port, none of them at the addresses that clients call. */
function isBoundAway({ after }: Subject<'Sidecar'>, { port }: Gap): boolean {
  const listeners = after?.egress.filter((egress) => egress.port === null || egress.port === port) ?? []
  return listeners.length > 0 && listeners.every(({ isBound }) => isBound)
}

/** As an entry of egress: the namespace of a Service by its full name, else any. */
function entryFor(name: string): string {
  const [, namespace = '', svc] = name.split('.')
  return svc === 'svc' ? `"${namespace}/${name}"` : `"*/${name}"`
}
