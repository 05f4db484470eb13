/** What Istio's own webhook refuses (2.4), as far as it matters to routes. pkg/config/validation/validation.go, virtualservice.go. */
import { hostCovers, hostsOverlap } from '../mesh/names/hosts.ts'
import { isRe2 } from '../mesh/names/regex.ts'
import type {
  Destination,
  DestinationRule,
  Gateway,
  HttpMatch,
  HttpRoute,
  L4Match,
  L4Route,
  MeshObject,
  ServiceEntry,
  StringMatch,
  VirtualService
} from '../mesh/snapshot/objects.ts'

/** Why Istio's webhook would refuse the object, or null. It sees one object at a time: nothing here asks for another (2.7). */
export function rejects(object: MeshObject): string | null {
  const [reason] = reasons(object)
  return reason ?? null
}

function* reasons(object: MeshObject): Iterable<string> {
  switch (object.kind) {
    case 'VirtualService':
      yield* ofVirtualService(object)
      break
    case 'DestinationRule':
      yield* ofDestinationRule(object)
      break
    case 'Gateway':
      yield* ofGateway(object)
      break
    case 'ServiceEntry':
      yield* ofServiceEntry(object)
      break
    default:
  }
}

function* ofVirtualService(vs: VirtualService): Iterable<string> {
  const isDelegate = vs.hosts.length === 0
  if (isDelegate && vs.gateways.length > 0) yield 'delegate virtual service must have no gateways specified'
  if (isDelegate && vs.tls.length > 0) yield 'delegate virtual service must have no tls route specified'
  if (isDelegate && vs.tcp.length > 0) yield 'delegate virtual service must have no tcp route specified'
  // One that names `mesh` beside its gateways counts as one of the mesh.
  const isOfMesh = vs.gateways.length === 0 || vs.gateways.includes('mesh')
  yield* ofGatewayNames(vs.gateways)
  if (isOfMesh) yield* ofClaims(vs)
  yield* ofHosts(vs.hosts, isOfMesh)
  if (vs.http.length + vs.tcp.length + vs.tls.length === 0) yield 'http, tcp or tls must be provided in virtual service'
  for (const rule of vs.http) yield* ofHttpRoute(rule, isDelegate)
  for (const rule of vs.tls) yield* ofTlsRoute(rule, vs.hosts)
  for (const rule of vs.tcp) yield* ofL4Route('TCP', rule)
  yield* ofExportTo(vs.exportTo, vs.namespace, false)
}

function* ofClaims({ http }: VirtualService): Iterable<string> {
  for (const match of http.flatMap((rule) => rule.match)) {
    for (const name of [...Object.keys(match.headers), ...Object.keys(match.withoutHeaders)]) {
      if (isClaim(name)) yield `JWT claim based routing (key: ${name}) is only supported for gateway`
    }
  }
}

function* ofHosts(hosts: readonly string[], isOfMesh: boolean): Iterable<string> {
  for (const host of hosts) {
    if (!isAddress(host)) yield* ofWildcardDomain(host)
    if (isOfMesh && host === '*') yield 'wildcard host * is not allowed for virtual services bound to the mesh gateway'
  }
  for (const [at, host] of hosts.entries()) {
    // Compared as they are written: `reviews` and its full name pass [e28].
    for (const other of hosts.slice(at + 1)) if (hostsOverlap(host, other)) yield `duplicate hosts in virtual service: ${host} & ${other}`
  }
}

function* ofHttpRoute(rule: HttpRoute, isDelegate: boolean): Iterable<string> {
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
  for (const match of rule.match) yield* ofHttpMatch(match)
  for (const mirror of rule.mirrors) {
    yield* ofDestination(mirror)
    if (mirror.percentage > 100) yield 'mirror percentage must have a max value of 100'
    if (mirror.percentage < 0) yield 'mirror percentage must have a min value of 0'
  }
  if (redirect !== null && redirect.code !== 0 && (redirect.code < 300 || redirect.code > 399)) {
    yield `${redirect.code} is not a valid redirect code, must be 3xx`
  }
  yield* ofDestinations(route)
}

function* ofHttpMatch(match: HttpMatch): Iterable<string> {
  for (const [name, value] of Object.entries(match.headers)) {
    yield* ofHeaderName(name)
    yield* ofStringMatch(value, 'headers')
  }
  for (const [name, value] of Object.entries(match.withoutHeaders)) {
    yield* ofHeaderName(name)
    // `*` is no RE2, but stands for "is present" here.
    if (value.type !== 'regex' || value.value !== '*') yield* ofStringMatch(value, 'withoutHeaders')
  }
  if (match.uri?.type === 'regex') yield* ofStringMatch(match.uri, 'uri') // an empty prefix is right for a path
  for (const where of ['scheme', 'method', 'authority'] as const) yield* ofStringMatch(match[where], where)
  for (const value of Object.values(match.queryParams)) yield* ofStringMatch(value, 'queryParams')
  yield* ofPort(match.port)
  yield* ofGatewayNames(match.gateways)
  if (match.sourceNamespace !== '' && !isLabel(match.sourceNamespace)) yield `sourceNamespace match ${match.sourceNamespace} is invalid`
}

function* ofStringMatch(match: StringMatch | null, where: string): Iterable<string> {
  if (match === null || match.type === 'present' || match.type === 'exact') return
  if (match.value === '') yield `"${where}": ${match.type} string match should not be empty`
  else if (match.type === 'regex' && !isRe2(match.value)) yield `"${where}": not an RE2 regular expression: ${match.value}`
}

function* ofHeaderName(name: string): Iterable<string> {
  if (name === '') yield 'header name cannot be empty'
  else if (!isClaim(name) && !/^:(method|scheme|authority|path)$|^[-_A-Za-z0-9]+$/.test(name)) {
    yield `header name ${name} is not a valid header name`
  }
}

function* ofDestinations(destinations: readonly Destination[]): Iterable<string> {
  for (const destination of destinations) {
    yield* ofDestination(destination)
    if (destination.weight < 0) yield `weight ${destination.weight} < 0`
  }
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0)
  if (destinations.length > 1 && total === 0) yield 'total destination weight = 0'
}

function* ofDestination({ host, subset, port }: Destination): Iterable<string> {
  if (host === '*') yield 'invalid destination host *'
  yield* ofWildcardDomain(host)
  if (subset !== null && !isLabel(subset)) yield `subset name is invalid: ${subset}`
  yield* ofPort(port)
}

function* ofTlsRoute(rule: L4Route, hosts: readonly string[]): Iterable<string> {
  if (rule.match.length === 0) yield 'TLS route must have at least one match condition'
  for (const { sniHosts } of rule.match) {
    if (sniHosts.length === 0) yield 'TLS match must have at least one SNI host'
    for (const name of sniHosts) {
      if (isAddress(name)) continue
      yield* ofWildcardDomain(name)
      if (!hosts.some((host) => hostCovers(host, name)))
        yield `SNI host "${name}" is not a compatible subset of any of the virtual service hosts`
    }
  }
  yield* ofL4Route('TLS', rule)
}

function* ofL4Route(protocol: string, { match, route }: L4Route): Iterable<string> {
  for (const each of match) yield* ofL4Match(each)
  if (route.length === 0) yield `${protocol} route is required`
  yield* ofDestinations(route)
}

function* ofL4Match({ port, gateways }: L4Match): Iterable<string> {
  yield* ofPort(port)
  yield* ofGatewayNames(gateways)
}

function* ofDestinationRule(rule: DestinationRule): Iterable<string> {
  yield* ofWildcardDomain(rule.host)
  const known = new Set<string>()
  for (const { name } of rule.subsets) {
    if (known.has(name)) yield `duplicate subset names: ${name}`
    known.add(name)
    if (name === '') yield 'subset name cannot be empty'
    else if (!isLabel(name)) yield `subset name is invalid: ${name}`
  }
  yield* ofExportTo(rule.exportTo, rule.namespace, false)
  const beyond = rule.exportTo.some((name) => name !== '.' && name !== rule.namespace)
  if (rule.workloadSelector !== null && beyond)
    yield 'destination rule with workload selector cannot have exportTo beyond current namespace'
}

function* ofGateway({ name, servers }: Gateway): Iterable<string> {
  if (!isLabel(name)) yield `invalid gateway name: "${name}"`
  if (servers.length === 0) yield 'gateway must have at least one server'
  const names = new Set<string>()
  for (const { portName } of servers) {
    if (names.has(portName)) yield `port names in servers must be unique: duplicate name ${portName}`
    names.add(portName)
  }
}

function* ofServiceEntry(entry: ServiceEntry): Iterable<string> {
  if (entry.workloadSelector !== null && entry.endpoints.length > 0)
    yield 'only one of WorkloadSelector or Endpoints is allowed in Service Entry'
  if (entry.hosts.length === 0) yield 'service entry must have at least one host'
  for (const host of entry.hosts) {
    if (host === '*') yield 'invalid host *'
    yield* ofWildcardDomain(host)
  }
  const [names, numbers] = [entry.ports.map(({ name }) => name), entry.ports.map(({ number }) => number)]
  if (new Set(names).size < names.length) yield 'service entry port name already defined'
  if (new Set(numbers).size < numbers.length) yield 'service entry port already defined'
  yield* ofExportTo(entry.exportTo, entry.namespace, true)
}

/** `~`, to nobody, is for ServiceEntries alone. */
function* ofExportTo(exportTo: readonly string[], own: string, isServiceEntry: boolean): Iterable<string> {
  const known = new Set<string>()
  for (const written of exportTo) {
    const name = written === '.' ? own : written
    if (known.has(name)) yield `duplicate entries in exportTo for entry ${name}`
    known.add(name)
    if (name === '~') {
      if (!isServiceEntry) yield 'exportTo ~ (none) is not allowed for Istio configuration objects'
    } else if (name !== '*' && !isLabel(name)) yield 'only .,*, or a valid DNS 1123 label is allowed as exportTo entry'
  }
  if (known.has('*') && exportTo.length > 1) yield 'cannot have both public (*) and non-public exportTo values for a resource'
  if (known.has('~') && exportTo.length > 1) yield 'cannot export service entry to no one (~) and someone'
}

function* ofGatewayNames(gateways: readonly string[]): Iterable<string> {
  for (const written of gateways) {
    const [namespace = '', name, ...rest] = written.split('/')
    if (name === undefined) yield* ofDomain(written)
    else if (rest.length > 0 || !isLabel(name)) yield `invalid value for gateway name: "${written}"`
    else if (namespace !== '.' && !isLabel(namespace)) yield `invalid value for namespace: "${namespace}"`
  }
}

function* ofPort(port: number | null): Iterable<string> {
  if (port !== null && (port < 1 || port > 65535)) yield `port number ${port} must be in the range 1..65535`
}

/** `*` stands for the first label, or the start of it. */
function* ofWildcardDomain(domain: string): Iterable<string> {
  const [first = '', ...rest] = domain.split('.')
  if (domain === '') yield 'empty domain name not allowed'
  else if (first !== '*' && !isLabel(first.replace(/^\*-?/, ''))) yield `domain name "${domain}" invalid (label "${first}" invalid)`
  else if (rest.length > 0) yield* ofDomain(rest.join('.'))
}

/** A dot may stand at the end [e32]; the last label is no number, so that an address is no domain [g29]. */
function* ofDomain(domain: string): Iterable<string> {
  const labels = (domain.endsWith('.') ? domain.slice(0, -1) : domain).split('.')
  const last = labels.at(-1) ?? ''
  if (domain === '') yield 'empty domain name not allowed'
  else if (domain.length > 255) yield `domain name "${domain}" too long (max 255)`
  else if (/^\d+$/.test(last)) yield `domain name "${domain}" invalid (top level domain "${last}" cannot be all-numeric)`
  for (const label of labels) if (!isLabel(label)) yield `domain name "${domain}" invalid (label "${label}" invalid)`
}

/** Istio's DNS labels may have capitals. pkg/config/labels/instance.go. */
function isLabel(text: string): boolean {
  return text.length <= 63 && /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/.test(text)
}

/** `@request.auth.claims.group`, in one of its two spellings. */
function isClaim(name: string): boolean {
  return /^@request\.auth\.claims[.[]/i.test(name)
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) || (text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text))
}
