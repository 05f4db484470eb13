/** GatewayClasses: whose controller makes something of a Gateway. */
import { gatewayApi } from './gateway-api.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface GatewayClass extends Identity {
  readonly kind: 'GatewayClass'
  readonly controller: string
}

export const gatewayClasses = defineKind<GatewayClass, never>({
  kind: 'GatewayClass',
  api: { ...gatewayApi('gatewayclasses', ['v1', 'v1beta1']), namespaced: false },
  judged: true,
  parse: ({ spec }, identity) => ({ kind: 'GatewayClass', ...identity, controller: spec.string('controllerName') }),
  indexes: {},
  isEntrance: true
})
