/** Route tables as Istio generates them, for clients of the mesh and for gateways. */

import { EVERY_REQUEST } from '../../kinds/http-rule.ts'
import type { VirtualService } from '../../kinds/virtual-service.ts'
import { atPort } from '../names/at-port.ts'
import { hostCovers, isWildcard } from '../names/hosts.ts'
import { inOrderFor } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { toWhole } from './destinations.ts'
import { foreignTables } from './foreign-hosts.ts'
import { gatewayHosts, gatewayTables } from './gateways.ts'
import { oncePerScope, portsNamed, type Scope, scopeOf, scopesOf, serviceInScope, serviceOnPort } from './scope.ts'
import { everyService, type MeshService, portOf, takesHttp } from './services.ts'
import type { Context, RouteTable } from './table.ts'
import { toTable } from './tables.ts'
import { hostsOfVirtualService, takerOfService } from './virtual-services.ts'

export { chains } from './chains.ts'

/** How many aliases are followed: ExternalName Services may stand for each other, even in a circle (8.4). */
const MOST_ALIASES = 8

/**
 * All tables of one host for one context, one for each port. On the mesh `host` is the full name of a service, or another name that a
 * VirtualService has; a service that no VirtualService took has Istio's default route. At a gateway it is a name of a server or
 * VirtualService. A host that the context does not know has none. An ExternalName Service that no VirtualService took has the tables of
 * the host that it stands for, under that name.
 */
export function routeTables(snapshot: Snapshot, context: Context, host: string): RouteTable[] {
  return tablesOf(scopeOf(snapshot, context), host)
}

/** The same for many hosts of one moment: what a context sees is worked out once for all of them. */
export function tablesIn(snapshot: Snapshot): (of: { readonly context: Context; readonly host: string }) => RouteTable[] {
  const scopes = scopesOf(snapshot)
  return ({ context, host }) => tablesOf(scopes(context), host)
}

/** The same in a scope that is there already. */
export const tablesOf = oncePerScope((scope, host: string): RouteTable[] =>
  scope.context.kind === 'mesh' ? meshTables(scope, host, 0) : gatewayTables(scope, host)
)

/** Every host for which a VirtualService can make a table or chain in the context, in order. */
export function hostsOf(snapshot: Snapshot, context: Context): string[] {
  if (context.kind === 'gateway') return gatewayHosts(scopeOf(snapshot, context))
  const hosts = new Set<string>()
  for (const vs of inOrderFor(context.namespace, snapshot.settings, snapshot.lookup('virtualServiceByGateway', 'mesh'))) {
    for (const host of hostsOfVirtualService(snapshot, vs)) hosts.add(host)
  }
  const wildcards = [...hosts].filter(isWildcard)
  if (wildcards.length > 0) {
    for (const { host } of everyService(snapshot)) if (wildcards.some((wildcard) => hostCovers(wildcard, host))) hosts.add(host)
  }
  return [...hosts].sort()
}

function meshTables(scope: Scope, host: string, aliases: number): RouteTable[] {
  const service = serviceInScope(scope, host)
  if (service === null) return foreignTables(scope, host)
  const { object } = service
  const target = object.kind === 'Service' ? object.externalName : null
  const stoodFor = target === null || aliases === MOST_ALIASES ? [] : meshTables(scope, target, aliases + 1)
  // So have the ports of another ServiceEntry of the host, be there a cluster or not (8.7).
  const own = [...portsNamed(scope, host)].flatMap((port) => meshTable(scope, service, port, stoodFor) ?? [])
  const ports = new Set(own.map(({ port }) => port))
  // What has a name outside is called on ports that its entry lacks, too (3.12).
  const others = object.kind === 'ServiceEntry' ? foreignTables(scope, host) : stoodFor
  return [...own, ...others.filter(({ port }) => !ports.has(port))]
}

/** `stoodFor` are the tables of the service that this one is an alias of: theirs is the alias too, unless its own VirtualService is older (8.4). */
function meshTable(scope: Scope, { host, resolution }: MeshService, port: number, stoodFor: readonly RouteTable[]): RouteTable | null {
  const onPort = serviceOnPort(scope, host, port)
  if (onPort === null || !takesHttp(portOf(onPort, port))) return null
  const taken = takerOfService(scope, host, port)
  if (taken === null) return resolution === 'alias' ? null : defaultTable(scope, host, port)
  const other = atPort(stoodFor, (table) => table.port, port)
  if (other !== undefined && isTakenBefore(scope, other, taken.vs)) return null
  return toTable(host, port, [taken.vs], taken.routes)
}

/** `dedupeDomains`: names go to the VirtualService that comes first. */
function isTakenBefore({ snapshot, context }: Scope, { takers: [taker] }: RouteTable, vs: VirtualService): boolean {
  const other = taker?.kind === 'VirtualService' ? snapshot.find('VirtualService', taker.namespace, taker.name) : undefined
  return other !== undefined && other !== vs && inOrderFor(context.namespace, snapshot.settings, [other, vs])[0] === other
}

function defaultTable(scope: Scope, host: string, port: number): RouteTable {
  const destinations = [toWhole(scope, host, port)]
  const route = {
    source: null,
    path: [],
    condition: EVERY_REQUEST,
    matchesAll: true,
    action: 'route',
    status: null,
    destinations,
    mirrors: []
  } as const
  return toTable(host, port, [], [route])
}
