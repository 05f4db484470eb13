/** TLSRoutes: connections by server name. */
import { gatewayApi, type L4LikeRoute, parseL4Route, referencesOf, routeRefusals } from './gateway-api.ts'
import { defineKind } from './kind.ts'

export interface TLSRoute extends L4LikeRoute {
  readonly kind: 'TLSRoute'
}

export const tlsRoutes = defineKind<TLSRoute, 'tlsRouteByReference'>({
  kind: 'TLSRoute',
  api: gatewayApi('tlsroutes', ['v1', 'v1alpha3', 'v1alpha2']),
  judged: true,
  parse: ({ spec }, identity, domain) => ({ kind: 'TLSRoute', ...parseL4Route(spec, identity, domain) }),
  refusals: routeRefusals,
  indexes: { tlsRouteByReference: referencesOf },
  audited: 'reach'
})
