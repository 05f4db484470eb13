import type { DestinationRule } from '../kinds/destination-rule.ts'
import { isRouteKind, isSameRef, ROUTE_KINDS, type RouteKind } from '../kinds/index.ts'
import { type Pod, takesRequests } from '../kinds/pod.ts'
import type { Service } from '../kinds/service.ts'
import { affectedTargets } from '../mesh/gaps/affected.ts'
import { hostCovers } from '../mesh/names/hosts.ts'
import { describeLabels } from '../mesh/requests/classes.ts'
import { spokenIn } from '../mesh/routing/mtls.ts'
import { chains, tablesOf } from '../mesh/routing/routes.ts'
import { ruleInScope, type Scope, scopeOf } from '../mesh/routing/scope.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { hasSidecarOrIsToHave, isAmbient } from '../mesh/snapshot/injection.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import { ledToMismatch } from './led-to-mismatch.ts'
import type { Draft, Subject } from './rule.ts'
import { type Clash, clashAt, LANGUAGE, mayClash, remedyFor, restsOn, takenFor } from './tls-clash.ts'

export const tlsMismatch = hygieneRule({
  id: 'tls-mismatch',
  on: ['DestinationRule', 'PeerAuthentication', ...ROUTE_KINDS],
  summary: 'client and server would disagree on mTLS',
  description:
    "A DestinationRule's tls mode says what clients speak, a PeerAuthentication what the workload takes. Plain text (DISABLE), or TLS without a certificate (SIMPLE), to a workload that takes mTLS only (STRICT) is " +
    'refused: 503 for every request. So is mTLS (ISTIO_MUTUAL) to one that takes plain text only (DISABLE), or that has no sidecar. Other TLS of the own kind (SIMPLE, MUTUAL) to a workload of the mesh meets a sidecar that expects ' +
    'ISTIO_MUTUAL; whether it works depends on what listens there, and is only warned of. A route that moves requests to such a destination is refused like the rule that makes one.',
  remedy: 'Leave tls out, so that clients speak what each Pod takes, or let the workload take both (PERMISSIVE) first.',
  find: (subject) => {
    if (isRouteKind(subject.written.kind)) return ledToMismatch(subject)
    const found = mismatchesIn(subject, subject.snapshotAfter)
    const known = new Set(found.length === 0 ? [] : mismatchesIn(subject, subject.snapshotBefore).map(keyOf))
    return [...found.filter((each) => !known.has(keyOf(each))).map((each) => say(subject, each)), ...shutOut(subject)]
  }
})

/** Pods of the mesh's own namespaces that have no sidecar can call nothing that takes mTLS only; whether they do, nobody here can tell. */
function shutOut({ before, after, snapshotAfter, nameOf }: Asked): Draft[] {
  if (after?.kind !== 'PeerAuthentication' || after.mode !== 'STRICT') return []
  if (before?.kind === 'PeerAuthentication' && before.mode === 'STRICT') return []
  const without: Pod[] = []
  const inMesh = new Set<string>()
  for (const pod of snapshotAfter.all('Pod')) {
    snapshotAfter.charge(1)
    const has = hasSidecarOrIsToHave(snapshotAfter, pod)
    if (has === true) inMesh.add(pod.namespace)
    else if (has === false && takesRequests(pod)) without.push(pod)
  }
  const withSidecars = new Set([...inMesh].filter((namespace) => !isAmbient(snapshotAfter, namespace)))
  const found = without.filter(({ namespace }) => withSidecars.has(namespace))
  const first = found.find(({ namespace }) => namespace === after.namespace) ?? found[0]
  if (first === undefined) return []
  const more = found.length === 1 ? '' : ` and ${found.length - 1} more without a sidecar`
  return [
    {
      path: ['spec', 'mtls'],
      message: `${nameOf(first)}, which has no sidecar,${more} could call none of the workloads that would take mTLS only`,
      remedy: 'Restart what has none with a sidecar first, or set mode PERMISSIVE for what it calls'
    }
  ]
}

type Asked = Subject<'DestinationRule' | 'PeerAuthentication' | RouteKind>

/** A destination of a Service to which some clients speak what its Pods do not take. */
interface Mismatch extends Clash {
  readonly service: Service
  /** Those of the Service that are called so. */
  readonly ports: Set<number>
}

function keyOf({ service, rule, tls, subset, refused }: Mismatch): string {
  const by = refused === null || refused === 'no sidecar' ? refused : refused.name
  return JSON.stringify([service.host, rule.namespace, rule.name, tls.mode, tls.port, subset, by])
}

function mismatchesIn(subject: Asked, snapshot: Snapshot): Mismatch[] {
  return services(subject).flatMap((service) => mismatches(subject, snapshot, service))
}

/** The Services that a write of either kind is about. */
function services({ before, after, snapshotAfter }: Asked): Service[] {
  const object = after ?? before
  if (object?.kind === 'DestinationRule') {
    const [own] = snapshotAfter.lookup('serviceByHost', object.host)
    if (own !== undefined) return [own]
    return object.host.startsWith('*') ? [...snapshotAfter.all('Service')].filter(({ host }) => hostCovers(object.host, host)) : []
  }
  if (object?.kind !== 'PeerAuthentication') return []
  const isMeshWide = object.namespace === snapshotAfter.settings.rootNamespace && object.selector === null
  return [...snapshotAfter.all('Service')].filter(({ namespace }) => isMeshWide || namespace === object.namespace)
}

function mismatches(subject: Asked, snapshot: Snapshot, service: Service): Mismatch[] {
  if (!mayClash(snapshot, service) || !subject.isInMesh(service)) return []
  const found = new Map<string, Mismatch>()
  for (const { context, host: called } of affectedTargets(snapshot, snapshot, [service])) {
    const scope = scopeOf(snapshot, context)
    const joined = ruleInScope(scope, service)
    if (joined === null) continue
    for (const { subset, port } of carried(scope, called, service)) {
      const clash = clashAt(snapshot, service, joined, { subset, port })
      if (clash === null) continue
      const mismatch: Mismatch = { service, ...clash, ports: new Set() }
      const known = found.get(keyOf(mismatch)) ?? mismatch
      known.ports.add(port)
      found.set(keyOf(mismatch), known)
    }
  }
  return [...found.values()]
}

/** The destinations by which a client or gateway reaches the Service: by routes, or by Istio's default one. */
function carried(scope: Scope, called: string, { host, ports }: Service): Pick<RoutedDestination, 'subset' | 'port'>[] {
  const routed = [...tablesOf(scope, called).flatMap(({ routes }) => routes), ...chains(scope.snapshot, scope.context, called)]
    .flatMap(({ destinations }) => destinations)
    .filter((destination) => destination.host === host && destination.share > 0)
  if (called !== host || scope.context.kind === 'gateway') return routed
  const named = new Set(chains(scope.snapshot, scope.context, host).map(({ port }) => port))
  const bytes = ports.filter(({ traffic, port }) => (traffic === 'tcp' || traffic === 'tls') && !named.has(port))
  return [...routed, ...bytes.map(({ port }) => ({ subset: null, port }))]
}

function say({ written, nameOf, snapshotAfter }: Asked, mismatch: Mismatch): Draft {
  const { service, rule, tls, subset, ports, refused } = mismatch
  const isRule = written.kind === 'DestinationRule'
  const path = isRule ? (isSameRef(rule, written) ? tls.path : []) : ['spec', 'mtls']
  const target = subset === null ? service.host : `subset "${subset}" of ${service.host}`
  const isOfSome = ports.size < service.ports.length
  const where = `${isOfSome ? `port ${[...ports].sort().join(', ')} of ${target}` : target}${fromWhom(rule, service, snapshotAfter)}`
  if (refused === null) {
    return {
      path,
      message: `clients of ${where} would speak TLS of their own (${tls.mode}, ${nameOf(rule)}) to Pods of the mesh, whose sidecars expect ISTIO_MUTUAL`,
      remedy: 'Use tls mode ISTIO_MUTUAL for workloads of the mesh'
    }
  }
  const isBytes = service.ports.every(({ port, traffic }) => !ports.has(port) || traffic === 'tcp' || traffic === 'tls')
  const lost = isBytes ? `100% of connections to ${where} would be closed` : `100% of requests to ${where} would get 503`
  return {
    severity: 'deny',
    path,
    ...restsOn(mismatch),
    message: `${lost}: ${nameOf(rule)} has clients speak ${LANGUAGE[spokenIn(tls)]}, and ${takenFor(refused, spokenIn(tls), nameOf)}`,
    remedy: remedyFor(isRule && isSameRef(rule, written), spokenIn(tls), refused === 'no sidecar' ? null : nameOf(refused), nameOf(rule))
  }
}

/** Whose requests they are, where the rule is not for everybody. */
function fromWhom({ namespace, workloadSelector }: DestinationRule, service: Service, { settings }: Snapshot): string {
  if (workloadSelector !== null) return ` from Pods ${describeLabels(workloadSelector)} of namespace ${namespace}`
  return namespace === service.namespace || namespace === settings.rootNamespace ? '' : ` from namespace ${namespace}`
}
