/** HTTPRoutes: the routes of the Gateway API, at Gateways and for Services of the mesh. */
import type { Fields } from './fields.ts'
import {
  gatewayApi,
  type HttpLikeRoute,
  parseAttached,
  parseBackends,
  parseFilters,
  type RouteRule,
  referencesOf,
  routeRefusals,
  type Within
} from './gateway-api.ts'
import { emptyMatch, type HttpMatch, type StringMatch } from './http-rule.ts'
import { defineKind } from './kind.ts'

export interface HTTPRoute extends HttpLikeRoute {
  readonly kind: 'HTTPRoute'
}

export const httpRoutes = defineKind<HTTPRoute, 'httpRouteByReference'>({
  kind: 'HTTPRoute',
  api: gatewayApi('httproutes', ['v1', 'v1beta1']),
  judged: true,
  // Without rules the schema gives it one that matches everything, and sends it nowhere.
  parse: ({ spec }, identity, domain) => ({
    kind: 'HTTPRoute',
    ...parseAttached(spec, identity, domain),
    rules: spec.has('rules')
      ? spec.each('rules', (rule) => parseRule(rule, { namespace: identity.namespace, domain }))
      : [{ path: [...spec.path, 'rules', 0], matches: [everyPath([...spec.path, 'rules', 0])], backends: [], filters: [] }]
  }),
  refusals,
  indexes: { httpRouteByReference: referencesOf },
  audited: 'reach'
})

function parseRule(rule: Fields, within: Within): RouteRule {
  const matches = rule.each('matches', parseMatch)
  return {
    path: rule.path,
    matches: matches.length === 0 ? [everyPath(rule.path)] : matches,
    backends: parseBackends(rule, within),
    filters: parseFilters(rule, within)
  }
}

function everyPath(path: Fields['path']): HttpMatch {
  return { ...emptyMatch(path), uri: { type: 'prefix', value: '/' } }
}

function parseMatch(match: Fields): HttpMatch {
  const method = match.string('method')
  return {
    ...emptyMatch(match.path),
    uri: parsePath(match.child('path')),
    method: method === '' ? null : { type: 'exact', value: method },
    headers: parseValues(match.children('headers')),
    queryParams: parseValues(match.children('queryParams'))
  }
}

/** A prefix is one of path elements; a slash at its end says nothing. */
function parsePath(path: Fields | null): StringMatch {
  const value = path?.string('value', '/') ?? '/'
  switch (path?.string('type', 'PathPrefix')) {
    case 'Exact':
      return { type: 'exact', value }
    case 'RegularExpression':
      return { type: 'regex', value }
    default: {
      const bare = value.endsWith('/') ? value.slice(0, -1) : value
      return bare === '' ? { type: 'prefix', value: '/' } : { type: 'elements', value: bare }
    }
  }
}

/** Conditions on headers or query parameters, each by its name. */
export function parseValues(values: readonly Fields[]): Readonly<Record<string, StringMatch>> {
  return Object.fromEntries(
    values.map((value) => [
      value.string('name'),
      { type: value.string('type') === 'RegularExpression' ? 'regex' : 'exact', value: value.string('value') } as const
    ])
  )
}

function* refusals(route: HTTPRoute): Iterable<string> {
  yield* routeRefusals(route)
  for (const rule of route.rules) {
    yield* pathRefusals(rule)
    const [redirect] = rule.filters.flatMap((filter) => filter.redirect ?? [])
    if (redirect === undefined) continue
    if (rule.backends.length > 0) yield 'spec.rules: RequestRedirect filter must not be used together with backendRefs'
    const [only, ...others] = rule.matches
    const isOfPrefix = others.length === 0 && (only?.uri?.type === 'elements' || only?.uri?.type === 'prefix')
    if (redirect.replacesPrefix && !isOfPrefix) {
      yield 'spec.rules: When using RequestRedirect filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified'
    }
  }
}

function* pathRefusals({ matches }: RouteRule): Iterable<string> {
  for (const { uri } of matches) {
    if (uri === null || uri.type === 'present' || uri.type === 'regex') continue
    if (uri.value.includes('//')) yield "spec.rules.matches.path: must not contain '//' when type one of ['Exact', 'PathPrefix']"
  }
}
