/** Who takes part in the mesh, by labels. Injection and ambient mode, pkg/kube/inject/webhook.go and cni/pkg/util. */
import { REVISION } from '../../kinds/identity.ts'
import type { Pod } from '../../kinds/pod.ts'
import type { Labels } from '../names/labels.ts'
import { own } from '../names/own.ts'
import type { Snapshot } from './snapshot.ts'

/** Labels of a namespace, or a Pod's own, by which Istio takes Pods into the mesh. */
export function takesPartBy(labels: Labels): boolean {
  return (
    own(labels, 'istio-injection') === 'enabled' ||
    own(labels, REVISION) !== undefined ||
    own(labels, 'istio.io/dataplane-mode') === 'ambient'
  )
}

/** The nodes' own proxies take mTLS for the Pods of the namespace. */
export function isAmbient(snapshot: Snapshot, namespace: string): boolean {
  return own(snapshot.find('Namespace', '', namespace)?.labels ?? {}, 'istio.io/dataplane-mode') === 'ambient'
}

/** Nothing takes mTLS for it: it has no sidecar, and nothing says that it is to have one. */
export function hasNoProxy(snapshot: Snapshot, { namespace, labels, hasSidecar }: Pod): boolean {
  // By what injection leaves, clients know that a Pod speaks mTLS (13.1).
  if (hasSidecar === true || own(labels, 'security.istio.io/tlsMode') === 'istio') return false
  const wanted = own(labels, 'sidecar.istio.io/inject')
  if (wanted === 'false') return true
  const home = snapshot.find('Namespace', '', namespace)
  return hasSidecar === false && wanted === undefined && home !== undefined && !takesPartBy(labels) && !takesPartBy(home.labels)
}

/** Of a Pod that is seen, what it has; of one that only a workload tells of, what injection makes of it, and null where nothing says. */
export function hasSidecarOrIsToHave(snapshot: Snapshot, pod: Pod): boolean | null {
  if (pod.hasSidecar !== null) return pod.hasSidecar
  if (hasNoProxy(snapshot, pod)) return false
  return takesPartBy(pod.labels) || takesPartBy(snapshot.find('Namespace', '', pod.namespace)?.labels ?? {}) ? true : null
}
