/** ListenerSets: listeners that others add to a Gateway. */
import { GATEWAY_API, gatewayApi } from './gateway-api.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'
import { type Listener, listenerRefusals, parseListener } from './kubernetes-gateway.ts'

export interface ListenerSet extends Identity {
  readonly kind: 'ListenerSet'
  /** `namespace/name` of the Gateway; '' where the parent is none. */
  readonly gateway: string
  readonly listeners: readonly Listener[]
}

export const listenerSets = defineKind<ListenerSet, 'listenerSetByGateway'>({
  kind: 'ListenerSet',
  api: gatewayApi('listenersets', ['v1']),
  judged: true,
  parse: ({ spec }, identity) => {
    const parent = spec.child('parentRef')
    const isGateway = parent?.string('kind', 'Gateway') === 'Gateway' && parent.string('group', GATEWAY_API) === GATEWAY_API
    return {
      kind: 'ListenerSet',
      ...identity,
      gateway: isGateway ? `${parent.string('namespace') || identity.namespace}/${parent.string('name')}` : '',
      listeners: spec.each('listeners', (listener) => parseListener(listener, identity))
    }
  },
  refusals: listenerRefusals,
  indexes: { listenerSetByGateway: ({ gateway }) => [gateway] },
  isEntrance: true
})
