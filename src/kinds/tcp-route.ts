/** TCPRoutes: whole connections. */
import { gatewayApi, type L4LikeRoute, parseL4Route, referencesOf, routeRefusals } from './gateway-api.ts'
import { defineKind } from './kind.ts'

export interface TCPRoute extends L4LikeRoute {
  readonly kind: 'TCPRoute'
}

export const tcpRoutes = defineKind<TCPRoute, 'tcpRouteByReference'>({
  kind: 'TCPRoute',
  api: gatewayApi('tcproutes', ['v1', 'v1alpha2']),
  judged: true,
  parse: ({ spec }, identity, domain) => ({ kind: 'TCPRoute', ...parseL4Route(spec, identity, domain) }),
  refusals: routeRefusals,
  indexes: { tcpRouteByReference: referencesOf },
  audited: 'reach'
})
