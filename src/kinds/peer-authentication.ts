/** PeerAuthentications: which connections workloads take. pkg/config/security, pilot/pkg/security/authn. */
import type { Labels } from '../mesh/names/labels.ts'
import { own } from '../mesh/names/own.ts'
import { type Identity, REVISION } from './identity.ts'
import { defineKind } from './kind.ts'

/** `UNSET`: what stands above it decides. */
export type MtlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT'

export interface PeerAuthentication extends Identity {
  readonly kind: 'PeerAuthentication'
  /** matchLabels; null for the whole namespace, or of the root namespace the whole mesh. */
  readonly selector: Labels | null
  readonly mode: MtlsMode
  /** By port of the workload; of those with a selector only. */
  readonly ports: ReadonlyMap<number, MtlsMode>
}

const MODES: ReadonlyMap<string, MtlsMode> = new Map([
  ['DISABLE', 'DISABLE'],
  ['1', 'DISABLE'],
  ['PERMISSIVE', 'PERMISSIVE'],
  ['2', 'PERMISSIVE'],
  ['STRICT', 'STRICT'],
  ['3', 'STRICT']
])

export const peerAuthentications = defineKind({
  kind: 'PeerAuthentication',
  api: { group: 'security.istio.io', versions: ['v1', 'v1beta1'], plural: 'peerauthentications', namespaced: true },
  judged: true,
  parse: ({ spec }, identity): PeerAuthentication => {
    const levels = spec.child('portLevelMtls')
    const modeOf = (written: number | string | undefined) => MODES.get(String(written ?? '')) ?? 'UNSET'
    const ports = (levels?.keys() ?? []).map((port) => [Number(port), modeOf(levels?.child(port)?.numberOrString('mode', 0))] as const)
    const selector = spec.child('selector')?.labels('matchLabels') ?? {}
    return {
      kind: 'PeerAuthentication',
      ...identity,
      selector: Object.keys(selector).length === 0 ? null : selector,
      mode: modeOf(spec.child('mtls')?.numberOrString('mode', 0)),
      ports: new Map(ports)
    }
  },
  indexes: { peerAuthenticationByNamespace: ({ namespace }) => [namespace] },
  decides: ({ selector, mode, ports, labels }) => [selector, mode, [...ports], own(labels, REVISION)]
})
