/** What a connection meets at the proxy: a virtual host, a filter chain, or nothing that would answer it. pilot/pkg/networking/core/listener.go, gateway.go. */

import { hostCovers, isWildcard, serviceHost, serviceOfHost, wildcardsOver } from '../names/hosts.ts'
import type { Service } from '../snapshot/objects.ts'
import { chainsOfServers, defaultChain, meshChains } from './chains.ts'
import { readyEndpoints } from './endpoints.ts'
import { foreignTables } from './foreign-hosts.ts'
import { bySpecificity, type RouteGroup, routeGroups, type Server, serversOf, virtualHostOf } from './gateways.ts'
import { tablesOf } from './routes.ts'
import { listensForHttp, type Scope, serviceOnPort } from './scope.ts'
import { type MeshService, portOf } from './services.ts'
import { allowsAnyHost } from './sidecars.ts'
import type { Chain, RouteTable } from './table.ts'

/**
 * Why no route or chain is asked. `passthrough`: the client does not know the host, and the connection goes to its address past the mesh.
 * `blocked`: the same where its policy is REGISTRY_ONLY. `closed`: nothing takes such a connection, though something listens, or the Service has no
 * such port. `no-listener`: the gateway does not listen on the port. `no-such-host`: no Service has that name. `no-address`: a headless Service
 * has no Ready Pod, so its name leads nowhere. `protocol`: bytes that are no HTTP meet a listener for HTTP.
 */
export type Ending = 'passthrough' | 'blocked' | 'closed' | 'no-listener' | 'no-such-host' | 'no-address' | 'protocol'

/** What a client opens. `serverName` is null for what is no TLS. */
export interface Connection {
  readonly host: string
  readonly port: number
  readonly serverName: string | null
  /** It carries HTTP, in TLS or not, as far as the client is concerned. */
  readonly http: boolean
}

export type Reached =
  /** `redirects`: every request is sent to HTTPS before routes are asked. `table` is null where no virtual host has the host. */
  | { readonly by: 'virtual-host'; readonly table: RouteTable | null; readonly redirects: boolean }
  | { readonly by: 'chain'; readonly chain: Chain }
  | { readonly by: 'none'; readonly ending: Ending }

/** How many aliases are followed (8.4). */
const MOST_ALIASES = 8

/** What the connection meets in the scope of a mesh client or a gateway. */
export function reach(scope: Scope, connection: Connection): Reached {
  return scope.context.kind === 'mesh' ? atSidecar(scope, connection, 0) : atGateway(scope, connection)
}

function ends(ending: Ending): Reached {
  return { by: 'none', ending }
}

function atSidecar(scope: Scope, connection: Connection, aliases: number): Reached {
  const { port } = connection
  const name = fullName(scope, connection.host)
  const service = serviceOf(scope, name)
  if (service === null) return withoutService(scope, connection, name)
  if (service.externalName !== null) return throughAlias(scope, connection, service.externalName, aliases)
  if (!hasPort(service, port))
    return sharedListener(scope, connection, foreignTables(scope, connection.host.toLowerCase())) ?? ends('closed')
  const own = serviceOnPort(scope, name, port)
  if (own === null) return unknownHost(scope, connection)
  if (hasNoAddress(scope, own, service, port)) return ends('no-address')
  return atService(scope, connection, own)
}

/** The full name of a Service for its shorter spellings; other names as they are. */
function fullName({ snapshot, context }: Scope, host: string): string {
  const { domain } = snapshot.settings
  const bare = host.endsWith('.') ? host.slice(0, -1) : host
  const [name = '', namespace = context.namespace, svc, ...rest] = bare.split('.')
  if (rest.length > 0 || (svc !== undefined && svc !== 'svc')) return bare
  return snapshot.find('Service', namespace, name) === undefined ? bare : serviceHost(namespace, name, domain)
}

function serviceOf({ snapshot }: Scope, name: string): Service | null {
  const named = serviceOfHost(name, snapshot.settings.domain)
  return named === null ? null : (snapshot.find('Service', named.namespace, named.name) ?? null)
}

/** An alias leads to the address of what it stands for, under its own name. */
function throughAlias(scope: Scope, connection: Connection, target: string, aliases: number): Reached {
  const { host, port } = connection
  const own = tablesOf(scope, fullName(scope, host))
  const stoodFor = serviceOf(scope, target)
  const shared = sharedListener(scope, connection, own)
  if (stoodFor === null || aliases === MOST_ALIASES) return shared ?? unknownHost(scope, { ...connection, host: target })
  const reached = atSidecar(scope, { ...connection, host: target }, aliases + 1)
  if (reached.by === 'virtual-host') return { ...reached, table: own.find((table) => table.port === port) ?? reached.table }
  return hasPort(stoodFor, port) ? reached : (shared ?? reached)
}

function hasPort({ ports }: Service, port: number): boolean {
  return ports.some((each) => each.port === port)
}

/** The listener for HTTP that all hosts of a port share takes the request, whatever address it goes to, where it has one of the tables (3.6). */
function sharedListener(scope: Scope, { port, http, serverName }: Connection, tables: readonly RouteTable[]): Reached | null {
  if (!http || serverName !== null || !listensForHttp(scope, port)) return null
  const table = tables.find((each) => each.port === port)
  return table === undefined ? null : { by: 'virtual-host', table, redirects: false }
}

/** To a name that is no Service of Kubernetes: of a ServiceEntry, of a VirtualService, or of nobody. */
function withoutService(scope: Scope, connection: Connection, name: string): Reached {
  const own = serviceOnPort(scope, name, connection.port)
  if (own !== null) return atService(scope, connection, own)
  const isOfCluster = serviceOfHost(name, scope.snapshot.settings.domain) !== null
  if (isOfCluster && [...scope.snapshot.lookup('serviceEntryByHost', name)].length === 0) return ends('no-such-host')
  return unknownHost(scope, connection)
}

/** The names of a headless Service are the addresses of its Ready Pods. */
function hasNoAddress({ snapshot, context }: Scope, own: MeshService, { headless, selector }: Service, port: number): boolean {
  if (!headless || selector === null) return false
  return readyEndpoints(snapshot, { ...context, kind: 'gateway' }, own, port, {}) === 0
}

function atService(scope: Scope, connection: Connection, service: MeshService): Reached {
  const { host, port, http, serverName } = connection
  const protocol = portOf(service, port)?.protocol
  const isPlainHttp = http && serverName === null
  if (protocol === 'http') return isPlainHttp ? toVirtualHost(scope, connection) : pastTheMesh(scope)
  // A sniffed port has a listener of its own, whatever name the client uses.
  if (protocol === 'sniffed' && isPlainHttp) {
    const table = tableOn(scope, fullName(scope, host), port)
    return table === null ? pastTheMesh(scope) : { by: 'virtual-host', table, redirects: false }
  }
  const named = meshChains(scope, service.host).filter((chain) => chain.port === port)
  const standing = named.length > 0 ? named : [defaultChain(scope, service.host, port, ownServerNames(service, protocol))]
  const chain = chainFor(standing, serverName)
  return chain === null ? pastTheMesh(scope) : { by: 'chain', chain }
}

/** Without an address of its own, a service shares its listener with others, told apart by the server name. */
function ownServerNames({ host, object }: MeshService, protocol: string | undefined): readonly string[] {
  return protocol === 'tls' && object.kind === 'ServiceEntry' && object.addresses.length === 0 ? [host] : []
}

/** A host that the client has no service for: a VirtualService may have the name (3.6), where the client listens for HTTP at all. */
function unknownHost(scope: Scope, connection: Connection): Reached {
  const { port, http, serverName } = connection
  if (http && serverName === null && listensForHttp(scope, port)) return toVirtualHost(scope, connection)
  const covering = serverName === null ? null : chainFor(wildcardChains(scope, serverName, port), serverName)
  return covering === null ? pastTheMesh(scope) : { by: 'chain', chain: covering }
}

/** The chains of services that a wildcard names. */
function wildcardChains(scope: Scope, serverName: string, port: number): Chain[] {
  return wildcardsOver(serverName).flatMap((wildcard) => {
    const service = serviceOnPort(scope, wildcard, port)
    if (service === null || portOf(service, port)?.protocol !== 'tls') return []
    const named = meshChains(scope, wildcard).filter((chain) => chain.port === port)
    return named.length > 0 ? named : [defaultChain(scope, wildcard, port, [wildcard])]
  })
}

function toVirtualHost(scope: Scope, { host, port }: Connection): Reached {
  for (const name of namesFor(scope, host, port)) {
    const table = tableOn(scope, name, port)
    if (table !== null) return { by: 'virtual-host', table, redirects: false }
  }
  return pastTheMesh(scope)
}

/** The names under which a virtual host may stand for a host, the closest first: a spelling that a VirtualService took, the service, wildcards (1.3). */
function namesFor(scope: Scope, host: string, port: number): string[] {
  const { snapshot } = scope
  const wildcards = new Set<string>()
  for (const key of wildcardsOver(host)) {
    for (const vs of snapshot.lookup('virtualServiceByHost', key)) for (const own of vs.hosts) wildcards.add(own.toLowerCase())
    for (const entry of snapshot.lookup('serviceEntryByHost', key)) for (const own of entry.hosts) wildcards.add(own)
  }
  const covering = [...wildcards].filter((name) => isWildcard(name) && hostCovers(name, host))
  // Only a service that the client has lends its virtual host the shorter names.
  const full = fullName(scope, host)
  const spelled = serviceOnPort(scope, full, port) === null ? [] : [full]
  return [...new Set([host.toLowerCase(), ...spelled]), ...bySpecificity(covering)]
}

function tableOn(scope: Scope, host: string, port: number): RouteTable | null {
  return tablesOf(scope, host).find((table) => table.port === port) ?? null
}

function pastTheMesh({ snapshot, context }: Scope): Reached {
  return ends(allowsAnyHost(snapshot, context) ? 'passthrough' : 'blocked')
}

/** Envoy takes the chain with the server name, else the one with the longest wildcard over it, else the one that names none. */
function chainFor(chains: readonly Chain[], serverName: string | null): Chain | null {
  if (serverName !== null) {
    for (const name of bySpecificity(chains.flatMap(({ serverNames }) => serverNames).filter((each) => hostCovers(each, serverName)))) {
      const found = chains.find(({ serverNames }) => serverNames.includes(name))
      if (found !== undefined) return found
    }
  }
  return chains.find(({ serverNames }) => serverNames.length === 0 || serverNames.includes('*')) ?? null
}

/** One way into a gateway's listener. */
interface Entrance {
  readonly serverNames: readonly string[]
  readonly endsTls: boolean
  readonly leadsTo: RouteGroup | Chain
}

function atGateway(scope: Scope, { host, port, serverName, http }: Connection): Reached {
  const entrances = entrancesOf(scope, port)
  if (entrances.length === 0) return ends('no-listener')
  const entrance = entranceFor(entrances, serverName)
  if (entrance === null) return ends('closed')
  const { leadsTo, endsTls } = entrance
  if (endsTls && serverName === null) return ends('closed')
  if (!('servers' in leadsTo)) return { by: 'chain', chain: leadsTo }
  if (!endsTls && serverName !== null) return ends('closed')
  if (!http && serverName === null) return ends('protocol')
  const found = virtualHostOf(scope, leadsTo, host)
  return { by: 'virtual-host', table: found?.table ?? null, redirects: found?.redirects === true && serverName === null }
}

function entrancesOf(scope: Scope, port: number): Entrance[] {
  const servers = serversOf(scope).filter((server) => server.port === port)
  const groups = routeGroups(servers).map((leadsTo): Entrance => {
    const [first] = leadsTo.servers
    const endsTls = first !== undefined && first.protocol === 'HTTPS'
    return { serverNames: endsTls ? serverNamesOf(first) : [], endsTls, leadsTo }
  })
  const l4 = servers.filter(({ transport }) => transport !== 'http')
  const chains = l4.flatMap((server) =>
    chainsOfServers(scope, [server]).map((leadsTo): Entrance => {
      const endsTls = server.transport === 'tcp' && server.tlsMode !== ''
      return { serverNames: endsTls ? serverNamesOf(server) : leadsTo.serverNames, endsTls, leadsTo }
    })
  )
  return [...groups, ...chains]
}

function serverNamesOf({ hosts }: Server): string[] {
  return hosts.map((host) => host.slice(host.indexOf('/') + 1))
}

function entranceFor(entrances: readonly Entrance[], serverName: string | null): Entrance | null {
  if (serverName !== null) {
    const names = entrances.flatMap(({ serverNames }) => serverNames).filter((name) => name !== '*' && hostCovers(name, serverName))
    const [closest] = bySpecificity(names)
    if (closest !== undefined) return entrances.find(({ serverNames }) => serverNames.includes(closest)) ?? null
  }
  return entrances.find(({ serverNames }) => serverNames.length === 0 || serverNames.includes('*')) ?? null
}
