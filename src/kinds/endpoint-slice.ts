/** EndpointSlices, read in files alone: a live cluster's endpoints are known from its Pods. */
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface EndpointSlice extends Identity {
  readonly kind: 'EndpointSlice'
  /** From the label kubernetes.io/service-name. */
  readonly service: string
  readonly portNames: readonly string[]
  readonly readyAddresses: number
  readonly endpoints: readonly { readonly ready: boolean; readonly pod: string }[]
}

export const endpointSlices = defineKind({
  kind: 'EndpointSlice',
  api: { group: 'discovery.k8s.io', versions: ['v1'], plural: 'endpointslices', namespaced: true },
  watched: false,
  parse: ({ fields }, identity): EndpointSlice => {
    const endpoints = fields.each('endpoints', (endpoint) => ({
      ready: endpoint.child('conditions')?.has('ready') === true ? (endpoint.child('conditions')?.boolean('ready') ?? false) : true,
      pod: endpoint.child('targetRef')?.string('name') ?? '',
      addresses: endpoint.strings('addresses').length
    }))
    return {
      kind: 'EndpointSlice',
      ...identity,
      service: identity.labels['kubernetes.io/service-name'] ?? '',
      portNames: fields.each('ports', (port) => port.string('name')),
      readyAddresses: endpoints.reduce((sum, { ready, addresses }) => sum + (ready ? addresses : 0), 0),
      endpoints: endpoints.map(({ ready, pod }) => ({ ready, pod }))
    }
  },
  indexes: { endpointSliceByService: ({ namespace, service }) => [`${namespace}/${service}`] },
  audited: 'nowhere'
})
