/** VirtualServices: the routes of hosts, on the mesh and at Gateways. */
import {
  AS_WRITTEN,
  type Domain,
  hostCovers,
  hostKey,
  hostsOverlap,
  resolveGateway,
  resolveHost,
  resolveVirtualServiceHost,
  wildcardsOver
} from '../mesh/names/hosts.ts'
import { isRe2 } from '../mesh/names/regex.ts'
import { Fields, InvalidField } from './fields.ts'
import type { Destination, HttpMatch, HttpRoute, L4Match, L4Route, Mirror, RouteObject, StringMatch } from './http-rule.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'
import { type MisplacedField, misplacedFields } from './misplaced.ts'
import { exportRefusals, gatewayNameRefusals, isAddress, isLabel, portRefusals, wildcardDomainRefusals } from './refusals.ts'

export interface VirtualService extends Identity {
  readonly kind: 'VirtualService'
  /** Completed and in lower case (1.1, 1.5). None: it is a delegate (7). */
  readonly hosts: readonly string[]
  /** `mesh`, and `namespace/name` of Gateways (1.6); no gateways means the mesh (3.1). */
  readonly gateways: readonly string[]
  readonly exportTo: readonly string[]
  readonly http: readonly HttpRoute[]
  readonly tls: readonly L4Route[]
  readonly tcp: readonly L4Route[]
  readonly misplaced: readonly MisplacedField[]
  /** Made of routes of the Gateway API, for the mesh or for a Gateway's listener; null: an object of the cluster. */
  readonly madeFor: 'mesh' | 'listener' | null
}

export const virtualServices = defineKind({
  kind: 'VirtualService',
  api: istioApi('virtualservices'),
  judged: true,
  parse: ({ raw, spec }, identity, domain): VirtualService => {
    const names: Names = {
      host: (written) => resolveHost(written, identity.namespace, domain),
      gateway: (written) => resolveGateway(written, identity.namespace, domain),
      namespace: domain === AS_WRITTEN ? '' : identity.namespace
    }
    const source: RouteObject = { kind: 'VirtualService', namespace: identity.namespace, name: identity.name }
    return {
      kind: 'VirtualService',
      ...identity,
      hosts: spec.strings('hosts').map((host) => resolveVirtualServiceHost(host, identity.namespace, domain)),
      gateways: boundGateways(spec.strings('gateways').map(names.gateway), domain),
      exportTo: spec.strings('exportTo'),
      http: spec.each('http', (rule) => parseHttpRoute(rule, names, source)),
      tls: spec.each('tls', (rule) => parseL4Route(rule, names, source)),
      tcp: spec.each('tcp', (rule) => parseL4Route(rule, names, source)),
      misplaced: misplacedFields(raw),
      madeFor: null
    }
  },
  refusals,
  indexes: {
    /** VirtualServices by the `hostKey` of each of their hosts. */
    virtualServiceByHost: ({ hosts }) => hosts.map(hostKey),
    /** VirtualServices by each host that one of their routes or mirrors names, and by every wildcard that can cover it. */
    virtualServiceByDestination: (vs) => destinationsOf(vs).flatMap((host) => [host, ...wildcardsOver(host)]),
    /** VirtualServices by the `namespace/name` of the VirtualServices they delegate to. */
    virtualServiceByDelegate: ({ http }) =>
      http.flatMap(({ delegate }) => (delegate === null ? [] : [`${delegate.namespace}/${delegate.name}`])),
    virtualServiceByGateway: ({ gateways }) => gateways,
    routeObjectByNamespace: ({ namespace }) => [namespace]
  },
  reach: ({ namespace, name, hosts, gateways }) =>
    hosts.length > 0 ? [{ through: 'claims', hosts, gateways }] : [{ through: 'roots', delegate: `${namespace}/${name}` }],
  audited: 'reach'
})

/** Asked many times in each decision. */
const destinations = new WeakMap<VirtualService, readonly string[]>()

/** Every host that a VirtualService sends or mirrors to, each once. */
export function destinationsOf(vs: VirtualService): readonly string[] {
  const known = destinations.get(vs)
  if (known !== undefined) return known
  const hosts = new Set<string>()
  for (const { route, mirrors } of vs.http) {
    for (const { host } of route) hosts.add(host)
    for (const { host } of mirrors) hosts.add(host)
  }
  for (const { route } of [...vs.tls, ...vs.tcp]) for (const { host } of route) hosts.add(host)
  const found = [...hosts]
  destinations.set(vs, found)
  return found
}

/** Short names stand for the namespace of the object they are written in (1.1, 1.6, 7.3). */
interface Names {
  readonly host: (written: string) => string
  readonly gateway: (written: string) => string
  /** That of a delegate which names none. */
  readonly namespace: string
}

function boundGateways(named: readonly string[], domain: Domain): readonly string[] {
  return named.length === 0 && domain !== AS_WRITTEN ? ['mesh'] : named
}

function parseHttpRoute(rule: Fields, names: Names, source: RouteObject): HttpRoute {
  const redirect = rule.child('redirect')
  const direct = rule.child('directResponse')
  const delegate = rule.child('delegate')
  const abort = rule.child('fault')?.child('abort') ?? null
  const mirror = rule.child('mirror')
  const percentage = rule.child('mirrorPercentage')?.number('value', 0) ?? rule.number('mirrorPercent', 100)
  const mirrors: Mirror[] = mirror === null ? [] : [{ ...parseDestination(mirror, 0, names), percentage }]
  for (const each of rule.children('mirrors')) {
    const destination = each.child('destination')
    if (destination === null) continue
    mirrors.push({ ...parseDestination(destination, 0, names), percentage: each.child('percentage')?.number('value', 0) ?? 100 })
  }
  return {
    path: rule.path,
    source,
    name: rule.string('name'),
    match: rule.each('match', (match) => parseHttpMatch(match, names)),
    route: rule.each('route', (weighted) => parseWeighted(weighted, names)),
    redirect: redirect === null ? null : { code: redirect.number('redirectCode', 301) },
    directResponse: direct === null ? null : { status: direct.number('status', 0) },
    // Without a percentage none is aborted. `TranslateFault`.
    abort: abort === null ? null : (abort.child('percentage')?.number('value', 0) ?? 0),
    delegate: delegate === null ? null : { namespace: delegate.string('namespace') || names.namespace, name: delegate.string('name') },
    mirrors
  }
}

function parseWeighted(weighted: Fields, names: Names): Destination {
  const destination = weighted.child('destination') ?? new Fields({}, [...weighted.path, 'destination'])
  return parseDestination(destination, weighted.number('weight', 0), names)
}

/** `destination.host` is required by the schema (2.3). */
function parseDestination(destination: Fields, weight: number, names: Names): Destination {
  if (!destination.has('host')) throw new InvalidField([...destination.path, 'host'], 'a string', 'absent')
  const subset = destination.string('subset')
  const port = destination.child('port')?.number('number', 0) ?? 0
  return {
    path: destination.path,
    host: names.host(destination.string('host')),
    subset: subset === '' ? null : subset,
    port: port || null,
    weight
  }
}

function parseHttpMatch(match: Fields, names: Names): HttpMatch {
  return {
    path: match.path,
    uri: parseStringMatch(match.child('uri')),
    ignoreUriCase: match.boolean('ignoreUriCase'),
    scheme: parseStringMatch(match.child('scheme')),
    method: parseStringMatch(match.child('method')),
    authority: parseStringMatch(match.child('authority')),
    headers: parseStringMatches(match.child('headers')),
    withoutHeaders: parseExclusions(match.child('withoutHeaders')),
    queryParams: parseStringMatches(match.child('queryParams')),
    port: match.number('port', 0) || null,
    gateways: match.strings('gateways').map(names.gateway),
    sourceLabels: match.labels('sourceLabels'),
    sourceNamespace: match.string('sourceNamespace')
  }
}

/** `{}` says nothing about a uri or method (5.1), so it is no condition. */
function parseStringMatch(match: Fields | null): StringMatch | null {
  if (match === null) return null
  for (const type of ['exact', 'prefix', 'regex'] as const) if (match.has(type)) return { type, value: match.string(type) }
  return null
}

const NO_MATCHES = Object.fromEntries<StringMatch>([])

/** `{}` as the value of a header or query parameter means that it is present (4.6). */
function parseStringMatches(matches: Fields | null): Readonly<Record<string, StringMatch>> {
  if (matches === null) return NO_MATCHES
  return Object.fromEntries(matches.keys().map((name) => [name, parseStringMatch(matches.child(name)) ?? { type: 'present' }]))
}

/** `*` is no regular expression to Istio, but means that the header is there. `canBeConvertedToPresentMatch`; its webhook takes it here alone. */
function parseExclusions(matches: Fields | null): Readonly<Record<string, StringMatch>> {
  if (matches === null) return NO_MATCHES
  const named = Object.entries(parseStringMatches(matches))
  return Object.fromEntries(
    named.map(([name, match]) => [name, match.type === 'regex' && match.value === '*' ? { type: 'present' } : match])
  )
}

function parseL4Route(rule: Fields, names: Names, source: RouteObject): L4Route {
  return {
    path: rule.path,
    source,
    match: rule.each('match', (match) => parseL4Match(match, names)),
    route: rule.each('route', (weighted) => parseWeighted(weighted, names))
  }
}

function parseL4Match(match: Fields, names: Names): L4Match {
  return {
    path: match.path,
    port: match.number('port', 0) || null,
    sniHosts: match.strings('sniHosts'),
    destinationSubnets: match.strings('destinationSubnets'),
    gateways: match.strings('gateways').map(names.gateway),
    sourceLabels: match.labels('sourceLabels'),
    sourceNamespace: match.string('sourceNamespace')
  }
}

function* refusals(vs: VirtualService): Iterable<string> {
  const isDelegate = vs.hosts.length === 0
  if (isDelegate && vs.gateways.length > 0) yield 'delegate virtual service must have no gateways specified'
  if (isDelegate && vs.tls.length > 0) yield 'delegate virtual service must have no tls route specified'
  if (isDelegate && vs.tcp.length > 0) yield 'delegate virtual service must have no tcp route specified'
  // One that names `mesh` beside its gateways counts as one of the mesh.
  const isOfMesh = vs.gateways.length === 0 || vs.gateways.includes('mesh')
  yield* gatewayNameRefusals(vs.gateways)
  if (isOfMesh) yield* claimRefusals(vs)
  yield* hostRefusals(vs.hosts, isOfMesh)
  if (vs.http.length + vs.tcp.length + vs.tls.length === 0) yield 'http, tcp or tls must be provided in virtual service'
  for (const rule of vs.http) yield* httpRefusals(rule, isDelegate)
  for (const rule of vs.tls) yield* tlsRefusals(rule, vs.hosts)
  for (const rule of vs.tcp) yield* l4Refusals('TCP', rule)
  yield* exportRefusals(vs.exportTo, vs.namespace, false)
}

function* claimRefusals({ http }: VirtualService): Iterable<string> {
  for (const match of http.flatMap((rule) => rule.match)) {
    for (const name of [...Object.keys(match.headers), ...Object.keys(match.withoutHeaders)]) {
      if (isClaim(name)) yield `JWT claim based routing (key: ${name}) is only supported for gateway`
    }
  }
}

function* hostRefusals(hosts: readonly string[], isOfMesh: boolean): Iterable<string> {
  for (const host of hosts) {
    if (!isAddress(host)) yield* wildcardDomainRefusals(host)
    if (isOfMesh && host === '*') yield 'wildcard host * is not allowed for virtual services bound to the mesh gateway'
  }
  for (const [at, host] of hosts.entries()) {
    // Compared as they are written: `reviews` and its full name pass [e28].
    for (const other of hosts.slice(at + 1)) if (hostsOverlap(host, other)) yield `duplicate hosts in virtual service: ${host} & ${other}`
  }
}

function* httpRefusals(rule: HttpRoute, isDelegate: boolean): Iterable<string> {
  const { route, redirect, directResponse, delegate } = rule
  if (!isDelegate && delegate !== null) {
    if (redirect !== null) yield `root HTTP route ${rule.name} must not specify redirect`
    if (route.length > 0) yield `root HTTP route ${rule.name} must not specify route`
  } else {
    if (isDelegate && delegate !== null) yield 'delegate HTTP route cannot contain delegate'
    if (redirect !== null && route.length > 0) yield 'HTTP route cannot contain both route and redirect'
    if (redirect !== null && directResponse !== null) yield 'HTTP route rule cannot contain both direct_response and redirect'
    if (directResponse !== null && route.length > 0) yield 'HTTP route cannot contain both route and direct_response'
    if (redirect === null && directResponse === null && route.length === 0) yield 'HTTP route, redirect or direct_response is required'
  }
  for (const match of rule.match) yield* matchRefusals(match)
  for (const mirror of rule.mirrors) {
    yield* destinationRefusals(mirror)
    if (mirror.percentage > 100) yield 'mirror percentage must have a max value of 100'
    if (mirror.percentage < 0) yield 'mirror percentage must have a min value of 0'
  }
  if (redirect !== null && redirect.code !== 0 && (redirect.code < 300 || redirect.code > 399)) {
    yield `${redirect.code} is not a valid redirect code, must be 3xx`
  }
  yield* destinationsRefusals(route)
}

function* matchRefusals(match: HttpMatch): Iterable<string> {
  for (const [name, value] of Object.entries(match.headers)) {
    yield* headerNameRefusals(name)
    yield* stringRefusals(value, 'headers')
  }
  for (const [name, value] of Object.entries(match.withoutHeaders)) {
    yield* headerNameRefusals(name)
    yield* stringRefusals(value, 'withoutHeaders')
  }
  if (match.uri?.type === 'regex') yield* stringRefusals(match.uri, 'uri') // an empty prefix is right for a path
  for (const where of ['scheme', 'method', 'authority'] as const) yield* stringRefusals(match[where], where)
  for (const value of Object.values(match.queryParams)) yield* stringRefusals(value, 'queryParams')
  yield* portRefusals(match.port)
  yield* gatewayNameRefusals(match.gateways)
  if (match.sourceNamespace !== '' && !isLabel(match.sourceNamespace)) yield `sourceNamespace match ${match.sourceNamespace} is invalid`
}

function* stringRefusals(match: StringMatch | null, where: string): Iterable<string> {
  if (match === null || match.type === 'present' || match.type === 'exact') return
  if (match.value === '') yield `"${where}": ${match.type} string match should not be empty`
  else if (match.type === 'regex' && !isRe2(match.value)) yield `"${where}": not an RE2 regular expression: ${match.value}`
}

function* headerNameRefusals(name: string): Iterable<string> {
  if (name === '') yield 'header name cannot be empty'
  else if (!isClaim(name) && !/^:(method|scheme|authority|path)$|^[-_A-Za-z0-9]+$/.test(name)) {
    yield `header name ${name} is not a valid header name`
  }
}

function* destinationsRefusals(destinations: readonly Destination[]): Iterable<string> {
  for (const destination of destinations) {
    yield* destinationRefusals(destination)
    if (destination.weight < 0) yield `weight ${destination.weight} < 0`
  }
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0)
  if (destinations.length > 1 && total === 0) yield 'total destination weight = 0'
}

function* destinationRefusals({ host, subset, port }: Destination): Iterable<string> {
  if (host === '*') yield 'invalid destination host *'
  yield* wildcardDomainRefusals(host)
  if (subset !== null && !isLabel(subset)) yield `subset name is invalid: ${subset}`
  yield* portRefusals(port)
}

function* tlsRefusals(rule: L4Route, hosts: readonly string[]): Iterable<string> {
  if (rule.match.length === 0) yield 'TLS route must have at least one match condition'
  for (const { sniHosts } of rule.match) {
    if (sniHosts.length === 0) yield 'TLS match must have at least one SNI host'
    for (const name of sniHosts) {
      if (isAddress(name)) continue
      yield* wildcardDomainRefusals(name)
      if (!hosts.some((host) => hostCovers(host, name)))
        yield `SNI host "${name}" is not a compatible subset of any of the virtual service hosts`
    }
  }
  yield* l4Refusals('TLS', rule)
}

function* l4Refusals(protocol: string, { match, route }: L4Route): Iterable<string> {
  for (const each of match) yield* l4MatchRefusals(each)
  if (route.length === 0) yield `${protocol} route is required`
  yield* destinationsRefusals(route)
}

function* l4MatchRefusals({ port, gateways }: L4Match): Iterable<string> {
  yield* portRefusals(port)
  yield* gatewayNameRefusals(gateways)
}

/** `@request.auth.claims.group`, in one of its two spellings. */
function isClaim(name: string): boolean {
  return /^@request\.auth\.claims[.[]/i.test(name)
}
