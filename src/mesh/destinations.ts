/** From destinations as written to clusters as Envoy has them, with the endpoints behind them (8, 9). */
import { subsetsFor } from './destination-rules.ts'
import { readyEndpoints } from './endpoints.ts'
import type { Destination, ServiceEntry } from './objects.ts'
import { aliasTarget, type MeshService, visibleService } from './services.ts'
import type { Snapshot } from './snapshot.ts'
import type { Context, RoutedDestination } from './table.ts'

/** Where a destination without port goes: to the port that was called, or of a single-port service to that port (8.2). */
export type PortRule = 'listener' | 'single-port'

/** The destinations that get requests: a lone one whatever its weight, of several those with weight, in proportion (9.1, 9.2). */
export function carried(
  snapshot: Snapshot,
  context: Context,
  listenerPort: number,
  destinations: readonly Destination[],
  rule: PortRule
): RoutedDestination[] {
  if (destinations.length === 1) return destinations.map((only) => routed(snapshot, context, listenerPort, only, 1, rule))
  const weighted = destinations.filter(({ weight }) => weight > 0)
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0)
  return weighted.map((each) => routed(snapshot, context, listenerPort, each, each.weight / total, rule))
}

/** One destination, its host completed already, as a cluster: `outbound|<port>|<subset>|<host>` (8.1). */
export function routed(
  snapshot: Snapshot,
  context: Context,
  listenerPort: number,
  { host: written, subset, port: writtenPort, path }: Destination,
  share: number,
  rule: PortRule
): RoutedDestination {
  const host = aliasTarget(snapshot, written)
  const service = visibleService(snapshot, context, host)
  const [only, ...others] = service?.ports ?? []
  const single = rule === 'single-port' && only !== undefined && others.length === 0
  const port = writtenPort ?? (single ? only.number : listenerPort)
  const rest = { host, subset, port, share, path }
  if (service === null) return { ...rest, missing: isUnknown(snapshot) ? null : 'host', ready: isUnknown(snapshot) ? null : 0 }
  if (!service.ports.some(({ number }) => number === port)) return { ...rest, missing: 'port', ready: 0 }
  return toSubset(snapshot, context, service, rest)
}

/** A kind whose watch is not synced is unknown, never absent. */
function isUnknown(snapshot: Snapshot): boolean {
  return !snapshot.knows('Service') || !snapshot.knows('ServiceEntry')
}

function toSubset(
  snapshot: Snapshot,
  context: Context,
  service: MeshService,
  rest: Omit<RoutedDestination, 'missing' | 'ready'>
): RoutedDestination {
  if (rest.subset === null) return { ...rest, missing: null, ready: readyEndpoints(snapshot, context, service, rest.port, null) }
  if (!snapshot.knows('DestinationRule')) return { ...rest, missing: null, ready: null }
  const labels = subsetsFor(snapshot, context, service)?.get(rest.subset)
  if (labels === undefined) return { ...rest, missing: 'subset', ready: 0 }
  const ready = readyEndpoints(snapshot, context, service, rest.port, labels)
  if (service.object.kind === 'ServiceEntry' && isEmptyDnsSubset(service.object, labels)) return { ...rest, missing: 'subset', ready: 0 }
  return { ...rest, missing: null, ready }
}

/** A subset of a DNS host without any endpoint has no cluster at all (8.5). */
function isEmptyDnsSubset({ resolution, endpoints, workloadSelector }: ServiceEntry, labels: Readonly<Record<string, string>>): boolean {
  if (!['DNS', 'DNS_ROUND_ROBIN', '2', '3'].includes(resolution) || workloadSelector !== null) return false
  return !endpoints.some((endpoint) => Object.entries(labels).every(([key, value]) => endpoint.labels[key] === value))
}
