/** Kubernetes Services, as Istio converts them. `ConvertService`, pilot/pkg/serviceregistry/kube/conversion.go. */
import { serviceHost } from '../mesh/names/hosts.ts'
import { type Labels, selectorKey } from '../mesh/names/labels.ts'
import { type Protocol, protocolOfPort } from '../mesh/names/ports.ts'
import type { Fields } from './fields.ts'
import { EXPORT_TO, type Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface ServicePort {
  readonly name: string
  readonly port: number
  /** A string is the name of a container port. */
  readonly targetPort: number | string
  readonly protocol: string
  readonly appProtocol: string
  /** What Istio takes its traffic for (3.7). */
  readonly traffic: Protocol
}

export interface Service extends Identity {
  readonly kind: 'Service'
  /** Its full name, `reviews.prod.svc.cluster.local`. */
  readonly host: string
  /** null: no selector, so its endpoints are not known from Pods. */
  readonly selector: Labels | null
  readonly ports: readonly ServicePort[]
  readonly externalName: string | null
  readonly headless: boolean
  /** '' where it has none, or where that is not known. */
  readonly clusterIP: string
  readonly publishNotReadyAddresses: boolean
  readonly internalTrafficLocal: boolean
  /** From the annotation networking.istio.io/exportTo; empty means everywhere. */
  readonly exportTo: readonly string[]
}

export const services = defineKind({
  kind: 'Service',
  api: { group: '', versions: ['v1'], plural: 'services', namespaced: true },
  judged: true,
  parse: ({ spec }, identity, domain): Service => {
    const selector = spec.labels('selector')
    return {
      kind: 'Service',
      ...identity,
      host: serviceHost(identity.namespace, identity.name, domain),
      selector: Object.keys(selector).length === 0 ? null : selector,
      ports: spec.each('ports', parsePort),
      externalName: spec.string('type') === 'ExternalName' ? spec.string('externalName') : null,
      headless: spec.string('clusterIP') === 'None',
      clusterIP: addressOf(spec),
      publishNotReadyAddresses: spec.boolean('publishNotReadyAddresses'),
      internalTrafficLocal: spec.string('internalTrafficPolicy') === 'Local',
      exportTo: exportedTo(identity)
    }
  },
  storedOver: (written, { clusterIP }) => (written.clusterIP === '' ? { ...written, clusterIP } : written),
  indexes: {
    serviceByHost: ({ host }) => [host],
    /** Services with a selector, by its first pair in key order: a Pod's labels lead to every Service that can select it. */
    serviceBySelector: ({ namespace, selector }) => selectorKey(namespace, selector),
    serviceByExternalName: ({ externalName }) => (externalName === null ? [] : [externalName]),
    /** Services by the ports on which they declare HTTP, so that their clients listen there (3.6); an alias opens none (8.4). */
    serviceByHttpPort: ({ ports, externalName }) =>
      externalName === null ? ports.filter(({ traffic }) => traffic === 'http').map(({ port }) => String(port)) : []
  },
  reach: ({ host }) => [{ through: 'service', host }],
  // Of a deleted Service nothing counts as served.
  takesAway: (before, after) => before !== null && after !== null,
  provides: () => true,
  audited: 'reach'
})

function addressOf(spec: Fields): string {
  const address = spec.string('clusterIP')
  return address === 'None' ? '' : address
}

function parsePort(fields: Fields): ServicePort {
  const port = fields.number('port', 0)
  const written = {
    name: fields.string('name'),
    port,
    targetPort: fields.numberOrString('targetPort', port),
    protocol: fields.string('protocol', 'TCP'),
    appProtocol: fields.string('appProtocol')
  }
  return { ...written, traffic: protocolOfPort(written) }
}

function exportedTo({ annotations }: Identity): string[] {
  return (annotations[EXPORT_TO] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}
