import type { ClientTls, DestinationRule } from '../kinds/destination-rule.ts'
import { isSameRef } from '../kinds/index.ts'
import type { MtlsMode, PeerAuthentication } from '../kinds/peer-authentication.ts'
import { type Pod, takesRequests } from '../kinds/pod.ts'
import type { Service } from '../kinds/service.ts'
import { affectedTargets } from '../mesh/gaps/affected.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { hostCovers } from '../mesh/names/hosts.ts'
import { type Labels, selects } from '../mesh/names/labels.ts'
import { byAge, exportsOf, isExported } from '../mesh/names/visibility.ts'
import { routeTables } from '../mesh/routing/routes.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'

/** Names and numbers of ClientTLSSettings.TLSmode. */
const PLAIN = ['DISABLE', '0']
const OWN_TLS = ['SIMPLE', '1', 'MUTUAL', '2']

export const tlsMismatch = hygieneRule({
  id: 'tls-mismatch',
  on: ['DestinationRule', 'PeerAuthentication'],
  summary: 'client and server would disagree on mTLS',
  description:
    "A DestinationRule's tls mode says what clients speak, a PeerAuthentication what the workload takes. Plain text (DISABLE) to a workload that takes mTLS only (STRICT) is reset: 503 for every " +
    'request. TLS of the own kind (SIMPLE, MUTUAL) to a workload of the mesh meets a sidecar that expects ISTIO_MUTUAL; whether it works depends on what listens there, and is only warned of.',
  remedy: 'Use tls mode ISTIO_MUTUAL, or let the workload take plain text (PERMISSIVE) first.',
  find: (subject) => {
    const found = mismatchesIn(subject, subject.snapshotAfter)
    if (found.length === 0) return []
    const known = new Set(mismatchesIn(subject, subject.snapshotBefore).map(keyOf))
    return found.filter((each) => !known.has(keyOf(each))).map((each) => say(subject, each))
  }
})

type Asked = Subject<'DestinationRule' | 'PeerAuthentication'>

/** A destination of a Service to which clients speak what its Pods do not take. */
interface Mismatch {
  readonly service: Service
  readonly rule: DestinationRule
  readonly tls: ClientTls
  readonly subset: string | null
  /** What makes the Pods take mTLS only; null where they take plain text too. */
  readonly strict: PeerAuthentication | null
}

function keyOf({ service, rule, tls, subset, strict }: Mismatch): string {
  return JSON.stringify([service.host, rule.namespace, rule.name, tls.mode, tls.port, subset, strict?.name ?? null])
}

function mismatchesIn(subject: Asked, snapshot: Snapshot): Mismatch[] {
  const { written, after } = subject
  if (written.kind === 'DestinationRule' && (after?.kind !== 'DestinationRule' || !mayMismatch(after))) return []
  return services(subject).flatMap((service) => mismatches(subject, snapshot, service))
}

function mayMismatch({ tls, subsets }: DestinationRule): boolean {
  const isOfThese = ({ mode }: ClientTls) => PLAIN.includes(mode) || OWN_TLS.includes(mode)
  return tls.some(isOfThese) || subsets.some((subset) => subset.tls.some(isOfThese))
}

/** The Services that a write of either kind is about. */
function services({ before, after, snapshotAfter }: Asked): Service[] {
  const object = after ?? before
  if (object?.kind === 'DestinationRule') {
    const [own] = snapshotAfter.lookup('serviceByHost', object.host)
    if (own !== undefined) return [own]
    return object.host.startsWith('*') ? [...snapshotAfter.all('Service')].filter(({ host }) => hostCovers(object.host, host)) : []
  }
  if (object === null) return []
  const isMeshWide = object.namespace === snapshotAfter.settings.rootNamespace && object.selector === null
  return [...snapshotAfter.all('Service')].filter(({ namespace }) => isMeshWide || namespace === object.namespace)
}

function mismatches(subject: Asked, snapshot: Snapshot, service: Service): Mismatch[] {
  const { selector, namespace, host } = service
  if (selector === null || !subject.isInMesh(service)) return []
  const { defaultDestinationRuleExportTo: byDefault } = snapshot.settings
  const rules = destinationRulesOver(snapshot, host).filter(
    (rule) =>
      hostCovers(rule.host, host) &&
      isExported(exportsOf(rule, byDefault), rule.namespace, namespace) &&
      (subject.written.kind !== 'DestinationRule' || isSameRef(rule, subject.written)) &&
      mayMismatch(rule)
  )
  const found = new Map<string, Mismatch>()
  for (const destination of rules.length === 0 ? [] : carried(snapshot, host, service)) {
    for (const rule of rules) {
      const spoken = spokenTo(rule, destination)
      if (spoken === null) continue
      const { tls, labels } = spoken
      const pods = podsSelected(snapshot, namespace, { ...selector, ...labels }).filter(takesRequests)
      if (pods.length === 0) continue
      const strict = pods.map((pod) => strictFor(snapshot, pod, targetOf(service, destination.port)))
      const isCertain = PLAIN.includes(tls.mode) && strict.every((each) => each !== null)
      if (!isCertain && !OWN_TLS.includes(tls.mode)) continue
      const mismatch = { service, rule, tls, subset: spoken.subset, strict: isCertain ? (strict[0] ?? null) : null }
      found.set(keyOf(mismatch), mismatch)
    }
  }
  return [...found.values()]
}

/** The destinations by which clients and gateways reach the Service: by routes, or by Istio's default one. */
function carried(snapshot: Snapshot, host: string, service: Service): RoutedDestination[] {
  return affectedTargets(snapshot, snapshot, [service])
    .flatMap((target) => routeTables(snapshot, target.context, target.host))
    .flatMap(({ routes }) => routes.flatMap(({ destinations }) => destinations))
    .filter((destination) => destination.host === host && destination.share > 0)
}

/** What a rule has clients speak to a destination, the labels of its subset, and where that is said: a subset before the whole, of each a port before all (13.5, 13.6). */
function spokenTo({ tls, subsets }: DestinationRule, { subset, port }: RoutedDestination) {
  const own = subsets.find(({ name }) => name === subset)
  if (subset !== null && own === undefined) return null
  const labels = own?.labels ?? {}
  const forPort = (levels: readonly ClientTls[]) => levels.find((each) => each.port === port) ?? levels.find((each) => each.port === null)
  const [ofSubset, ofWhole] = [forPort(own?.tls ?? []), forPort(tls)]
  if (ofSubset !== undefined) return { tls: ofSubset, subset, labels }
  return ofWhole === undefined ? null : { tls: ofWhole, subset: null, labels }
}

function targetOf({ ports }: Service, port: number): number | null {
  const target = ports.find((each) => each.port === port)?.targetPort
  return typeof target === 'number' ? target : null
}

/** The PeerAuthentication by which a Pod takes mTLS only: the workload's own before the namespace's before the mesh's, of each the oldest. */
function strictFor(snapshot: Snapshot, pod: Pod, port: number | null): PeerAuthentication | null {
  const own = [...snapshot.lookup('peerAuthenticationByNamespace', pod.namespace)].sort(byAge)
  const root = [...snapshot.lookup('peerAuthenticationByNamespace', snapshot.settings.rootNamespace)].sort(byAge)
  const isFor = (labels: Labels) => (each: PeerAuthentication) => each.selector !== null && selects(each.selector, labels)
  const levels = [
    own.find(isFor(pod.labels)),
    own.find(({ selector }) => selector === null),
    root.find(({ selector }) => selector === null)
  ]
  for (const level of levels) {
    const mode: MtlsMode = level === undefined ? 'UNSET' : ((port === null ? undefined : level.ports.get(port)) ?? level.mode)
    if (mode !== 'UNSET') return mode === 'STRICT' ? (level ?? null) : null
  }
  return null
}

function say({ written, nameOf }: Asked, { service, rule, tls, subset, strict }: Mismatch): Draft {
  const isRule = written.kind === 'DestinationRule'
  const path = isRule ? tls.path : ['spec', 'mtls']
  const target = subset === null ? service.host : `subset "${subset}" of ${service.host}`
  const where = tls.port === null ? target : `port ${tls.port} of ${target}`
  if (strict === null) {
    return {
      path,
      message: `clients of ${where} would speak TLS of their own (${tls.mode}, ${nameOf(rule)}) to Pods of the mesh, whose sidecars expect ISTIO_MUTUAL`,
      remedy: 'Use tls mode ISTIO_MUTUAL for workloads of the mesh'
    }
  }
  return {
    severity: 'deny',
    path,
    message: `100% of requests to ${where} would get 503: ${nameOf(rule)} has clients speak plain text (tls mode DISABLE), and ${nameOf(strict)} takes mTLS only (STRICT)`,
    remedy: isRule
      ? `First set mode PERMISSIVE in ${nameOf(strict)}, or use tls mode ISTIO_MUTUAL here`
      : `First set tls mode ISTIO_MUTUAL in ${nameOf(rule)}, then apply this again`
  }
}
