/** What istiod's answers must show once a change is in a push: seen by a client in the root namespace, which sees what is exported to everybody. */

import type { DestinationRule } from '../kinds/destination-rule.ts'
import { carriedBackends, type HttpLikeRoute, type ParentRef } from '../kinds/gateway-api.ts'
import { carriedOf, type Destination, type HttpMatch } from '../kinds/http-rule.ts'
import { isSameRef } from '../kinds/index.ts'
import type { Pod } from '../kinds/pod.ts'
import type { Service, ServicePort } from '../kinds/service.ts'
import type { VirtualService } from '../kinds/virtual-service.ts'
import { hostKey, serviceOfHost } from '../mesh/names/hosts.ts'
import { sameLabels, selects } from '../mesh/names/labels.ts'
import { exportsOf, isExported } from '../mesh/names/visibility.ts'
import type { RecentChange } from '../mesh/snapshot/propagation.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

/** One thing to be seen. A route leads to a cluster or does not, a cluster is there or is not, and has endpoints that take requests. */
export type Sight =
  | { readonly type: 'cluster'; readonly name: string; readonly isThere: boolean }
  | { readonly type: 'endpoint'; readonly name: string; readonly isThere: true }
  | Gone

/** From a route configuration, by name. */
interface Gone {
  readonly type: 'route'
  readonly name: string
  readonly cluster: string
  readonly isThere: false
}

/** null where the change cannot be told from istiod's answers. */
export function sightsOf({ before, after }: RecentChange, snapshot: Snapshot): Sight[] | null {
  const { rootNamespace, istiodNamespace } = snapshot.settings
  // It asks as a client of istiod's namespace, which is the root namespace nearly everywhere.
  if (istiodNamespace !== rootNamespace) return null
  // A Sidecar there limits what the client sees.
  for (const _ of snapshot.lookup('sidecarByNamespace', rootNamespace)) return null
  const object = after ?? before
  switch (object?.kind) {
    case 'DestinationRule':
      return ofRule(before?.kind === object.kind ? before : null, after?.kind === object.kind ? after : null, snapshot)
    case 'Service':
      return ofService(before?.kind === object.kind ? before : null, after?.kind === object.kind ? after : null, snapshot)
    case 'Pod':
      return ofPod(object, snapshot)
    case 'VirtualService':
      return ofRoutes(before?.kind === object.kind ? before : null, after?.kind === object.kind ? after : null, snapshot)
    case 'HTTPRoute':
    case 'GRPCRoute':
      return ofMeshRoute(before?.kind === object.kind ? before : null, after?.kind === object.kind ? after : null, snapshot)
    default:
      return null
  }
}

/** Subsets that came and went are clusters that came and went. A subset of other labels is the same cluster. */
function ofRule(before: DestinationRule | null, after: DestinationRule | null, snapshot: Snapshot): Sight[] | null {
  const rule = after ?? before
  if (rule === null) return null
  const { rootNamespace, defaultDestinationRuleExportTo: byDefault } = snapshot.settings
  const { host } = rule
  const service = visibleService(host, snapshot)
  const isSeen =
    [service?.namespace, rootNamespace].includes(rule.namespace) && isExported(exportsOf(rule, byDefault), rule.namespace, rootNamespace)
  if (service === null || !isSeen || rule.workloadSelector !== null) return null
  if (before !== null && after !== null && before.host !== after.host) return null
  const [old, fresh] = [before?.subsets ?? [], after?.subsets ?? []]
  const relabelled = fresh.some(({ name, labels }) => old.some((each) => each.name === name && !sameLabels(each.labels, labels)))
  if (relabelled) return null
  const come = fresh.filter(({ name }) => !old.some((each) => each.name === name))
  const gone = old.filter(({ name }) => !fresh.some((each) => each.name === name))
  const sights = service.ports.flatMap(({ port }) => [
    ...come.map(({ name }): Sight => ({ type: 'cluster', name: clusterName(port, name, host), isThere: true })),
    ...gone.map(({ name }): Sight => ({ type: 'cluster', name: clusterName(port, name, host), isThere: false }))
  ])
  return sights.length === 0 ? null : sights
}

function ofService(before: Service | null, after: Service | null, snapshot: Snapshot): Sight[] | null {
  const service = after ?? before
  if (service === null || !isVisible(service, snapshot)) return null
  if (before !== null && after !== null && !sameLabels(before.selector ?? {}, after.selector ?? {})) return null
  const { host } = service
  const has = (ports: readonly ServicePort[], port: number) => ports.some((each) => each.port === port)
  const [old, fresh] = [before?.ports ?? [], after?.ports ?? []]
  const come = fresh.filter(({ port }) => !has(old, port))
  const sights = come.map(({ port }): Sight => ({ type: 'cluster', name: clusterName(port, '', host), isThere: true }))
  return sights.length === 0 ? null : sights
}

/** The clusters to which a Pod that is Ready belongs have an endpoint. */
function ofPod(pod: Pod, snapshot: Snapshot): Sight[] | null {
  const services = Object.entries(pod.labels).flatMap(([key, value]) => [
    ...snapshot.lookup('serviceBySelector', `${pod.namespace}/${key}=${value}`)
  ])
  const selecting = [...new Set(services)].filter(({ selector }) => selector !== null && selects(selector, pod.labels))
  const sights = selecting.filter((service) => isVisible(service, snapshot)).flatMap((service) => ofEndpoint(pod, service, snapshot))
  return sights.length === 0 ? null : sights
}

function ofEndpoint(pod: Pod, service: Service, snapshot: Snapshot): Sight[] {
  const { rootNamespace, defaultDestinationRuleExportTo: byDefault } = snapshot.settings
  const { host } = service
  const rules = [...snapshot.lookup('destinationRuleByHost', host)].filter(
    (rule) =>
      [service.namespace, rootNamespace].includes(rule.namespace) && isExported(exportsOf(rule, byDefault), rule.namespace, rootNamespace)
  )
  const subsets = rules.flatMap((rule) => rule.subsets).filter(({ labels }) => selects(labels, pod.labels))
  const ports = service.ports.filter(({ targetPort }) => typeof targetPort === 'number' || pod.portNames.includes(targetPort))
  return ports.flatMap(({ port }) =>
    ['', ...subsets.map(({ name }) => name)].map(
      (subset): Sight => ({ type: 'endpoint', name: clusterName(port, subset, host), isThere: true })
    )
  )
}

/**
 * No route of its hosts leads any longer to what the VirtualService sends nothing to. Told for http routes on the mesh and
 * hosts of Services; what the object says at Gateways too is in the same push.
 */
function ofRoutes(before: VirtualService | null, after: VirtualService | null, snapshot: Snapshot): Sight[] | null {
  if (before === null) return null
  const { rootNamespace, defaultVirtualServiceExportTo: byDefault } = snapshot.settings
  const isHttpOfMesh = [before, after].every((vs) => vs === null || (vs.gateways.includes('mesh') && vs.tls.length + vs.tcp.length === 0))
  if (!isHttpOfMesh || !isExported(exportsOf(before, byDefault), before.namespace, rootNamespace)) return null
  const left = leftOf(clustersOf(before, snapshot), after === null ? [] : clustersOf(after, snapshot))
  const routes: string[] = []
  for (const host of before.hosts) {
    const service = visibleService(host, snapshot)
    // Of two for one host, a client of the mesh has the routes of one.
    const others = [...snapshot.lookup('virtualServiceByHost', hostKey(host))].some((vs) => !isSameRef(vs, before))
    if (service === null || others) return null
    routes.push(...service.ports.map(({ port }) => clusterName(port, '', host)))
  }
  const sights = goneFrom(routes, left)
  return sights.length === 0 ? null : sights
}

/**
 * The same of a route of the Gateway API at the Services of its namespace: what Istio makes of it at other parents no client of the root namespace
 * is told, but it is in the same push.
 */
function ofMeshRoute(before: HttpLikeRoute | null, after: HttpLikeRoute | null, snapshot: Snapshot): Sight[] | null {
  if (before === null) return null
  const { namespace, parents } = before
  const isTold = (parent: ParentRef) => parent.group === '' && parent.kind === 'Service' && parent.namespace === namespace
  const left = leftOf(clustersOfBackends(before), after === null ? [] : clustersOfBackends(after))
  const routes: string[] = []
  for (const { name, port } of parents.filter(isTold)) {
    const service = snapshot.find('Service', namespace, name)
    if (service === undefined || !isVisible(service, snapshot)) return null
    const ports = port === null ? service.ports.map((each) => each.port) : [port]
    routes.push(...ports.map((each) => clusterName(each, '', service.host)))
  }
  // Without the route, a Service is its own destination again.
  const sights = goneFrom(routes, left).filter(({ name, cluster }) => after !== null || name !== cluster)
  return sights.length === 0 ? null : sights
}

function leftOf(before: readonly string[], after: readonly string[]): Set<string> {
  const kept = new Set(after)
  return new Set(before.filter((cluster) => !kept.has(cluster)))
}

function goneFrom(routes: readonly string[], clusters: ReadonlySet<string>): Gone[] {
  return routes.flatMap((name) => [...clusters].map((cluster): Gone => ({ type: 'route', name, cluster, isThere: false })))
}

function clustersOfBackends({ rules }: HttpLikeRoute): string[] {
  return rules.flatMap(carriedBackends).flatMap(({ host, port }) => (port === null ? [] : [clusterName(port, '', host)]))
}

/** Those of the routes that the client in the root namespace is told. */
function clustersOf({ http }: VirtualService, snapshot: Snapshot): string[] {
  const { rootNamespace } = snapshot.settings
  const isTold = ({ gateways, sourceLabels, sourceNamespace }: HttpMatch) =>
    (gateways.length === 0 || gateways.includes('mesh')) &&
    Object.keys(sourceLabels).length === 0 &&
    ['', rootNamespace].includes(sourceNamespace)
  const told = http.filter(({ match }) => match.length === 0 || match.some(isTold))
  return told.flatMap(({ route }) => carriedOf(route)).flatMap((destination) => clustersOfDestination(destination, snapshot))
}

function clustersOfDestination({ host, subset, port }: Destination, snapshot: Snapshot): string[] {
  const ports = port === null ? (serviceOf(host, snapshot)?.ports.map((each) => each.port) ?? []) : [port]
  return ports.map((each) => clusterName(each, subset ?? '', host))
}

function visibleService(host: string, snapshot: Snapshot): Service | null {
  const service = serviceOf(host, snapshot)
  return service !== undefined && isVisible(service, snapshot) ? service : null
}

function serviceOf(host: string, snapshot: Snapshot): Service | undefined {
  const named = serviceOfHost(host, snapshot.settings.domain)
  return named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
}

function isVisible(service: Service, { settings }: Snapshot): boolean {
  const exportTo = exportsOf(service, settings.defaultServiceExportTo)
  return service.externalName === null && isExported(exportTo, service.namespace, settings.rootNamespace)
}

/** `BuildSubsetKey`, pilot/pkg/model/service.go; of a route of the client that asks so, its name too (pilot/pkg/networking/grpcgen/rds.go). */
function clusterName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`
}
