/** Sidecars: what the proxies of a namespace import. */
import type { Labels } from '../mesh/names/labels.ts'
import type { Fields } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'

export interface SidecarEgress {
  readonly port: number | null
  readonly hosts: readonly string[]
  /** It listens on an address of its own, and not on those that clients call. */
  readonly isBound: boolean
}

export interface Sidecar extends Identity {
  readonly kind: 'Sidecar'
  readonly workloadSelector: Labels | null
  readonly egress: readonly SidecarEgress[]
  /** The mode of its outboundTrafficPolicy; '' where it has none. */
  readonly outboundMode: string
}

export const sidecars = defineKind({
  kind: 'Sidecar',
  api: istioApi('sidecars'),
  judged: true,
  parse: ({ spec }, identity): Sidecar => ({
    kind: 'Sidecar',
    ...identity,
    workloadSelector: spec.child('workloadSelector')?.labels('labels') ?? null,
    egress: spec.each('egress', (egress) => ({
      port: egress.child('port')?.number('number', 0) || null,
      hosts: egress.strings('hosts'),
      isBound: egress.string('bind') !== '' || ['NONE', '2'].includes(String(egress.numberOrString('captureMode', '')))
    })),
    outboundMode: outboundModeOf(spec)
  }),
  indexes: { sidecarByNamespace: ({ namespace }) => [namespace] },
  reach: ({ namespace }) => [{ through: 'clients', namespace }]
})

function outboundModeOf(spec: Fields): string {
  const policy = spec.child('outboundTrafficPolicy')
  return policy === null ? '' : String(policy.numberOrString('mode', 0))
}
