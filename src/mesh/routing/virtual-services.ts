/** Which VirtualService takes a host on the mesh (3.3 to 3.6), and the routes that one makes. */

import type { VirtualService } from '../../kinds/virtual-service.ts'
import { hostCovers, isWildcard, wildcardsOver } from '../names/hosts.ts'
import { inOrderFor } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { Clusters } from './destinations.ts'
import { routesOf } from './rule-routes.ts'
import { oncePerClient, oncePerScope, type Scope, serviceOnPort } from './scope.ts'
import { listenerFor } from './sidecars.ts'
import type { Route } from './table.ts'

export interface Taken {
  readonly vs: VirtualService
  readonly routes: readonly Route[]
}

/** Hosts compared with one other in one step of work. */
export const HOSTS_A_STEP = 8

/** A VirtualService's hosts, completed and in lower case (1.1, 1.5). */
export function hostsOfVirtualService(snapshot: Snapshot, vs: VirtualService): readonly string[] {
  snapshot.charge(vs.hosts.length / HOSTS_A_STEP)
  return vs.hosts
}

/** Each asked for as many times as it has hosts. */
const hostSets = new WeakMap<VirtualService, ReadonlySet<string>>()

/** It names exactly this host. */
export function namesHost(vs: VirtualService, host: string): boolean {
  const known = hostSets.get(vs) ?? new Set(vs.hosts)
  hostSets.set(vs, known)
  return known.has(host)
}

/** The VirtualServices of the mesh with a host that is or covers `host`, as the client takes them in order. */
const virtualServicesOnMesh = oncePerScope(({ snapshot, context }, host: string): VirtualService[] => {
  const found = new Set<VirtualService>()
  for (const key of isWildcard(host) ? wildcardsOver(host) : [host, ...wildcardsOver(host)]) {
    for (const vs of snapshot.lookup('virtualServiceByHost', key)) {
      snapshot.charge(vs.gateways.length)
      if (!vs.gateways.includes('mesh')) continue
      if (namesHost(vs, host) || hostsOfVirtualService(snapshot, vs).some((own) => hostCovers(own, host))) found.add(vs)
    }
  }
  return inOrderFor(context.namespace, snapshot.settings, found)
})

/** Those of them that the client's Sidecar imports, on a port (3.9). */
export const importedAt = oncePerScope((scope, port: number, host: string): VirtualService[] => {
  const listener = listenerFor(scope.listeners, port)
  if (listener === null) return []
  return virtualServicesOnMesh(scope, host).filter((vs) => {
    scope.snapshot.charge(vs.hosts.length * listener.effort)
    return listener.importsVirtualService(vs.namespace, vs.hosts)
  })
})

/**
 * Who takes a service on a port: the first of those that name it, or where none does the one with the most specific wildcard (3.5), if any
 * of its rules applies (3.4, 3.10). A wildcard has lost the host to an exact name, whether or not that one's rules apply.
 */
export function takerOfService(scope: Scope, host: string, port: number): Taken | null {
  for (const vs of contenders(scope, host, port)) {
    const routes = meshRoutes(scope, port, vs)
    if (routes.length > 0) return { vs, routes }
  }
  return null
}

/** Those that may take a service, in order. `computeWildcardHostVirtualServiceIndex`, `separateVSHostsAndServices`. */
export function contenders(scope: Scope, host: string, port: number): VirtualService[] {
  const imported = importedAt(scope, port, host)
  const exact = isWildcard(host) ? [] : imported.filter((vs) => namesHost(vs, host))
  if (exact.length > 0) return exact
  let longest = ''
  let owner: VirtualService | undefined
  for (const vs of imported) {
    for (const own of hostsOfVirtualService(scope.snapshot, vs)) {
      if (!hostCovers(own, host) || own.length <= longest.length) continue
      longest = own
      owner = vs
    }
  }
  return owner === undefined ? [] : [owner]
}

/** A VirtualService's routes for a client on a port; without any it does not count there. */
export const meshRoutes = oncePerScope(
  (scope, port: number, vs: VirtualService): readonly Route[] =>
    routesOf(scope, vs, { context: scope.context, port, gateway: 'mesh' }, clustersOnMesh(scope, port)).routes
)

/** Only services that have the listener's port are looked up, with that port alone, so a destination's port is the listener's (8.2). */
const clustersOnMesh = oncePerClient(
  (scope, port: number) => new Clusters(scope, { port, service: (host) => serviceOnPort(scope, host, port) })
)
