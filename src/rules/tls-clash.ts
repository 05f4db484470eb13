/** What clients are told to speak to Pods that do not take it (13), and how that is said. */

import type { MtlsMode } from '../kinds/peer-authentication.ts'
import { takesRequests } from '../kinds/pod.ts'
import type { Service } from '../kinds/service.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import type { JoinedRule } from '../mesh/routing/destination-rules.ts'
import { type ClientPolicy, policyTo, type Refusal, refusalBy, type Spoken, spokenIn } from '../mesh/routing/mtls.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { hasNoProxy } from '../mesh/snapshot/injection.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Draft, Subject } from './rule.ts'

/** What clients speak, where it is said, and why none of the Pods takes it; null where some may. */
export interface Clash extends Pick<ClientPolicy, 'rule' | 'tls' | 'subset'> {
  readonly refused: Refusal | null
}

/** null where the destination's Pods take what the client speaks. */
export function clashAt(
  snapshot: Snapshot,
  service: Service,
  joined: JoinedRule,
  { subset, port }: Pick<RoutedDestination, 'subset' | 'port'>
): Clash | null {
  const policy = policyTo(joined, subset, port)
  if (policy === null || service.selector === null) return null
  const spoken = spokenIn(policy.tls)
  const pods = podsSelected(snapshot, service.namespace, { ...service.selector, ...policy.labels }).filter(takesRequests)
  snapshot.charge(pods.length)
  if (pods.length === 0) return null
  const refusals = pods.map((pod) => refusalBy(snapshot, pod, targetOf(service, port), spoken))
  const refused = refusals.every((each) => each !== null) ? (refusals[0] ?? null) : null
  if (refused === null && (!isOwn(spoken) || pods.every((pod) => hasNoProxy(snapshot, pod)))) return null
  return { rule: policy.rule, tls: policy.tls, subset: policy.subset, refused }
}

function targetOf({ ports }: Service, port: number): number | null {
  const target = ports.find((each) => each.port === port)?.targetPort
  return typeof target === 'number' ? target : null
}

/** Of a client's own: a workload may speak it itself. */
function isOwn(spoken: Spoken): boolean {
  return spoken === 'own' || spoken === 'simple'
}

/** Some Pod may refuse what some rule over the host says: looked at first, since most are fine. */
export function mayClash(snapshot: Snapshot, service: Service): boolean {
  if (service.selector === null) return false
  const levels = destinationRulesOver(snapshot, service.host).flatMap(({ tls, subsets }) => [
    ...tls,
    ...subsets.flatMap((subset) => subset.tls)
  ])
  const modes = new Set(levels.map(spokenIn))
  if (modes.size !== 1 || !modes.has('mtls')) return modes.size > 0
  const isPlain = (mode: MtlsMode) => mode === 'DISABLE'
  const peers = [service.namespace, snapshot.settings.rootNamespace].flatMap((home) => [
    ...snapshot.lookup('peerAuthenticationByNamespace', home)
  ])
  if (peers.some(({ mode, ports }) => isPlain(mode) || [...ports.values()].some(isPlain))) return true
  const pods = podsSelected(snapshot, service.namespace, service.selector)
  snapshot.charge(pods.length)
  return pods.some((pod) => hasNoProxy(snapshot, pod))
}

/** The objects that a clash rests on, and what is to be done about it. */
export function restsOn({ rule, refused }: Clash): Pick<Draft, 'restsOn'> {
  return { restsOn: [rule, ...(refused === null || refused === 'no sidecar' ? [] : [refused])] }
}

export const LANGUAGE: Readonly<Record<Spoken, string>> = {
  plain: 'plain text (tls mode DISABLE)',
  simple: 'TLS without a certificate of the mesh (tls mode SIMPLE)',
  own: 'TLS of their own (tls mode MUTUAL)',
  mtls: 'mTLS (tls mode ISTIO_MUTUAL)'
}

export function takenFor(refused: Refusal, spoken: Spoken, nameOf: Subject['nameOf']): string {
  if (refused === 'no sidecar') return 'its Pods have no sidecar that takes it'
  return `${nameOf(refused)} takes ${spoken === 'mtls' ? 'plain text only (DISABLE)' : 'mTLS only (STRICT)'}`
}

export function remedyFor(isHere: boolean, spoken: Spoken, peer: string | null, rule: string): string {
  if (spoken === 'mtls') {
    if (peer === null) return 'First restart the Pods with a sidecar, or leave tls out: then clients speak what each Pod takes'
    return isHere ? `First set mode PERMISSIVE in ${peer}, or leave tls out here` : `First take tls out of ${rule}, then apply this again`
  }
  return isHere
    ? `First set mode PERMISSIVE in ${peer}, or use tls mode ISTIO_MUTUAL here`
    : `First set tls mode ISTIO_MUTUAL in ${rule}, then apply this again`
}
