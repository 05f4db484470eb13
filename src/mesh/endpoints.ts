/** How many endpoints of a service would get requests: Ready Pods that its selector and the subset's labels take (11). */
import { selects } from './labels.ts'
import type { Labels, Pod, Service, ServiceEntry } from './objects.ts'
import type { MeshService } from './services.ts'
import { podsSelected, type Snapshot } from './snapshot.ts'
import type { Context } from './table.ts'

const CLUSTER_LABEL = 'topology.istio.io/cluster'
/** The name of the one cluster that istiod knows where nobody names it; Istio puts it on every endpoint (11.3). */
const CLUSTER = 'Kubernetes'

/** null where neither Istio nor hitless can know: no selector, DNS, a headless service's original destination. */
export function readyEndpoints(
  snapshot: Snapshot,
  context: Context,
  service: MeshService,
  port: number,
  subset: Labels | null
): number | null {
  const { object } = service
  if (object.kind === 'ServiceEntry') return ofEntry(snapshot, object, subset ?? {})
  if (object.headless && context.kind === 'mesh') return null // ORIGINAL_DST: subset labels are not applied (8.6)
  return ofService(snapshot, object, port, subset ?? {})
}

function ofService(snapshot: Snapshot, service: Service, port: number, subset: Labels): number | null {
  if (service.selector === null || !snapshot.knows('Pod')) return null
  if (!contradictionFree(service.selector, subset)) return 0
  const target = service.ports.find((each) => each.port === port)?.targetPort
  const pods = podsSelected(snapshot, service.namespace, service.selector).filter((pod) => {
    if (pod.deleting || !(pod.ready || service.publishNotReadyAddresses)) return false // (11.4)
    return hasLabels(pod.labels, subset) && hasPort(pod, target)
  })
  return pods.length + workloads(snapshot, service.namespace, service.selector, subset)
}

/** DNS and NONE resolution: whether an address answers is not known (8.5). */
function ofEntry(snapshot: Snapshot, entry: ServiceEntry, subset: Labels): number | null {
  if (entry.resolution !== 'STATIC' && entry.resolution !== '1') return null
  if (entry.workloadSelector === null) return entry.endpoints.filter(({ labels }) => hasLabels(labels, subset)).length
  const pods = podsSelected(snapshot, entry.namespace, entry.workloadSelector).filter(
    (pod) => pod.ready && !pod.deleting && hasLabels(pod.labels, subset)
  )
  return pods.length + workloads(snapshot, entry.namespace, entry.workloadSelector, subset)
}

/** WorkloadEntries of the namespace that the selector takes; they count for Kubernetes Services too (8.5). */
function workloads(snapshot: Snapshot, namespace: string, selector: Labels, subset: Labels): number {
  const [key] = Object.keys(selector)
  if (key === undefined) return 0
  let count = 0
  for (const entry of snapshot.lookup('workloadEntryByLabel', `${namespace}/${key}=${selector[key]}`)) {
    const labels = { ...entry.labels, ...entry.workloadLabels }
    if (selects(selector, labels) && hasLabels(labels, subset)) count++
  }
  return count
}

function hasLabels(labels: Labels, subset: Labels): boolean {
  for (const key in subset) {
    const value = labels[key] ?? (key === CLUSTER_LABEL ? CLUSTER : undefined)
    if (value !== subset[key]) return false
  }
  return true
}

/** A named targetPort that no container declares gives no endpoint (11.5). */
function hasPort({ portNames }: Pod, target: number | string | undefined): boolean {
  return typeof target !== 'string' || portNames.includes(target)
}

/** The selector and the subset can be met by one Pod: a version in both that differs empties the subset (11.1). */
function contradictionFree(selector: Labels, subset: Labels): boolean {
  for (const key in subset) if (key in selector && selector[key] !== subset[key]) return false
  return true
}
