/** What clients speak by their DestinationRule, and what workloads take by their PeerAuthentication (13). */

import type { ClientTls, DestinationRule } from '../../kinds/destination-rule.ts'
import type { MtlsMode, PeerAuthentication } from '../../kinds/peer-authentication.ts'
import type { Pod } from '../../kinds/pod.ts'
import { type Labels, selects } from '../names/labels.ts'
import { byAge } from '../names/visibility.ts'
import { hasNoProxy } from '../snapshot/injection.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { type JoinedRule, withPolicy } from './destination-rules.ts'

/** Plain text, TLS without a certificate, TLS of the client's own, and mTLS; of `own`, whether it is taken nobody can know. */
export type Spoken = 'plain' | 'simple' | 'own' | 'mtls'

/** By the names and numbers of ClientTLSSettings.TLSmode. */
const SPOKEN: ReadonlyMap<string, Spoken> = new Map([
  ['0', 'plain'],
  ['DISABLE', 'plain'],
  ['1', 'simple'],
  ['SIMPLE', 'simple'],
  ['2', 'own'],
  ['MUTUAL', 'own'],
  ['3', 'mtls'],
  ['ISTIO_MUTUAL', 'mtls']
])

export function spokenIn({ mode }: ClientTls): Spoken {
  return SPOKEN.get(mode) ?? 'plain'
}

/** By what a Pod takes mTLS only, or plain text only. */
export type Refusal = PeerAuthentication | 'no sidecar'

/** Of a destination: the mode, what rule says it, and of which subset, with its labels. */
export interface ClientPolicy {
  readonly rule: DestinationRule
  readonly tls: ClientTls
  readonly subset: string | null
  readonly labels: Labels
}

/** What a client speaks to a destination, the labels of its subset, and where that is said: a subset before the whole, of each a port before all (13.5, 13.6). */
export function policyTo(joined: JoinedRule, subset: string | null, port: number): ClientPolicy | null {
  const own = joined.subsets.find(({ name }) => name === subset)
  if (subset !== null && own === undefined) return null
  const labels = own?.labels ?? {}
  const forPort = (levels: readonly ClientTls[]) => levels.find((each) => each.port === port) ?? levels.find((each) => each.port === null)
  const ofSubset = own === undefined ? undefined : forPort(own.tls)
  const owner = own === undefined ? undefined : joined.rules.find(({ subsets }) => subsets.includes(own))
  if (ofSubset !== undefined && owner !== undefined) return { rule: owner, tls: ofSubset, subset, labels }
  const rule = withPolicy(joined)
  const ofWhole = forPort(rule?.tls ?? [])
  return rule === undefined || ofWhole === undefined ? null : { rule, tls: ofWhole, subset: null, labels }
}

/** Why a Pod does not take what is spoken; null where it may. `port` is the one on which it listens (13.2, 13.3 and 13.4). */
export function refusalBy(snapshot: Snapshot, pod: Pod, port: number | null, spoken: Spoken): Refusal | null {
  if (spoken === 'mtls') return hasNoProxy(snapshot, pod) ? 'no sidecar' : takenBy(snapshot, pod, port, 'DISABLE')
  if (spoken === 'own' || hasNoProxy(snapshot, pod)) return null
  return takenBy(snapshot, pod, port, 'STRICT')
}

/** The PeerAuthentication by which a Pod takes what this mode says and nothing else: the workload's own before the namespace's before the mesh's, of each the oldest. */
function takenBy(snapshot: Snapshot, pod: Pod, port: number | null, only: 'STRICT' | 'DISABLE'): PeerAuthentication | null {
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
    if (mode !== 'UNSET') return mode === only ? (level ?? null) : null
  }
  return null
}
