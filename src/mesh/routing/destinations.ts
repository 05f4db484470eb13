/** From destinations as written to the clusters that Envoy has, and the endpoints behind them (8, 9). */

import type { Destination } from '../../kinds/http-rule.ts'
import { hasNoCluster, readyEndpoints } from './endpoints.ts'
import { type ClusterState, destinationInScope, oncePerScope, type Scope, serviceInScope, subsetLabels } from './scope.ts'
import { type MeshService, portOf } from './services.ts'
import type { Missing, RoutedDestination } from './table.ts'

/** The host of a backend that Istio refuses to name, whose requests get 500. */
export const NOWHERE = ''

/** How a route is generated: which service it takes a host for when it asks for aliases and single ports, on which listener port. */
export interface Lookup {
  readonly port: number
  readonly service: (host: string) => MeshService | null
}

/** The destinations that get requests: a lone one whatever its weight; of several those with weight, in proportion (9.1, 9.2, 9.3). */
export function carried(scope: Scope, destinations: readonly Destination[], lookup: Lookup): RoutedDestination[] {
  const [only, ...others] = destinations
  if (only !== undefined && others.length === 0) return [toCluster(scope, only, 1, lookup)]
  const weighted = destinations.filter(({ weight }) => weight > 0)
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0)
  return weighted.map((each) => toCluster(scope, each, each.weight / total, lookup))
}

/** One destination, its host completed, as the cluster `outbound|<port>|<subset>|<host>` (8.1). `GetDestinationCluster`. */
export function toCluster(scope: Scope, destination: Destination, share: number, { port, service }: Lookup): RoutedDestination {
  const found = service(destination.host)
  const alias = found?.object.kind === 'Service' ? found.object.externalName : null
  const [single, ...others] = found?.ports ?? []
  const cluster = {
    host: alias ?? destination.host, // (8.4)
    subset: destination.subset,
    port: destination.port ?? (single !== undefined && others.length === 0 ? single.number : port), // (8.2)
    share,
    path: destination.path
  }
  return { ...cluster, ...stateOf(scope, cluster.host, cluster.port, cluster.subset, destination.host) }
}

/** The cluster of a whole service, as Istio's default route has it. */
export function toWhole(scope: Scope, host: string, port: number): RoutedDestination {
  const cluster = { host, subset: null, port, share: 1, path: [] }
  return { ...cluster, ...stateOf(scope, host, port, null, host) }
}

/** `named` is the host that the VirtualService itself names, and thereby imports (3.9). */
const stateOf = oncePerScope((scope, host: string, port: number, subset: string | null, named: string): ClusterState => {
  const { snapshot, context } = scope
  if (!snapshot.knows('Service') || !snapshot.knows('ServiceEntry')) return { missing: null, ready: null }
  const service = host === named ? destinationInScope(scope, host) : serviceInScope(scope, host)
  if (service === null || service.resolution === 'alias') return none('host')
  const protocol = portOf(service, port)?.protocol
  if (protocol === undefined || protocol === 'udp') return none('port')
  if (hasNoCluster(snapshot, context, service, port, {})) return none('host')
  if (subset === null) return { missing: null, ready: readyEndpoints(snapshot, context, service, port, {}) }
  if (!snapshot.knows('DestinationRule')) return { missing: null, ready: null }
  const labels = subsetLabels(scope, service, subset)
  if (labels === null || hasNoCluster(snapshot, context, service, port, labels)) return none('subset')
  return { missing: null, ready: readyEndpoints(snapshot, context, service, port, labels) }
})

function none(missing: Missing): ClusterState {
  return { missing, ready: 0 }
}
