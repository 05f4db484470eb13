/** What a mesh client's connection meets: the listeners of its sidecar. pilot/pkg/networking/core/listener.go, tls.go. */

import type { Service } from '../../kinds/service.ts'
import { atPort } from '../names/at-port.ts'
import { hostCovers, isWildcard, serviceHost, serviceOfHost, wildcardsOver } from '../names/hosts.ts'
import { defaultChain, meshChainsAt } from './chains.ts'
import { type Connection, chosenFor, ends, type Reached } from './connections.ts'
import { readyEndpoints } from './endpoints.ts'
import { foreignTables } from './foreign-hosts.ts'
import { bySpecificity } from './gateways.ts'
import { tablesOf } from './routes.ts'
import { bytesOwner, listensForHttp, oncePerScope, type Scope, serviceInScope, serviceOnPort } from './scope.ts'
import { hasRange, type MeshService, portOf, sharesListener, takesBytes } from './services.ts'
import { allowsAnyHost, listensFor } from './sidecars.ts'
import type { Chain, RouteTable } from './table.ts'
import { HOSTS_A_STEP } from './virtual-services.ts'

/** How many aliases are followed (8.4). */
const MOST_ALIASES = 8

export function reachFromClient(scope: Scope, connection: Connection): Reached {
  return atSidecar(scope, connection, 0)
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
  if (reached.by === 'virtual-host') return { ...reached, table: atPort(own, (table) => table.port, port) ?? reached.table }
  return hasPort(stoodFor, port) ? reached : (shared ?? reached)
}

function hasPort({ ports }: Service, port: number): boolean {
  return atPort(ports, (each) => each.port, port) !== undefined
}

/** The listener for HTTP that all hosts of a port share takes the request, whatever address it goes to, where it has one of the tables (3.6). */
function sharedListener(scope: Scope, { port, http, serverName }: Connection, tables: readonly RouteTable[]): Reached | null {
  if (!http || serverName !== null || !listensForHttp(scope, port)) return null
  const table = atPort(tables, (each) => each.port, port)
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
  if (!listensFor(scope.listeners, port)) return pastTheMesh(scope)
  if (protocol === 'http') return isPlainHttp ? toVirtualHost(scope, connection) : sharedBytes(scope, connection)
  const isByAddress = meshChainsAt(scope, service.host, port).some(({ byAddress }) => byAddress)
  // A sniffed port has a listener of its own, whatever name the client uses.
  if (protocol === 'sniffed' && isPlainHttp && !isByAddress) {
    const table = tableOn(scope, fullName(scope, host), port)
    return table === null ? pastTheMesh(scope) : { by: 'virtual-host', table, redirects: false }
  }
  // What speaks HTTP on a listener that bytes share with it, is asked for its virtual host first.
  if (isPlainHttp && sharesListener(service) && listensForHttp(scope, port)) return toVirtualHost(scope, connection)
  return takesBytes(portOf(service, port)) && sharesListener(service)
    ? sharedBytes(scope, connection)
    : toChainOf(scope, service, connection)
}

function toChainOf(scope: Scope, service: MeshService, { port, serverName }: Connection): Reached {
  const named = meshChainsAt(scope, service.host, port)
  const protocol = portOf(service, port)?.protocol
  const standing = named.length > 0 ? named : [defaultChain(scope, service.host, port, ownServerNames(service, protocol))]
  const chain = chosenFor(scope.snapshot, standing, serverName)
  return chain === null ? pastTheMesh(scope) : { by: 'chain', chain }
}

/** What the listener of all addresses does with bytes that none of its virtual hosts and server names takes. */
function sharedBytes(scope: Scope, connection: Connection): Reached {
  const owner = bytesOwner(scope, connection.port)
  return owner === null ? pastTheMesh(scope) : toChainOf(scope, owner, connection)
}

/** On a shared listener services are told apart by the server name. */
function ownServerNames(service: MeshService, protocol: string | undefined): readonly string[] {
  return protocol === 'tls' && (sharesListener(service) || hasRange(service)) ? [service.host] : []
}

/** A host that the client has no service for: a VirtualService may have the name (3.6), where the client listens for HTTP at all. */
function unknownHost(scope: Scope, connection: Connection): Reached {
  const { port, http, serverName } = connection
  if (http && serverName === null && listensForHttp(scope, port)) return toVirtualHost(scope, connection)
  const covering =
    serverName === null ? null : chosenFor(scope.snapshot, wildcardChains(scope, wildcardsOver(serverName)[0] ?? '*', port), serverName)
  return covering === null ? sharedBytes(scope, connection) : { by: 'chain', chain: covering }
}

/** The chains of services that a wildcard names, this one or one over it. */
const wildcardChains = oncePerScope((scope, closest: string, port: number): Chain[] =>
  wildcardsOver(closest).flatMap((wildcard) => {
    const service = serviceOnPort(scope, wildcard, port)
    if (service === null || portOf(service, port)?.protocol !== 'tls') return []
    const named = meshChainsAt(scope, wildcard, port)
    return named.length > 0 ? named : [defaultChain(scope, wildcard, port, [wildcard])]
  })
)

function toVirtualHost(scope: Scope, { host, port }: Connection): Reached {
  for (const name of namesFor(scope, host, port)) {
    const table = tableOn(scope, name, port)
    if (table !== null) return { by: 'virtual-host', table, redirects: false }
  }
  return pastTheMesh(scope)
}

/** The names under which a virtual host may stand for a host, the closest first: a spelling that a VirtualService took, the service, wildcards (1.3). */
function* namesFor(scope: Scope, host: string, port: number): Iterable<string> {
  const { snapshot } = scope
  yield host.toLowerCase()
  // Only a service that the client has lends its virtual host the shorter names.
  const full = fullName(scope, host)
  if (full !== host.toLowerCase() && serviceOnPort(scope, full, port) !== null) yield full
  const wildcards = new Set<string>()
  for (const key of wildcardsOver(host)) {
    for (const { hosts } of snapshot.lookup('virtualServiceByHost', key)) {
      snapshot.charge(hosts.length / HOSTS_A_STEP)
      for (const own of hosts) wildcards.add(own.toLowerCase())
    }
    for (const { hosts } of snapshot.lookup('serviceEntryByHost', key)) {
      snapshot.charge(hosts.length / HOSTS_A_STEP)
      for (const own of hosts) wildcards.add(own)
    }
  }
  yield* bySpecificity([...wildcards].filter((name) => isWildcard(name) && hostCovers(name, host)))
}

function tableOn(scope: Scope, host: string, port: number): RouteTable | null {
  return atPort(tablesOf(scope, host), (table) => table.port, port) ?? null
}

function pastTheMesh({ snapshot, context }: Scope): Reached {
  return ends(allowsAnyHost(snapshot, context) ? 'passthrough' : 'blocked')
}

/** Connections that may meet something of the host. */
export function clientConnections(scope: Scope, host: string): Connection[] {
  const tables = tablesOf(scope, host).map(({ port }): Connection => ({ host, port, serverName: null, http: true }))
  const service = serviceInScope(scope, fullName(scope, host))
  const bytes = service?.ports.flatMap(({ number: port, protocol }): Connection[] => {
    if (protocol === 'http' || protocol === 'udp') return []
    if (protocol !== 'tls') return [{ host, port, serverName: null, http: false }]
    const named = meshChainsAt(scope, service.host, port)
    const names = new Set(named.flatMap(({ serverNames }) => serverNames))
    return [...(names.size === 0 ? [host] : names)].map((serverName) => ({ host, port, serverName, http: false }))
  })
  return [...tables, ...(bytes ?? [])]
}
