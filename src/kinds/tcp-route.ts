/** TCPRoutes: whole connections. */
import { backendRefusals, gatewayApi, type L4LikeRoute, parseAttached, parseBackends, routeRefusals } from './gateway-api.ts'
import { defineKind } from './kind.ts'

export interface TCPRoute extends L4LikeRoute {
  readonly kind: 'TCPRoute'
}

export const tcpRoutes = defineKind<TCPRoute, never>({
  kind: 'TCPRoute',
  api: gatewayApi('tcproutes', ['v1', 'v1alpha2']),
  watched: false,
  parse: ({ spec }, identity, domain) => ({
    kind: 'TCPRoute',
    ...parseAttached(spec, identity, domain),
    rules: spec.children('rules').map((rule) => ({ path: rule.path, backends: parseBackends(rule) }))
  }),
  *refusals(route) {
    yield* routeRefusals(route)
    for (const rule of route.rules) yield* backendRefusals(rule)
  },
  indexes: {}
})
