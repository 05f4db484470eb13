/** Route tables as Istio generates them: for clients on the mesh, and for gateways. */
import { coversEverything } from './classes.ts'
import { rulesOf } from './delegates.ts'
import { carried, type PortRule, routed } from './destinations.ts'
import { hostCovers, isWildcard, resolveHost, resolveVirtualServiceHost, wildcardsOver } from './hosts.ts'
import { selects } from './labels.ts'
import { applies, entriesAt, isIstioCatchAll, type Place } from './matches.ts'
import type { Gateway, GatewayServer, HttpRoute, L4Route, VirtualService } from './objects.ts'
import { type MeshService, visibleService } from './services.ts'
import { boundGateways, type Snapshot } from './snapshot.ts'
import { type Chain, type Context, EVERY_REQUEST, type Route, type RouteTable } from './table.ts'
import { inOrderFor } from './visibility.ts'

/**
 * All tables of one host for one context, one for each port. On the mesh `host` is the full name of a service, or another name that a
 * VirtualService has; a service that no VirtualService took has Istio's default route. At a gateway it is a name of a server or
 * VirtualService. A host that the context does not know has none.
 */
export function routeTables(snapshot: Snapshot, context: Context, host: string): RouteTable[] {
  return context.kind === 'mesh' ? meshTables(snapshot, context, host) : gatewayTables(snapshot, context, host)
}

function meshTables(snapshot: Snapshot, context: Context, host: string): RouteTable[] {
  const service = visibleService(snapshot, context, host)
  if (service !== null) {
    const http = service.ports.filter((port) => port.http)
    return http.map(({ number }) => meshTable(snapshot, context, host, number) ?? defaultTable(snapshot, context, service, number))
  }
  return foreignPorts(snapshot, context, host).flatMap((port) => meshTable(snapshot, context, host, port) ?? [])
}

/** Exactly one VirtualService: the first that yields a route for this client and port; none merged (3.4). */
function meshTable(snapshot: Snapshot, context: Context, host: string, port: number): RouteTable | null {
  const place: Place = { context, port, gateways: ['mesh'] }
  for (const vs of meshCandidates(snapshot, context, host)) {
    const routes = untilCatchAll(routesOf(snapshot, vs, place, 'listener'))
    if (routes.length > 0) return toTable(host, port, [vs], routes)
  }
  return null
}

/** The VirtualServices with the most specific name for the host (3.5), in order of precedence (3.3). */
function meshCandidates(snapshot: Snapshot, context: Context, host: string): VirtualService[] {
  for (const name of [host, ...wildcardsOver(host)]) {
    const named = [...snapshot.lookup('virtualServiceByHost', name)].filter((vs) => boundGateways(vs).includes('mesh'))
    const visible = inOrderFor(context.namespace, named)
    if (visible.length > 0) return visible
  }
  return []
}

/** Where a host that is no service is listened on: port 80, or the ports of the services that its VirtualService names too (3.6). */
function foreignPorts(snapshot: Snapshot, context: Context, host: string): number[] {
  const named = [...snapshot.lookup('virtualServiceByHost', host)].filter((vs) => boundGateways(vs).includes('mesh'))
  const siblings = named.flatMap((vs) =>
    vs.hosts.flatMap(
      (other) => visibleService(snapshot, context, resolveVirtualServiceHost(other, vs.namespace, snapshot.settings.domain)) ?? []
    )
  )
  const ports = siblings.flatMap((service) => service.ports.filter(({ http }) => http).map(({ number }) => number))
  return named.length === 0 ? [] : [...new Set(ports.length > 0 ? ports : [80])]
}

function defaultTable(snapshot: Snapshot, context: Context, service: MeshService, port: number): RouteTable {
  const destination = { host: service.host, subset: null, port, weight: 0, path: [] }
  const route: Route = {
    virtualService: null,
    path: [],
    condition: EVERY_REQUEST,
    matchesAll: true,
    action: 'route',
    destinations: [routed(snapshot, context, port, destination, 1, 'listener')],
    mirrors: []
  }
  return { host: service.host, port, virtualServices: [], catchAll: true, routes: [route] }
}

/** Gateways whose servers' hosts the VirtualServices share are concatenated, and Istio's catch-alls come last (6.3). */
function gatewayTables(snapshot: Snapshot, context: Context, host: string): RouteTable[] {
  const servers = gatewaysOf(snapshot, context).flatMap((gateway) =>
    gateway.servers.filter(isHttpServer).map((server) => ({ gateway, server }))
  )
  const byPort = Map.groupBy(servers, ({ server }) => server.port)
  return [...byPort].flatMap(([port, group]) => {
    const bound = new Map<VirtualService, string[]>()
    for (const { gateway, server } of group) {
      for (const vs of boundTo(snapshot, gateway, server, host)) {
        bound.set(vs, [...(bound.get(vs) ?? []), `${gateway.namespace}/${gateway.name}`])
      }
    }
    const found = inOrderFor(context.namespace, bound.keys())
      .map((vs) => ({ vs, routes: untilCatchAll(routesOf(snapshot, vs, { context, port, gateways: bound.get(vs) ?? [] }, 'single-port')) }))
      .filter(({ routes }) => routes.length > 0)
    const routes = found.flatMap((each) => each.routes)
    const last = routes.filter(({ condition }) => isIstioCatchAll(condition))
    const ordered = [...routes.filter((route) => !last.includes(route)), ...last]
    const users = found.map(({ vs }) => vs)
    return ordered.length === 0 ? [] : [toTable(host, port, users, ordered)]
  })
}

/** Every Gateway, of any namespace, whose selector the proxy's labels meet (6.1). */
function gatewaysOf(snapshot: Snapshot, { labels }: Context): Gateway[] {
  const keys = Object.entries(labels).map(([key, value]) => `/${key}=${value}`)
  const selected = keys.flatMap((key) => [...snapshot.lookup('gatewayBySelector', key)])
  return selected.filter(({ selector }) => selects(selector, labels))
}

/** VirtualServices of a Gateway that have the virtual host `host` at one of its servers: the narrower of the two names (6.2). */
function boundTo(snapshot: Snapshot, gateway: Gateway, server: GatewayServer, host: string): VirtualService[] {
  const { domain } = snapshot.settings
  const named = [host, ...wildcardsOver(host)].flatMap((name) => [...snapshot.lookup('virtualServiceByHost', name)])
  const bound = [...new Set(named)].filter((vs) => boundGateways(vs).includes(`${gateway.namespace}/${gateway.name}`))
  return bound.filter((vs) =>
    vs.hosts.some((written) => {
      const own = resolveVirtualServiceHost(written, vs.namespace, domain)
      return server.hosts.some((each) => allows(each, vs.namespace, gateway.namespace) && narrower(bareHost(each), own) === host)
    })
  )
}

/** `ns/host` takes only the VirtualServices of that namespace, `./host` those of the Gateway's own. */
function allows(serverHost: string, namespace: string, own: string): boolean {
  if (!serverHost.includes('/')) return true
  const [from] = serverHost.split('/')
  return from === '*' || from === namespace || (from === '.' && own === namespace)
}

function bareHost(serverHost: string): string {
  return serverHost.slice(serverHost.indexOf('/') + 1).toLowerCase()
}

function narrower(server: string, own: string): string | null {
  if (hostCovers(server, own)) return own
  return hostCovers(own, server) ? server : null
}

function isHttpServer({ protocol, tlsMode }: GatewayServer): boolean {
  if (protocol === 'HTTPS') return tlsMode !== 'PASSTHROUGH' && tlsMode !== 'AUTO_PASSTHROUGH'
  return protocol === 'HTTP' || protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-WEB'
}

function routesOf(snapshot: Snapshot, vs: VirtualService, place: Place, portRule: PortRule): Route[] {
  return rulesOf(snapshot, vs).flatMap(({ rule, root, owner }) => {
    const entries = entriesAt(rule.match, rule.path, place, vs.namespace)
    if (entries.length === 0) return []
    const destinations = carried(snapshot, place.context, place.port, rule.route, portRule)
    const mirrors = rule.mirrors
      .filter(({ percentage }) => percentage > 0)
      .map((mirror) => routed(snapshot, place.context, place.port, mirror, mirror.percentage / 100, portRule))
    const virtualService = owner === vs ? root : `${owner.namespace}/${owner.name}`
    return entries.map(({ condition, path }) => ({
      virtualService,
      path: rule.match.length > 0 ? path : rule.path,
      condition,
      matchesAll: coversEverything(condition),
      action: actionOf(rule),
      destinations: rule.redirect === null && !rule.directResponse ? destinations : [],
      mirrors
    }))
  })
}

/** A redirect with another 3xx code gives a route without action (4.9). `ApplyRedirect`. */
function actionOf({ redirect, directResponse }: HttpRoute): Route['action'] {
  if (redirect !== null) return [0, 301, 302, 303, 307, 308].includes(redirect.code) ? 'redirect' : 'none'
  return directResponse ? 'direct' : 'route'
}

/** Rules behind a catch-all that Istio knows are not generated (4.7). */
function untilCatchAll(routes: readonly Route[]): Route[] {
  const end = routes.findIndex(({ condition }) => isIstioCatchAll(condition))
  return end === -1 ? [...routes] : routes.slice(0, end + 1)
}

function toTable(host: string, port: number, users: readonly VirtualService[], routes: readonly Route[]): RouteTable {
  const virtualServices = users.map(({ namespace, name }) => `${namespace}/${name}`)
  return { host, port, virtualServices, catchAll: routes.some(({ matchesAll }) => matchesAll), routes }
}

/** TCP and TLS rules of a host's VirtualService for a mesh client: one chain for each match that stands for it (12). */
export function chains(snapshot: Snapshot, context: Context, host: string): Chain[] {
  if (context.kind === 'gateway') return []
  const service = visibleService(snapshot, context, host)
  if (service === null) return []
  const [vs] = meshCandidates(snapshot, context, host).filter(({ tcp, tls }) => tcp.length + tls.length > 0)
  if (vs === undefined) return []
  return service.ports
    .filter(({ http }) => !http)
    .flatMap(({ number: port }) => {
      const place: Place = { context, port, gateways: ['mesh'] }
      return [...vs.tls, ...vs.tcp].flatMap((rule) => chainsOf(snapshot, vs, rule, place, host))
    })
}

function chainsOf(snapshot: Snapshot, vs: VirtualService, rule: L4Route, place: Place, host: string): Chain[] {
  const { domain } = snapshot.settings
  const matches = rule.match.filter((match) => applies(match, place, vs.namespace))
  if (rule.match.length > 0 && matches.length === 0) return []
  const route = rule.route.map((destination) => ({ ...destination, host: resolveHost(destination.host, vs.namespace, domain) }))
  const destinations = carried(snapshot, place.context, place.port, route, 'single-port')
  const serverNames = matches.map(({ sniHosts }) => sniHosts)
  return (serverNames.length === 0 ? [[]] : serverNames).map((names) => ({
    host,
    port: place.port,
    serverNames: names,
    virtualService: `${vs.namespace}/${vs.name}`,
    path: rule.path,
    destinations
  }))
}

/** Every host for which a VirtualService of the snapshot can make a table in the context. */
export function hostsOf(snapshot: Snapshot, context: Context): string[] {
  const { domain } = snapshot.settings
  const hosts = new Set<string>()
  if (context.kind === 'gateway') {
    for (const gateway of gatewaysOf(snapshot, context)) {
      const bound = [...snapshot.lookup('virtualServiceByGateway', `${gateway.namespace}/${gateway.name}`)]
      const own = bound.flatMap((vs) => vs.hosts.map((host) => resolveVirtualServiceHost(host, vs.namespace, domain)))
      for (const server of gateway.servers.flatMap((each) => each.hosts)) {
        for (const host of own) hosts.add(narrower(bareHost(server), host) ?? host)
      }
    }
    return [...hosts].sort()
  }
  for (const vs of snapshot.lookup('virtualServiceByGateway', 'mesh')) {
    for (const written of vs.hosts) {
      const host = resolveVirtualServiceHost(written, vs.namespace, domain)
      hosts.add(host)
      if (isWildcard(host)) for (const name of serviceHosts(snapshot)) if (hostCovers(host, name)) hosts.add(name)
    }
  }
  return [...hosts].sort()
}

function serviceHosts(snapshot: Snapshot): string[] {
  const services = [...snapshot.all('Service')].map(({ namespace, name }) => `${name}.${namespace}.svc.${snapshot.settings.domain}`)
  return [...services, ...[...snapshot.all('ServiceEntry')].flatMap(({ hosts }) => hosts)]
}
