/** From destinations as written to the clusters that Envoy has, and the endpoints behind them (8, 9). */

import type { Subset } from '../../kinds/destination-rule.ts'
import { carriedOf, type Destination } from '../../kinds/http-rule.ts'
import { hasNoCluster, readyEndpoints } from './endpoints.ts'
import { asksForAddress, type ClusterState, destinationInScope, oncePerClient, type Scope, serviceInScope, subsetInScope } from './scope.ts'
import { type MeshService, portOf } from './services.ts'
import type { Missing, RoutedDestination } from './table.ts'

/** The host of a backend that Istio refuses to name, whose requests get 500. */
export const NOWHERE = ''

/** How a route is generated: which service it takes a host for when it asks for aliases and single ports, on which listener port. */
export interface Lookup {
  readonly port: number
  readonly service: (host: string) => MeshService | null
}

/** A destination that gets requests, and its share of them. */
export interface Weighted {
  readonly destination: Destination
  readonly share: number
}

/** What a destination is to whoever asks: the cluster `outbound|<port>|<subset>|<host>`, and its state. */
export interface Cluster extends ClusterState, Pick<RoutedDestination, 'host' | 'subset' | 'port'> {
  readonly asked: Named
}

/** Of a destination what says where it leads. */
type Named = Pick<Destination, 'host' | 'subset' | 'port'>

/** The clusters that the destinations of routes at one place become, each found out once. */
export class Clusters {
  readonly #scope: Scope
  readonly #lookup: Lookup
  readonly #known = new Map<string, Map<string | null, Map<number | null, Cluster>>>()
  /** Clusters that were found out another time, and are the same. */
  readonly #confirmed = new Set<Cluster>()

  constructor(scope: Scope, lookup: Lookup) {
    this.#scope = scope
    this.#lookup = lookup
  }

  of(destination: Named): Cluster {
    const { host, subset, port } = destination
    const byPort = within(within(this.#known, host), subset)
    const known = byPort.get(port)
    if (known !== undefined) return known
    const cluster = toCluster(this.#scope, destination, this.#lookup)
    byPort.set(port, cluster)
    return cluster
  }

  /** What these were is what they are. */
  areStill(known: readonly Cluster[]): boolean {
    for (const was of known) {
      if (this.#confirmed.has(was)) continue
      if (!isSame(was, this.of(was.asked))) return false
      this.#confirmed.add(was)
    }
    return true
  }

  routed({ destination, share }: Weighted): RoutedDestination {
    const { host, subset, port, missing, ready } = this.of(destination)
    return { host, subset, port, share, missing, ready, path: destination.path }
  }
}

function within<K, L, V>(maps: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const known = maps.get(key)
  if (known !== undefined) return known
  const made = new Map<L, V>()
  maps.set(key, made)
  return made
}

/** Of one destination. */
function isSame(one: Cluster, other: Cluster): boolean {
  return one.host === other.host && one.port === other.port && one.missing === other.missing && one.ready === other.ready
}

/** The destinations that get requests, of several in proportion to their weights (9.3). */
export function sharesOf(destinations: readonly Destination[]): Weighted[] {
  const carried = carriedOf(destinations)
  const total = carried.reduce((sum, { weight }) => sum + weight, 0)
  return carried.map((destination) => ({ destination, share: destinations.length === 1 ? 1 : destination.weight / total }))
}

/** `GetDestinationCluster` (8.1). */
function toCluster(scope: Scope, { host: named, subset, port }: Named, { port: listener, service }: Lookup): Cluster {
  const found = service(named)
  const alias = found?.object.kind === 'Service' ? found.object.externalName : null
  const [single, ...others] = found?.ports ?? []
  const host = alias ?? named // (8.4)
  const own = port ?? (single !== undefined && others.length === 0 ? single.number : listener) // (8.2)
  return { asked: { host: named, subset, port }, host, subset, port: own, ...stateOf(scope, host, own, subset, named) }
}

/** The cluster of a whole service, as Istio's default route has it. */
export function toWhole(scope: Scope, host: string, port: number): RoutedDestination {
  const cluster = { host, subset: null, port, share: 1, path: [] }
  return { ...cluster, ...stateOf(scope, host, port, null, host) }
}

/** `named` is the host that the VirtualService itself names, and thereby imports (3.9). */
const stateOf = oncePerClient((scope, host: string, port: number, subset: string | null, named: string): ClusterState => {
  const { snapshot, context } = scope
  if (!snapshot.knows('Service') || !snapshot.knows('ServiceEntry')) return { missing: null, ready: null }
  const service = host === named ? destinationInScope(scope, host) : serviceInScope(scope, host)
  if (service === null || service.resolution === 'alias') return none('host')
  const protocol = portOf(service, port)?.protocol
  if (protocol === undefined || protocol === 'udp') return none('port')
  if (hasNoCluster(snapshot, context, service, port, {})) return none('host')
  if (subset === null) return { missing: null, ready: readyFor(scope, service, port, null) }
  if (!snapshot.knows('DestinationRule')) return { missing: null, ready: null }
  const found = subsetInScope(scope, service, subset)
  if (found === null || hasNoCluster(snapshot, context, service, port, found.labels)) return none('subset')
  return { missing: null, ready: readyFor(scope, service, port, found) }
})

/** Who answers at the address that was called, is not known. */
function readyFor(scope: Scope, service: MeshService, port: number, subset: Subset | null): number | null {
  if (asksForAddress(scope, service, subset, port)) return null
  return readyEndpoints(scope.snapshot, scope.context, service, port, subset?.labels ?? {})
}

function none(missing: Missing): ClusterState {
  return { missing, ready: 0 }
}
