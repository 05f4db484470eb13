/** Rules of HTTPRoutes and GRPCRoutes as rules of a VirtualService. `convertHTTPRoute`, `convertGRPCRoute`, pilot/pkg/config/kube/gateway/conversion.go. */
import { type Backend, GATEWAY_API, type L4LikeRoute, type Mirrored, type RouteFilter, type RouteRule } from '../../../kinds/gateway-api.ts'
import { type Destination, emptyMatch, type HttpMatch, type HttpRoute, type Mirror, type RouteObject } from '../../../kinds/http-rule.ts'
import type { Path } from '../../names/path.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { NOWHERE } from '../destinations.ts'
import { isGranted } from './grants.ts'
import type { HeaderRoute } from './pieces.ts'

/** What routes are made for: at a Gateway backends of other namespaces need a grant, for the mesh they do not. */
export type ParentKind = 'mesh' | 'listener'

const HEADER_FILTERS = ['RequestHeaderModifier', 'ResponseHeaderModifier']
const FILTERS = {
  HTTPRoute: [...HEADER_FILTERS, 'RequestRedirect', 'URLRewrite', 'RequestMirror', 'CORS'],
  GRPCRoute: [...HEADER_FILTERS, 'RequestMirror']
}

/** Something in the object for which Istio drops all of it. */
const REFUSED = Symbol('refused')
type Refused = typeof REFUSED

/** The rules of a route; null where one of them has something for which Istio makes nothing of the whole object. */
export function convertRules(snapshot: Snapshot, route: HeaderRoute, parent: ParentKind, port: number | null): HttpRoute[] | null {
  const source = { kind: route.kind, namespace: route.namespace, name: route.name }
  const converted: HttpRoute[] = []
  for (const rule of route.rules) {
    snapshot.charge(1 + rule.matches.length + rule.backends.length + rule.filters.length, route)
    const made = convertRule(snapshot, route, rule, parent)
    if (made === REFUSED) return null
    const alternatives = rule.matches.length === 0 && port !== null ? [emptyMatch(rule.path)] : rule.matches
    const matches = alternatives.length === 0 ? [[]] : alternatives.map((match) => [{ ...match, port }])
    for (const match of matches) converted.push({ ...made, source, path: rule.path, match })
  }
  return converted
}

function convertRule(
  snapshot: Snapshot,
  route: HeaderRoute,
  rule: RouteRule,
  parent: ParentKind
): Omit<HttpRoute, 'source' | 'path' | 'match'> | Refused {
  if (!rule.filters.every((filter) => isSupported(filter, FILTERS[route.kind]))) return REFUSED
  const destinations = convertBackends(snapshot, route, rule.backends, parent)
  const mirrors = convertMirrors(snapshot, route, rule.filters, parent)
  if (destinations === REFUSED || mirrors === REFUSED) return REFUSED
  const redirect = rule.filters.find((filter) => filter.redirect !== null)?.redirect ?? null
  const sendsNowhere = destinations.length === 0 && redirect === null
  return {
    name: '',
    route: redirect === null ? destinations : [],
    redirect: redirect === null ? null : { code: redirect.code },
    directResponse: sendsNowhere ? { status: 500 } : null,
    abort: null,
    delegate: null,
    mirrors
  }
}

/** A header's value with a control character is none. */
function isSupported({ type, headerValues }: RouteFilter, types: readonly string[]): boolean {
  return types.includes(type) && headerValues.every(isHeaderValue)
}

function isHeaderValue(value: string): boolean {
  for (const character of value) {
    const code = character.charCodeAt(0)
    if ((code < 0x20 && character !== '\t') || code === 0x7f) return false
  }
  return true
}

function convertBackends(
  snapshot: Snapshot,
  route: HeaderRoute,
  backends: readonly Backend[],
  parent: ParentKind
): Destination[] | Refused {
  const found: Destination[] = []
  for (const backend of backends) {
    if (backend.weight === 0) continue
    if (!backend.filters.every((filter) => isSupported(filter, HEADER_FILTERS))) return REFUSED
    const destination = convertBackend(snapshot, route, backend, parent)
    if (destination === REFUSED) return REFUSED
    found.push(destination)
  }
  return found
}

function convertBackend(
  snapshot: Snapshot,
  route: { readonly kind: string; readonly namespace: string },
  backend: Backend,
  parent: ParentKind
): Destination | Refused {
  const { path, group, kind, name, host: named, port, weight } = backend
  const to = (host: string): Destination => ({ path, host, subset: null, port, weight })
  if (group === 'networking.istio.io' && kind === 'Hostname') return backend.namespace !== '' || port === null ? REFUSED : to(named)
  if (named === NOWHERE) return { ...to(NOWHERE), port: null }
  if (name.includes('.')) return REFUSED
  const namespace = backend.namespace || route.namespace
  const by = { group: GATEWAY_API, kind: route.kind, namespace: route.namespace }
  if (parent === 'listener' && !isGranted(snapshot, by, { group, kind, namespace, name })) return { ...to(NOWHERE), port: null }
  return to(named)
}

/** The backend that stands at a path of a route; null where the path leads to none. */
export function backendAt(snapshot: Snapshot, source: RouteObject | null, path: Path): Backend | null {
  if (source === null || source.kind === 'VirtualService') return null
  const rules: readonly Pick<RouteRule, 'backends'>[] = snapshot.find(source.kind, source.namespace, source.name)?.rules ?? []
  return rules.flatMap(({ backends }) => backends).find((backend) => backend.path.join('.') === path.join('.')) ?? null
}

/** A mirror that leads nowhere is left out of an HTTPRoute, and is the end of a GRPCRoute. */
function convertMirrors(snapshot: Snapshot, route: HeaderRoute, filters: readonly RouteFilter[], parent: ParentKind): Mirror[] | Refused {
  const mirrors: Mirror[] = []
  for (const { mirror } of filters) {
    if (mirror === null) continue
    const destination = convertMirror(snapshot, route, mirror, parent)
    if (destination !== null) mirrors.push(destination)
    else if (route.kind === 'GRPCRoute') return REFUSED
  }
  return mirrors
}

function convertMirror(snapshot: Snapshot, route: HeaderRoute, { backend, percentage }: Mirrored, parent: ParentKind): Mirror | null {
  const destination = convertBackend(snapshot, route, backend, parent)
  if (destination === REFUSED || !isKnown(snapshot, destination.host)) return null
  return { ...destination, percentage }
}

function isKnown(snapshot: Snapshot, host: string): boolean {
  for (const index of ['serviceByHost', 'serviceEntryByHost'] as const) for (const _ of snapshot.lookup(index, host)) return true
  return false
}

/** The rules of several routes with one host, as Istio sorts them: by what their one match asks for; equal ones stay as they are. `sortHTTPRoutes`. */
export function bySpecificity(rules: readonly HttpRoute[]): HttpRoute[] {
  return [...rules].sort((one, other) => {
    const [left, right] = [one.match[0], other.match[0]]
    // One that names no match comes after one whose match asks for nothing.
    if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined)
    return compareMatches(left, right)
  })
}

function compareMatches(one: HttpMatch, other: HttpMatch): number {
  return (
    rankOf(other.uri) - rankOf(one.uri) ||
    lengthOf(other.uri) - lengthOf(one.uri) ||
    Number(other.method !== null) - Number(one.method !== null) ||
    Object.keys(other.headers).length - Object.keys(one.headers).length ||
    Object.keys(other.queryParams).length - Object.keys(one.queryParams).length
  )
}

const RANKS = { exact: 3, prefix: 2, elements: 2, regex: 1, present: 0 }

function rankOf(uri: HttpMatch['uri']): number {
  return uri === null ? 0 : RANKS[uri.type]
}

function lengthOf(uri: HttpMatch['uri']): number {
  return uri === null || uri.type === 'present' ? 0 : uri.value.length
}

/** The destinations of the first rule of a TCPRoute or TLSRoute; null as above. */
export function convertConnections(
  snapshot: Snapshot,
  route: L4LikeRoute & { readonly kind: string },
  parent: ParentKind
): Destination[] | null {
  const [rule] = route.rules
  const found: Destination[] = []
  for (const backend of rule?.backends ?? []) {
    if (backend.weight === 0) continue
    const destination = convertBackend(snapshot, route, backend, parent)
    if (destination === REFUSED) return null
    found.push(destination)
  }
  return found.length > 0 ? found : [{ path: rule?.path ?? [], host: NOWHERE, subset: null, port: null, weight: 1 }]
}
