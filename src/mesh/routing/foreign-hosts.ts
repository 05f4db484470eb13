/** Hosts of VirtualServices that are no service to the client: virtual hosts of their own (3.6). */

import type { VirtualService } from '../../kinds/virtual-service.ts'
import { hostCovers, isWildcard, serviceHost } from '../names/hosts.ts'
import { inOrderFor } from '../names/visibility.ts'
import { listensForHttp, oncePerScope, type Scope, serviceInScope, serviceOnPort } from './scope.ts'
import { everyService, type MeshService, takesHttp } from './services.ts'
import type { RouteTable } from './table.ts'
import { toTable } from './tables.ts'
import { contenders, hostsOfVirtualService, importedAt, meshRoutes, namesHost, takerOfService } from './virtual-services.ts'

/** The port on which a VirtualService may serve names that no service has. */
const HTTP_PORT = 80

/** The tables of a foreign host: on port 80, and on the ports of services that its VirtualService takes too. `buildSidecarVirtualHostsForVirtualService`. */
export function foreignTables(scope: Scope, host: string): RouteTable[] {
  const tables: RouteTable[] = []
  for (const port of portsOf(scope, host)) {
    if (!listensForHttp(scope, port) || isServiceOn(scope, host, port)) continue
    const table = foreignTable(scope, host, port)
    if (table !== null) tables.push(table)
  }
  return tables
}

function foreignTable(scope: Scope, host: string, port: number): RouteTable | null {
  for (const vs of namers(scope, host, port)) {
    if (port !== HTTP_PORT && !portsTaken(scope, vs).has(port)) continue
    const routes = meshRoutes(scope, port, vs)
    if (routes.length === 0) continue
    return isSpelledBefore(scope, host, port, vs) ? null : toTable(host, port, [vs], routes)
  }
  return null
}

/** VirtualServices with exactly this host, in order. */
function namers(scope: Scope, host: string, port: number): VirtualService[] {
  // A route of the Gateway API serves its Service, and no name beside.
  return importedAt(scope, port, host).filter((vs) => vs.madeFor === null && namesHost(vs, host))
}

function portsOf(scope: Scope, host: string): Set<number> {
  const ports = new Set([HTTP_PORT])
  for (const { port: listener } of scope.listeners) {
    for (const vs of namers(scope, host, listener ?? HTTP_PORT)) {
      if (vs.hosts.length < 2) continue
      for (const port of portsTaken(scope, vs)) ports.add(port)
    }
  }
  return ports
}

/** The ports for HTTP of the services that a VirtualService may take: all its foreign hosts stand on them. */
const portsTaken = oncePerScope(
  (scope, vs: VirtualService): ReadonlySet<number> =>
    new Set(servicesTaken(scope, vs).flatMap(({ ports }) => ports.filter(takesHttp).map(({ number }) => number)))
)

/** The services that a VirtualService may take by one of its hosts. */
function servicesTaken(scope: Scope, vs: VirtualService): MeshService[] {
  const hosts = hostsOfVirtualService(scope.snapshot, vs)
  const exact = hosts.filter((host) => !isWildcard(host)).flatMap((host) => serviceInScope(scope, host) ?? [])
  const wildcards = hosts.filter(isWildcard)
  if (wildcards.length === 0) return exact
  return [
    ...exact,
    ...servicesUnder(scope, wildcards).filter(({ host, ports }) => contenders(scope, host, ports[0]?.number ?? HTTP_PORT).includes(vs))
  ]
}

/** A walk over every service, which a wildcard demands. */
function servicesUnder(scope: Scope, wildcards: readonly string[]): MeshService[] {
  const hosts = new Set<string>()
  for (const { host } of everyService(scope.snapshot)) if (wildcards.some((wildcard) => hostCovers(wildcard, host))) hosts.add(host)
  return [...hosts].flatMap((host) => serviceInScope(scope, host) ?? [])
}

/** A wildcard that covers any service of the port is no foreign host there. */
function isServiceOn(scope: Scope, host: string, port: number): boolean {
  if (!isWildcard(host)) return serviceOnPort(scope, host, port) !== null
  for (const service of everyService(scope.snapshot)) {
    if (hostCovers(host, service.host) && serviceOnPort(scope, service.host, port) !== null) return true
  }
  return false
}

/**
 * `reviews.prod` is a spelling of a service: an older VirtualService that takes the service has it, and this one gets nothing (1.3). Its own
 * foreign hosts come before its services'. `dedupeDomains`.
 */
function isSpelledBefore(scope: Scope, host: string, port: number, vs: VirtualService): boolean {
  const service = spelledService(scope, host)
  if (service === null || serviceOnPort(scope, service, port) === null) return false
  const taker = takerOfService(scope, service, port)?.vs
  if (taker === undefined || taker === vs) return false
  return inOrderFor(scope.context.namespace, scope.snapshot.settings, [taker, vs])[0] === taker
}

/** `name.namespace`, `name.namespace.svc` and the full name with a dot at its end. `GenerateAltVirtualHosts`. */
function spelledService({ snapshot }: Scope, host: string): string | null {
  const { domain } = snapshot.settings
  if (host.endsWith('.')) return host.slice(0, -1)
  const [name, namespace, svc, ...rest] = host.split('.')
  if (name === undefined || namespace === undefined || rest.length > 0 || (svc !== undefined && svc !== 'svc')) return null
  return serviceHost(namespace, name, domain)
}
