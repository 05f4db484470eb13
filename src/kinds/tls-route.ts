/** TLSRoutes: connections by server name. */
import { backendRefusals, gatewayApi, type L4LikeRoute, parseAttached, parseBackends, routeRefusals } from './gateway-api.ts'
import { defineKind } from './kind.ts'

export interface TLSRoute extends L4LikeRoute {
  readonly kind: 'TLSRoute'
}

export const tlsRoutes = defineKind<TLSRoute, never>({
  kind: 'TLSRoute',
  api: gatewayApi('tlsroutes', ['v1', 'v1alpha3', 'v1alpha2']),
  watched: false,
  parse: ({ spec }, identity, domain) => ({
    kind: 'TLSRoute',
    ...parseAttached(spec, identity, domain),
    rules: spec.children('rules').map((rule) => ({ path: rule.path, backends: parseBackends(rule) }))
  }),
  *refusals(route) {
    yield* routeRefusals(route)
    for (const rule of route.rules) yield* backendRefusals(rule)
  },
  indexes: {}
})
