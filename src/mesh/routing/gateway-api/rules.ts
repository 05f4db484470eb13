/** Rules of HTTPRoutes and GRPCRoutes as rules of a VirtualService. `convertHTTPRoute`, `convertGRPCRoute`, pilot/pkg/config/kube/gateway/conversion.go. */
import { type Backend, GATEWAY_API, type L4LikeRoute, type Mirrored, type RouteRule } from '../../../kinds/gateway-api.ts'
import { type Destination, emptyMatch, type HttpMatch, type HttpRoute, type Mirror, type RouteObject } from '../../../kinds/http-rule.ts'
import type { Path } from '../../names/path.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { NOWHERE } from '../destinations.ts'
import { isGranted } from './grants.ts'
import type { AnyRoute, HeaderRoute } from './pieces.ts'

/** What routes are made for: at a Gateway backends of other namespaces need a grant, for the mesh they do not. */
export type ParentKind = 'mesh' | 'listener'

const HEADER_FILTERS = ['RequestHeaderModifier', 'ResponseHeaderModifier']
const FILTERS = {
  HTTPRoute: [...HEADER_FILTERS, 'RequestRedirect', 'URLRewrite', 'RequestMirror', 'CORS'],
  GRPCRoute: [...HEADER_FILTERS, 'RequestMirror']
}

/** Something in a route for which Istio makes nothing of all of it. */
export class Refusal {
  /** Of the rule or backend. */
  readonly path: Path
  readonly what: 'filter' | 'header-value' | 'dotted-name' | 'hostname' | 'mirror'
  /** The type of the filter, or what is named wrongly; '' where that is not told. */
  readonly name: string

  constructor(path: Path, what: Refusal['what'], name = '') {
    this.path = path
    this.what = what
    this.name = name
  }
}

/** Of a route that has parents of both kinds: at Gateways grants are asked for too. */
function parentKindOf({ parents }: AnyRoute): ParentKind {
  return parents.some(({ group }) => group === GATEWAY_API) ? 'listener' : 'mesh'
}

/** The first thing for which Istio makes nothing of a route; null where there is none. */
export function refusalOf(snapshot: Snapshot, route: AnyRoute): Refusal | null {
  const parent = parentKindOf(route)
  const isOfConnections = route.kind === 'TLSRoute' || route.kind === 'TCPRoute'
  const converted = isOfConnections ? toDestinations(snapshot, route, parent) : toRules(snapshot, route, parent, null)
  return converted instanceof Refusal ? converted : null
}

/** Of routes whose rules rest on no other object: what they become at a listener, or for the mesh at each port. */
const rulesOfRoutes = new WeakMap<HeaderRoute, Map<string, readonly HttpRoute[] | null>>()

/** The rules of a route; null where one of them has something for which Istio makes nothing of the whole object. */
export function convertRules(snapshot: Snapshot, route: HeaderRoute, parent: ParentKind, port: number | null): readonly HttpRoute[] | null {
  const key = `${parent} ${port}`
  const known = rulesOfRoutes.get(route) ?? new Map<string, readonly HttpRoute[] | null>()
  const found = known.get(key)
  if (found !== undefined) return found
  const rules = toRules(snapshot, route, parent, port)
  const made = rules instanceof Refusal ? null : rules
  if (restsOnOthers(route)) return made
  rulesOfRoutes.set(route, known.set(key, made))
  return made
}

/** On a grant, or on what a mirror leads to. */
function restsOnOthers({ namespace, rules }: HeaderRoute): boolean {
  return rules.some(
    ({ backends, filters }) =>
      backends.some((backend) => backend.namespace !== '' && backend.namespace !== namespace) ||
      filters.some(({ mirror }) => mirror !== null)
  )
}

function toRules(snapshot: Snapshot, route: HeaderRoute, parent: ParentKind, port: number | null): HttpRoute[] | Refusal {
  const source = { kind: route.kind, namespace: route.namespace, name: route.name }
  const found: HttpRoute[] = []
  for (const rule of route.rules) {
    snapshot.charge(1 + rule.matches.length + rule.backends.length + rule.filters.length, route)
    const made = convertRule(snapshot, route, rule, parent)
    if (made instanceof Refusal) return made
    const alternatives = rule.matches.length === 0 && port !== null ? [emptyMatch(rule.path)] : rule.matches
    const matches = alternatives.length === 0 ? [[]] : alternatives.map((match) => [{ ...match, port }])
    for (const match of matches) found.push({ ...made, source, path: rule.path, match })
  }
  return found
}

function convertRule(
  snapshot: Snapshot,
  route: HeaderRoute,
  rule: RouteRule,
  parent: ParentKind
): Omit<HttpRoute, 'source' | 'path' | 'match'> | Refusal {
  const refusal = refusalOfFilters(rule, FILTERS[route.kind])
  if (refusal !== null) return refusal
  const destinations = convertBackends(snapshot, route, rule.backends, parent)
  if (destinations instanceof Refusal) return destinations
  const mirrors = convertMirrors(snapshot, route, rule, parent)
  if (mirrors instanceof Refusal) return mirrors
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
function refusalOfFilters({ path, filters }: Pick<RouteRule, 'path' | 'filters'>, types: readonly string[]): Refusal | null {
  for (const { type, headerValues } of filters) {
    if (!types.includes(type)) return new Refusal(path, 'filter', type)
    if (!headerValues.every(isHeaderValue)) return new Refusal(path, 'header-value')
  }
  return null
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
): Destination[] | Refusal {
  const found: Destination[] = []
  for (const backend of backends) {
    if (backend.weight === 0) continue
    const refusal = refusalOfFilters(backend, HEADER_FILTERS)
    if (refusal !== null) return refusal
    const destination = convertBackend(snapshot, route, backend, parent)
    if (destination instanceof Refusal) return destination
    found.push(destination)
  }
  return found
}

function convertBackend(
  snapshot: Snapshot,
  route: { readonly kind: string; readonly namespace: string },
  backend: Backend,
  parent: ParentKind
): Destination | Refusal {
  const { path, group, kind, name, host: named, port, weight } = backend
  const to = (host: string): Destination => ({ path, host, subset: null, port, weight })
  if (group === 'networking.istio.io' && kind === 'Hostname') {
    return backend.namespace !== '' || port === null ? new Refusal(path, 'hostname', name) : to(named)
  }
  if (named === NOWHERE) return { ...to(NOWHERE), port: null }
  if (name.includes('.')) return new Refusal(path, 'dotted-name', name)
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

/** What a route would mirror to, and Istio leaves out. */
export function mirrorsLeftOut(snapshot: Snapshot, route: HeaderRoute): Backend[] {
  const parent = parentKindOf(route)
  const mirrors = route.rules.flatMap(({ filters }) => filters.flatMap(({ mirror }) => mirror ?? []))
  const isLeftOut = (mirror: Mirrored) => mirror.percentage > 0 && convertMirror(snapshot, route, mirror, parent) === null
  return mirrors.filter(isLeftOut).map(({ backend }) => backend)
}

/** A mirror that leads nowhere is left out of an HTTPRoute, and is the end of a GRPCRoute. */
function convertMirrors(snapshot: Snapshot, route: HeaderRoute, { path, filters }: RouteRule, parent: ParentKind): Mirror[] | Refusal {
  const mirrors: Mirror[] = []
  for (const { mirror } of filters) {
    if (mirror === null) continue
    const destination = convertMirror(snapshot, route, mirror, parent)
    if (destination !== null) mirrors.push(destination)
    else if (route.kind === 'GRPCRoute') return new Refusal(path, 'mirror', mirror.backend.name)
  }
  return mirrors
}

function convertMirror(snapshot: Snapshot, route: HeaderRoute, { backend, percentage }: Mirrored, parent: ParentKind): Mirror | null {
  const destination = convertBackend(snapshot, route, backend, parent)
  if (destination instanceof Refusal || !isKnown(snapshot, destination.host)) return null
  return { ...destination, percentage }
}

/** A Service or ServiceEntry has the host. */
export function isKnown(snapshot: Snapshot, host: string): boolean {
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
  const destinations = toDestinations(snapshot, route, parent)
  return destinations instanceof Refusal ? null : destinations
}

function toDestinations(snapshot: Snapshot, route: L4LikeRoute & { readonly kind: string }, parent: ParentKind): Destination[] | Refusal {
  const [rule] = route.rules
  const found: Destination[] = []
  for (const backend of rule?.backends ?? []) {
    if (backend.weight === 0) continue
    const destination = convertBackend(snapshot, route, backend, parent)
    if (destination instanceof Refusal) return destination
    found.push(destination)
  }
  return found.length > 0 ? found : [{ path: rule?.path ?? [], host: NOWHERE, subset: null, port: null, weight: 1 }]
}
