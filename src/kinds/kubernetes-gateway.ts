/** The Gateway API's Gateways: `Gateway` in manifests, as Istio's own are; named as Istio's code names them. */
import type { LabelSelector, Labels } from '../mesh/names/labels.ts'
import { Fields } from './fields.ts'
import { gatewayApi } from './gateway-api.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'
import { parseLabelSelector } from './label-selector.ts'

export interface CertificateRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Namespaces that something is open to. */
export interface Admission {
  readonly from: string
  readonly selector: LabelSelector
}

export interface Listener {
  readonly name: string
  /** '' is every host. */
  readonly hostname: string
  readonly port: number
  readonly protocol: string
  readonly tlsMode: string
  readonly certificates: readonly CertificateRef[]
  readonly admits: Admission
  /** Kinds of routes; none: whatever the protocol can serve. */
  readonly kinds: readonly string[]
}

export interface KubernetesGateway extends Identity {
  readonly kind: 'KubernetesGateway'
  readonly className: string
  readonly listeners: readonly Listener[]
  readonly addresses: readonly { readonly type: string; readonly value: string }[]
  /** ListenerSets of these namespaces add to its listeners. */
  readonly admitsListeners: Admission
  /** For the Pods that are deployed for it; null where it names none. */
  readonly infrastructureLabels: Labels | null
}

export const kubernetesGateways = defineKind<KubernetesGateway, 'kubernetesGatewayByNamespace'>({
  kind: 'KubernetesGateway',
  api: gatewayApi('gateways', ['v1', 'v1beta1'], 'Gateway'),
  judged: true,
  parse: ({ spec }, identity) => ({
    kind: 'KubernetesGateway',
    ...identity,
    className: spec.string('gatewayClassName'),
    listeners: spec.each('listeners', (listener) => parseListener(listener, identity)),
    addresses: spec.each('addresses', (address) => ({ type: address.string('type', 'IPAddress'), value: address.string('value') })),
    admitsListeners: parseAdmission(spec.child('allowedListeners')?.child('namespaces') ?? null, 'None'),
    infrastructureLabels: spec.child('infrastructure')?.has('labels') ? (spec.child('infrastructure')?.labels('labels') ?? null) : null
  }),
  refusals: listenerRefusals,
  indexes: { kubernetesGatewayByNamespace: ({ namespace }) => [namespace] },
  isEntrance: true
})

export function parseListener(listener: Fields, { namespace }: Identity): Listener {
  const tls = listener.child('tls')
  const allowed = listener.child('allowedRoutes')
  return {
    name: listener.string('name'),
    hostname: listener.string('hostname'),
    port: listener.number('port', 0),
    protocol: listener.string('protocol'),
    tlsMode: tls?.string('mode', 'Terminate') ?? 'Terminate',
    certificates: (tls?.children('certificateRefs') ?? []).map((certificate) => ({
      group: certificate.string('group'),
      kind: certificate.string('kind', 'Secret'),
      namespace: certificate.string('namespace') || namespace,
      name: certificate.string('name')
    })),
    admits: parseAdmission(allowed?.child('namespaces') ?? null, 'Same'),
    kinds: (allowed?.children('kinds') ?? []).map((kind) => kind.string('kind'))
  }
}

function parseAdmission(namespaces: Fields | null, absent: string): Admission {
  return {
    from: namespaces?.string('from', absent) ?? absent,
    selector: parseLabelSelector(namespaces?.child('selector') ?? new Fields({}))
  }
}

export function* listenerRefusals({ listeners }: { readonly listeners: readonly Listener[] }): Iterable<string> {
  const alike = new Set(listeners.map(({ port, protocol, hostname }) => `${port}/${protocol}/${hostname}`))
  if (alike.size < listeners.length) yield 'spec.listeners: Combination of port, protocol and hostname must be unique for each listener'
  for (const { admits } of listeners) {
    if (admits.from === 'None') yield 'spec.listeners.allowedRoutes.namespaces.from: Unsupported value: "None"'
  }
}
