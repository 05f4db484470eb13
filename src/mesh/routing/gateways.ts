/** Route tables of gateway proxies (6): the Gateways that a proxy uses, their servers, and what is bound to them. */

import type { Gateway, GatewayServer } from '../../kinds/gateway.ts'
import type { VirtualService } from '../../kinds/virtual-service.ts'
import { hostCovers, isWildcard, wildcardsOver } from '../names/hosts.ts'
import { type Labels, labelKeys, selects } from '../names/labels.ts'
import { own } from '../names/own.ts'
import { parseProtocol } from '../names/ports.ts'
import { byAge, inOrderFor } from '../names/visibility.ts'
import { Recent } from '../snapshot/recent.ts'
import { isEmpty, type Snapshot } from '../snapshot/snapshot.ts'
import { Clusters } from './destinations.ts'
import { isIstioCatchAll } from './matches.ts'
import { type Made, routesOf } from './rule-routes.ts'
import { oncePerClient, oncePerScope, registeredService, type Scope, serviceInScope } from './scope.ts'
import { isVisible, type MeshService } from './services.ts'
import { contextKey, type Route, type RouteTable } from './table.ts'
import { toTable } from './tables.ts'
import { HOSTS_A_STEP, hostsOfVirtualService } from './virtual-services.ts'

/** Istio labels the Pods with it that it deploys for a Gateway of the Gateway API. */
export const MANAGED = 'gateway.istio.io/managed'

/** A server of a Gateway. */
export interface Server extends GatewayServer {
  /** `namespace/name` of its Gateway. */
  readonly gateway: string
  readonly transport: 'http' | 'tcp' | 'passthrough'
}

/** Servers that share one listener and one set of virtual hosts: plain HTTP of one port, or one HTTPS server. */
export interface RouteGroup {
  readonly port: number
  readonly servers: Server[]
}

/** The tables of one virtual host: one for each port on which a server has it (6.2, 6.3). `buildGatewayHTTPRouteConfig`. */
export function gatewayTables(scope: Scope, host: string): RouteTable[] {
  const named = virtualServicesTouching(scope, host)
  if (named.length === 0) return []
  return groupsOf(scope).flatMap((group) => gatewayTable(scope, group, host) ?? [])
}

const gatewayTable = oncePerScope((scope, { port, servers }: RouteGroup, host: string): RouteTable | null => {
  const lists: (readonly Route[])[] = []
  const found: VirtualService[] = []
  for (const server of servers) {
    for (const { vs, made } of mergedAt(scope, server, host)) {
      if (made === null || made.routes.length === 0) continue
      lists.push(made.routes)
      found.push(vs)
    }
  }
  const [only, ...others] = lists
  // A host without any route has no virtual host: there is no default to return to (6.5).
  if (only === undefined) return null
  // Those of one object end with its first catch-all, and are one list for all its hosts.
  const routes = others.length === 0 ? only : catchAllsLast(lists)
  return toTable(host, port, servers.length === 1 ? found : [...new Set(found)], routes, namesOfServers(servers))
})

/** What an object for a host makes of one name at a server. */
interface Part {
  readonly vs: VirtualService
  /** All names that it shares with the server. */
  readonly names: ReadonlySet<string>
  /** null where it makes no such virtual host. */
  readonly made: Made | null
}

/** Up to so many VirtualServices of one host are made anew each time: to keep what they make would cost more. */
const FEW = 8
/** Hosts of one server whose parts are kept. */
const MOST_HOSTS_KEPT = 16
const MOST_PARTS_KEPT = 20_000
/** Kept parts taken over in one step of work. */
const KEPT_A_STEP = 8

/** By the hosts of a server, as its Gateway has them; and then by who asks for which host. */
const keptParts = new Recent<readonly string[], Map<string, readonly Part[]>>(MOST_PARTS_KEPT, (byHost) =>
  [...byHost.values()].reduce((sum, { length }) => sum + length, 1)
)

/** Of each object for the host, in order. Where many share it, what others than a changed one make is taken over from the last time, if it rests on the same. */
const mergedAt = oncePerScope((scope, server: Server, host: string): readonly Part[] => {
  const named = virtualServicesTouching(scope, host)
  if (named.length <= FEW) return merge(scope, server, host, named, [])
  const key = `${host} ${server.port} ${server.gateway} ${contextKey(scope.context)}`
  const byHost = keptParts.get(server.hosts) ?? new Map<string, readonly Part[]>()
  const parts = merge(scope, server, host, named, byHost.get(key) ?? [])
  byHost.delete(key)
  byHost.set(key, parts)
  const [oldest] = byHost.keys()
  if (byHost.size > MOST_HOSTS_KEPT && oldest !== undefined) byHost.delete(oldest)
  keptParts.set(server.hosts, byHost)
  return parts
})

/** `known` has most of them in the same order; one that it has elsewhere is made anew. */
function merge(scope: Scope, server: Server, host: string, named: readonly VirtualService[], known: readonly Part[]): readonly Part[] {
  scope.snapshot.charge(named.length / KEPT_A_STEP)
  let at = 0
  return named.map((vs) => {
    if (known[at]?.vs !== vs && known[at + 1]?.vs === vs) at++
    const part = known[at]
    if (part?.vs !== vs) return toPart(scope, server, host, vs)
    at++
    return part.made === null || rests(scope, server, vs, part.made) ? part : toPart(scope, server, host, vs)
  })
}

function toPart(scope: Scope, server: Server, host: string, vs: VirtualService): Part {
  scope.snapshot.charge(vs.gateways.length)
  const names = virtualHosts(scope, server, vs)
  return { vs, names, made: vs.gateways.includes(server.gateway) && names.has(host) ? gatewayRoutes(scope, server, vs) : null }
}

/** It delegates to nobody, and what it sends to is as it was. */
function rests(scope: Scope, { port }: Server, { namespace }: VirtualService, { delegates, clusters }: Made): boolean {
  return delegates.length === 0 && clustersAtGateway(scope, port, namespace).areStill(clusters)
}

/** Whose catch-all it is does not matter (6.3). `SortVHostRoutes`. */
function catchAllsLast(lists: readonly (readonly Route[])[]): Route[] {
  const routes: Route[] = []
  const last: Route[] = []
  for (const list of lists) for (const route of list) (route.matchesAll && isIstioCatchAll(route.condition) ? last : routes).push(route)
  for (const route of last) routes.push(route)
  return routes
}

/** What a group of servers does with plain HTTP for a host: its virtual host, and whether that sends every request to HTTPS (6.6). */
export interface VirtualHost {
  /** null where the virtual host exists for its redirect alone. */
  readonly table: RouteTable | null
  readonly redirects: boolean
}

/** The virtual host of a group that Envoy chooses for a host: its own name, else the longest wildcard over it; null where there is none. */
export const virtualHostOf = oncePerScope((scope, group: RouteGroup, host: string): VirtualHost | null => {
  const named = virtualServicesTouching(scope, host)
  const names = new Set<string>()
  for (const server of group.servers) {
    for (const part of mergedAt(scope, server, host)) {
      const isNamed = part.names.has(host)
      if (isNamed) names.add(host)
      if (part.names.size > (isNamed ? 1 : 0)) for (const name of wildcardsAmong(part.names)) names.add(name)
    }
  }
  // Such a server redirects its own hosts too, as they are written. `buildGatewayHTTPRouteConfig`.
  const redirecting = group.servers.filter(({ httpsRedirect }) => httpsRedirect)
  for (const { hosts } of redirecting) {
    scope.snapshot.charge(hosts.length / HOSTS_A_STEP)
    for (const written of hosts) names.add(written.toLowerCase())
  }
  for (const name of bySpecificity([...names].filter((each) => hostCovers(each, host)))) {
    const table = gatewayTable(scope, group, name)
    const redirects = redirecting.some((server) => isRedirected(scope, server, named, name))
    if (table !== null || redirects) return { table, redirects }
  }
  return null
})

const wildcards = new WeakMap<ReadonlySet<string>, readonly string[]>()

/** Those virtual hosts that may have another's requests too. */
function wildcardsAmong(shared: ReadonlySet<string>): readonly string[] {
  const known = wildcards.get(shared) ?? [...shared].filter(isWildcard)
  wildcards.set(shared, known)
  return known
}

function isRedirected(scope: Scope, server: Server, named: readonly VirtualService[], host: string): boolean {
  if (server.hosts.some((written) => written.toLowerCase() === host)) return true
  const bound = named.filter((vs) => vs.gateways.includes(server.gateway) && virtualHosts(scope, server, vs).has(host))
  return bound.some((vs) => gatewayRoutes(scope, server, vs).routes.length > 0)
}

/** The own name before wildcards, longer ones before shorter. */
export function bySpecificity(hosts: readonly string[]): string[] {
  return [...hosts].sort((one, other) => Number(isWildcard(one)) - Number(isWildcard(other)) || other.length - one.length)
}

/** `namespace/name` of every Gateway that the proxy uses, of either API. */
export function gatewayNames(scope: Scope): string[] {
  return [...new Set(gatewaysOf(scope).map(({ namespace, name, madeOf }) => madeOf?.parent ?? `${namespace}/${name}`))]
}

/** Every virtual host that a VirtualService can have at a server of the proxy. */
export function gatewayHosts(scope: Scope): string[] {
  const hosts = new Set<string>()
  for (const server of serversOf(scope)) {
    for (const vs of boundTo(scope, server.gateway)) for (const host of virtualHosts(scope, server, vs)) hosts.add(host)
  }
  return [...hosts].sort()
}

/** The VirtualServices bound to a Gateway, in the order in which the proxy takes them. */
export function boundTo({ snapshot, context }: Scope, gateway: string): VirtualService[] {
  return inOrderFor(context.namespace, snapshot.settings, snapshot.lookup('virtualServiceByGateway', gateway))
}

/** By the hosts of a server, as its Gateway has them. */
const sharedNames = new WeakMap<readonly string[], WeakMap<VirtualService, ReadonlySet<string>>>()

/** The names that a server and a VirtualService share, of each two the more specific (6.2). `Names.Intersection`. */
export function virtualHosts({ snapshot }: Scope, { hosts }: Server, vs: VirtualService): ReadonlySet<string> {
  const byObject = sharedNames.get(hosts) ?? new WeakMap<VirtualService, ReadonlySet<string>>()
  sharedNames.set(hosts, byObject)
  const known = byObject.get(vs)
  if (known !== undefined) return known
  const own = hostsOfVirtualService(snapshot, vs)
  snapshot.charge((own.length * hosts.length) / HOSTS_A_STEP)
  const shared = intersection(hosts, own, vs.namespace)
  byObject.set(vs, shared)
  return shared
}

function intersection(served: readonly string[], own: readonly string[], namespace: string): ReadonlySet<string> {
  const shared = new Set<string>()
  for (const written of served) {
    const [of, name] = written.includes('/') ? written.split('/') : ['*', written]
    if (name === undefined || (of !== '*' && of !== namespace)) continue
    const lower = name.toLowerCase()
    for (const host of own) {
      if (hostCovers(host, lower)) shared.add(lower)
      else if (hostCovers(lower, host)) shared.add(host)
    }
  }
  return shared
}

/** The servers of every Gateway whose selector the proxy's labels meet, of any namespace (6.1); of conflicting ones the first. `mergeGateways`. */
export const serversOf = oncePerScope((scope): Server[] => {
  const accepted: Server[] = []
  const plain = new Map<number, Server>()
  const secureHosts = new Map<number, Set<string>>()
  const gateways = gatewaysOf(scope)
  const targetPorts = new Map(gateways.flatMap(({ madeOf }) => [...(madeOf?.targetPorts ?? [])]))
  for (const server of gateways.flatMap((gateway) => toServers(gateway, targetPorts))) {
    if (server.tlsMode !== '' && !claim(secureHosts, server)) continue
    const current = plain.get(server.port)
    // Plain servers share a port only if all are HTTP; beside a plain one there is no other.
    if (current !== undefined && !(isPlainHttp(current) && isPlainHttp(server))) continue
    accepted.push(server)
    if (!isSecure(server)) plain.set(server.port, current ?? server)
  }
  return accepted
})

const groupsOf = oncePerScope((scope): RouteGroup[] => routeGroups(serversOf(scope)))

/** The ports on which a proxy accepts connections: without routes, those for HTTP alone. */
export function openPorts(scope: Scope): number[] {
  const isOpen = (server: Server) =>
    server.transport === 'http' || boundTo(scope, server.gateway).some((vs) => (server.transport === 'tcp' ? vs.tcp : vs.tls).length > 0)
  return [
    ...new Set(
      serversOf(scope)
        .filter(isOpen)
        .map(({ port }) => port)
    )
  ].sort((one, other) => one - other)
}

export function routeGroups(servers: readonly Server[]): RouteGroup[] {
  const groups: RouteGroup[] = []
  const plain = new Map<number, RouteGroup>()
  for (const server of servers) {
    if (server.transport !== 'http') continue
    const shared = isPlainHttp(server) ? plain.get(server.port) : undefined
    if (shared !== undefined) {
      shared.servers.push(server)
      continue
    }
    const group: RouteGroup = { port: server.port, servers: [server] }
    groups.push(group)
    if (isPlainHttp(server)) plain.set(server.port, group)
  }
  return groups
}

/** Of an HTTPS server; plain ones are told apart by no name. */
function namesOfServers([first]: readonly Server[]): string[] {
  if (first === undefined || isPlainHttp(first)) return []
  const names = first.hosts.map((host) => host.slice(host.indexOf('/') + 1))
  return names.includes('*') ? [] : names
}

/** What is made of a listener is for Pods of its namespace; and the Pods that are deployed for a Gateway take nothing of another namespace. `mergeGateways`. */
export function gatewaysOf({ snapshot, context }: Scope): Gateway[] {
  const isDeployed = own(context.labels, MANAGED) !== undefined
  return gatewaysSelecting(snapshot, context.labels)
    .filter(({ namespace, madeOf }) => namespace === context.namespace || (madeOf === null && !isDeployed))
    .sort(byAge)
}

/** The Gateways of any namespace whose selector takes these labels, in no particular order. */
export function gatewaysSelecting(snapshot: Snapshot, labels: Labels): Gateway[] {
  const keys = ['', ...labelKeys('', labels)]
  const found = keys.flatMap((key) => [...snapshot.lookup('gatewayBySelector', key)])
  snapshot.charge(found.length)
  for (const { servers } of found) for (const { hosts } of servers) snapshot.charge(1 + hosts.length)
  return found.filter(({ selector }) => selects(selector, labels))
}

/** `targetPorts`: those of the Services that Gateways of the Gateway API are bound to. `resolvePorts`. */
function toServers({ namespace, name, servers, madeOf }: Gateway, targetPorts: ReadonlyMap<number, number>): Server[] {
  return servers.map((server) => ({
    ...server,
    port: madeOf === null ? (targetPorts.get(server.port) ?? server.port) : server.port,
    gateway: `${namespace}/${name}`,
    transport: transportOf(server),
    hosts: hostsOfServer(server, namespace)
  }))
}

/** Of the servers of Gateways as they are stored: one list as long as the Gateway is the same. */
const completed = new WeakMap<GatewayServer, readonly string[]>()

function hostsOfServer(server: GatewayServer, namespace: string): readonly string[] {
  const known = completed.get(server) ?? server.hosts.map((host) => (host.startsWith('./') ? `${namespace}/${host.slice(2)}` : host))
  completed.set(server, known)
  return known
}

function transportOf(server: GatewayServer): Server['transport'] {
  if (isPlainHttp(server)) return 'http'
  if (['0', 'PASSTHROUGH', '3', 'AUTO_PASSTHROUGH'].includes(server.tlsMode)) return 'passthrough'
  return server.protocol === 'HTTPS' ? 'http' : 'tcp'
}

/** HTTP by its protocol; `tls` on such a server is there for httpsRedirect only. */
function isPlainHttp({ protocol }: GatewayServer): boolean {
  return parseProtocol(protocol) === 'http'
}

function isSecure(server: GatewayServer): boolean {
  return server.tlsMode !== '' && !isPlainHttp(server)
}

/** Two TLS servers of one port cannot have one name: the later one is skipped. `CheckDuplicates`. */
function claim(taken: Map<number, Set<string>>, { port, hosts }: Server): boolean {
  const known = taken.get(port) ?? new Set()
  taken.set(port, known)
  if (hosts.some((host) => known.has(host))) return false
  for (const host of hosts) known.add(host)
  return true
}

/** VirtualServices with a host that is, covers or is covered by `host`: only then can it be a virtual host. */
const virtualServicesTouching = oncePerScope(({ snapshot, context }, host: string): readonly VirtualService[] => {
  const keys = isWildcard(host) ? wildcardsOver(host) : [host, ...wildcardsOver(host)]
  const lists = keys.map((key) => snapshot.lookup('virtualServiceByHost', key)).filter((list) => !isEmpty(list))
  const [only, ...others] = lists
  if (only === undefined) return []
  return inOrderFor(context.namespace, snapshot.settings, others.length === 0 ? only : new Set(lists.flatMap((list) => [...list])))
})

const gatewayRoutes = oncePerScope(
  (scope, { port, gateway }: Server, vs: VirtualService): Made =>
    routesOf(scope, vs, { context: scope.context, port, gateway }, clustersAtGateway(scope, port, vs.namespace))
)

/** A destination without port takes the port of a service that has one alone (8.2), and of several services with its host the VirtualService's own. */
const clustersAtGateway = oncePerClient((scope, port: number, namespace: string) => {
  const service = (host: string): MeshService | null => {
    const own = registeredService(scope, host, namespace)
    return own !== null && isVisible(own, scope.context.namespace) ? own : serviceInScope(scope, host)
  }
  return new Clusters(scope, { port, service })
})
