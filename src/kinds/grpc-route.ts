/** GRPCRoutes: routes by gRPC's services and methods, which are paths. */
import type { Fields } from './fields.ts'
import { gatewayApi, type HttpLikeRoute, parseAttached, parseBackends, parseFilters, referencesOf, routeRefusals } from './gateway-api.ts'
import { parseValues } from './http-route.ts'
import { emptyMatch, type HttpMatch, type StringMatch } from './http-rule.ts'
import { defineKind } from './kind.ts'

export interface GRPCRoute extends HttpLikeRoute {
  readonly kind: 'GRPCRoute'
}

export const grpcRoutes = defineKind<GRPCRoute, 'grpcRouteByReference'>({
  kind: 'GRPCRoute',
  api: gatewayApi('grpcroutes', ['v1']),
  judged: true,
  parse: ({ spec }, identity, domain) => {
    const within = { namespace: identity.namespace, domain }
    return {
      kind: 'GRPCRoute',
      ...parseAttached(spec, identity, domain),
      rules: spec.each('rules', (rule) => ({
        path: rule.path,
        matches: rule.each('matches', parseMatch),
        backends: parseBackends(rule, within),
        filters: parseFilters(rule, within)
      }))
    }
  },
  refusals: routeRefusals,
  indexes: { grpcRouteByReference: referencesOf },
  audited: 'reach'
})

function parseMatch(match: Fields): HttpMatch {
  return {
    ...emptyMatch(match.path),
    uri: parseMethod(match.child('method')),
    headers: parseValues(match.children('headers'))
  }
}

/** Istio pastes regular expressions of service and method into one, without grouping. `createGRPCURIMatch`. */
function parseMethod(fields: Fields | null): StringMatch | null {
  const service = fields?.string('service') ?? ''
  const method = fields?.string('method') ?? ''
  if (service === '' && method === '') return null
  if (fields?.string('type') === 'RegularExpression') {
    return { type: 'regex', value: `/${service === '' ? ANY_SERVICE : service}/${method === '' ? '.+' : method}` }
  }
  if (service === '') return { type: 'regex', value: `/${ANY_SERVICE}/${method}` }
  return method === '' ? { type: 'elements', value: `/${service}` } : { type: 'exact', value: `/${service}/${method}` }
}

const ANY_SERVICE = '[^/]+'
