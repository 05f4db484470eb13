/** How many endpoints of a service would get requests (11). pilot/pkg/xds/endpoints/endpoint_builder.go. */

import type { EndpointSlice } from '../../kinds/endpoint-slice.ts'
import type { Pod } from '../../kinds/pod.ts'
import type { Service } from '../../kinds/service.ts'
import type { ServiceEntry } from '../../kinds/service-entry.ts'
import type { WorkloadEntry } from '../../kinds/workload-entry.ts'
import { atPort } from '../names/at-port.ts'
import { compatible, type Labels, selects } from '../names/labels.ts'
import { own } from '../names/own.ts'
import type { MeshSettings } from '../snapshot/settings.ts'
import { podsSelected, type Snapshot } from '../snapshot/snapshot.ts'
import { type MeshService, portOf, resolutionOf } from './services.ts'
import type { Context } from './table.ts'

/** What Istio adds to an endpoint's labels besides the node's name: the cluster, and from the node where it runs (11.3). */
const CLUSTER_LABEL = 'topology.istio.io/cluster'
const CLUSTER_NAME = 'Kubernetes'
const HOSTNAME_LABEL = 'kubernetes.io/hostname'
const NODE_LABELS = [
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.istio.io/subzone',
  'topology.istio.io/network'
]

/** Of a service's port, those that all labels of a subset take; null where neither Istio nor hitless can know. */
export function readyEndpoints(snapshot: Snapshot, context: Context, service: MeshService, port: number, subset: Labels): number | null {
  // To a headless service the client names the address itself, and subset labels are not applied; a gateway cannot (8.6).
  if (service.resolution === 'passthrough' && context.kind === 'mesh') return null
  if (service.resolution === 'dynamic-dns') return null
  const { object } = service
  const known = withoutNodeLabels(subset)
  const most = object.kind === 'Service' ? ofService(snapshot, object, service, port, known) : ofEntries(snapshot, service, port, known)
  const isExact = known === subset && !(object.kind === 'Service' && object.internalTrafficLocal)
  // Of labels of nodes, and of the client's own node (11.5), it is not known how many of these there are; but of none there is none.
  return isExact || most === 0 ? most : null
}

function ofService(snapshot: Snapshot, service: Service, { ports }: MeshService, port: number, subset: Labels): number | null {
  const portName = atPort(ports, ({ number }) => number, port)?.name ?? ''
  const slices = [...snapshot.lookup('endpointSliceByService', `${service.namespace}/${service.name}`)]
  if (slices.length > 0 && !slices.some(({ portNames }) => portNames.includes(portName))) return 0 // (11.5)
  if (service.selector === null) return slices.length === 0 ? null : ofSlices(snapshot, slices, service.namespace, subset)
  if (!snapshot.knows('Pod')) return null
  if (!compatible(service.selector, subset)) return 0 // no Pod can have both labels (11.1)
  const target = atPort(service.ports, (each) => each.port, port)?.targetPort
  let count = 0
  const pods = podsSelected(snapshot, service.namespace, service.selector)
  snapshot.charge(pods.length * (1 + Object.keys(subset).length))
  for (const pod of pods) {
    if (isUsed(pod, service.publishNotReadyAddresses) && hasPort(pod, target) && isOfSubset(pod, subset, snapshot.settings)) count++
  }
  return orElsewhere(snapshot, count + countWorkloads(snapshot, service.namespace, service.selector, subset, target), subset)
}

/** In a mesh of several clusters none here is not none: only a subset by this cluster's own name is known. */
function orElsewhere({ settings }: Snapshot, count: number, subset: Labels): number | null {
  if (count > 0 || settings.clusters !== 'several') return count
  return own(subset, CLUSTER_LABEL) === (settings.clusterName ?? CLUSTER_NAME) ? 0 : null
}

/** Of a service without selector; the Pods behind its addresses, where there are any, lend them their labels. */
function ofSlices(snapshot: Snapshot, slices: readonly EndpointSlice[], namespace: string, subset: Labels): number {
  if (Object.keys(subset).length === 0) return slices.reduce((sum, { readyAddresses }) => sum + readyAddresses, 0)
  for (const { endpoints } of slices) snapshot.charge(endpoints.length * (1 + Object.keys(subset).length))
  const named = slices.flatMap(({ endpoints }) => endpoints.filter(({ ready, pod }) => ready && pod !== ''))
  return named.filter(({ pod }) => {
    const found = snapshot.find('Pod', namespace, pod)
    return found !== undefined && isOfSubset(found, subset, snapshot.settings)
  }).length
}

/** Those of every ServiceEntry of the host in the namespace that has a port of this name, whichever of them Istio keeps (8.7). `EndpointIndex.ShardsForService`. */
function ofEntries(snapshot: Snapshot, service: MeshService, port: number, subset: Labels): number {
  const { host, namespace, resolution } = service
  const portName = portOf(service, port)?.name
  let count = 0
  for (const entry of snapshot.lookup('serviceEntryByHost', host)) {
    if (entry.namespace !== namespace || !entry.hosts.includes(host) || resolutionOf(entry) !== resolution) continue
    snapshot.charge(entry.ports.length)
    if (entry.ports.some(({ name }) => name === portName)) count += ofEntry(snapshot, entry, resolution, subset)
  }
  return count
}

/** Endpoints of a DNS name are sent without their health (8.5). */
function ofEntry(snapshot: Snapshot, entry: ServiceEntry, resolution: MeshService['resolution'], subset: Labels): number {
  const { workloadSelector, endpoints, namespace } = entry
  if (workloadSelector === null) {
    // A DNS name without endpoints is its own endpoint, without labels. `convertServiceEntryToInstances`.
    snapshot.charge(endpoints.length * (1 + Object.keys(subset).length))
    const own = endpoints.length === 0 && resolution === 'dns' ? [{ labels: {} }] : endpoints
    return own.filter(({ labels }) => hasLabels(labels, subset, snapshot.settings)).length
  }
  const pods = podsSelected(snapshot, namespace, workloadSelector).filter(
    (pod) => isUsed(pod, false) && isOfSubset(pod, subset, snapshot.settings)
  )
  return pods.length + countWorkloads(snapshot, namespace, workloadSelector, subset)
}

/** WorkloadEntries that the selector takes count for ServiceEntries and Services alike (8.5). */
function countWorkloads(snapshot: Snapshot, namespace: string, selector: Labels, subset: Labels, target?: number | string): number {
  const [pair] = Object.entries(selector)
  if (pair === undefined) return 0
  let count = 0
  for (const entry of snapshot.lookup('workloadEntryByLabel', `${namespace}/${pair[0]}=${pair[1]}`)) {
    if (
      !entry.deleting &&
      hasPort(entry, target) &&
      selects(selector, entry.workloadLabels) &&
      hasLabels(entry.workloadLabels, subset, snapshot.settings)
    )
      count++
  }
  return count
}

/** Unready Pods get no requests unless the Service publishes them; terminating ones get none at once (11.4). */
function isUsed({ ready, deleting }: Pod, publishNotReady: boolean): boolean {
  return !deleting && (ready || publishNotReady)
}

/** A named targetPort that no container, or no WorkloadEntry, declares gives no endpoint (11.5). */
function hasPort({ portNames }: Pick<Pod | WorkloadEntry, 'portNames'>, target: number | string | undefined): boolean {
  return typeof target !== 'string' || portNames.includes(target)
}

function hasLabels(labels: Labels, subset: Labels, { clusterName = CLUSTER_NAME }: MeshSettings): boolean {
  for (const key in subset) {
    const value = own(labels, key)
    if (value === subset[key]) continue
    if (key !== CLUSTER_LABEL || value !== undefined || subset[key] !== clusterName) return false
  }
  return true
}

/** A Pod has its node's name for a label, unless it says otherwise itself; few subsets ask for it. */
function isOfSubset({ labels, node }: Pod, subset: Labels, settings: MeshSettings): boolean {
  if (node === '' || !Object.hasOwn(subset, HOSTNAME_LABEL) || Object.hasOwn(labels, HOSTNAME_LABEL))
    return hasLabels(labels, subset, settings)
  return hasLabels({ ...labels, [HOSTNAME_LABEL]: node }, subset, settings)
}

/** Without the labels that Istio takes from nodes, which hitless does not watch. */
function withoutNodeLabels(subset: Labels): Labels {
  if (!NODE_LABELS.some((label) => Object.hasOwn(subset, label))) return subset
  return Object.fromEntries(Object.entries(subset).filter(([label]) => !NODE_LABELS.includes(label)))
}

/** A service resolved by DNS has no cluster without endpoints, and no subset cluster without endpoints of the subset (8.5). */
export function hasNoCluster(snapshot: Snapshot, context: Context, service: MeshService, port: number, subset: Labels): boolean {
  return (
    service.resolution === 'dns' && portOf(service, port) !== undefined && readyEndpoints(snapshot, context, service, port, subset) === 0
  )
}
