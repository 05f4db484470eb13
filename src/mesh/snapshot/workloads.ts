import { isWorkload, type ObjectRef, type Workload } from '../../kinds/index.ts'
import { type Pod, ROLLOUT_HASH } from '../../kinds/pod.ts'
import { type PodTemplate, sameTemplate } from '../../kinds/workload.ts'
import { own } from '../names/own.ts'
import type { Snapshot } from './snapshot.ts'
import type { Write } from './write.ts'

/** Whether there are more changes nothing; a manifest may well ask for a billion. */
const MOST_PODS = 1000

/**
 * The Pods that a workload of a file stands for: `status.readyReplicas` Ready ones of `status.replicas`, and where it has no status all of
 * its replicas, Ready; those of a ReplicaSet that something owns are its owner's. No Pod of a real cluster has such a name.
 */
export function podsOf(workload: Workload, template: PodTemplate = workload): Pod[] {
  const { kind, namespace, name } = workload
  const { replicas, readyReplicas } = workload.status ?? { replicas: workload.replicas, readyReplicas: workload.replicas }
  if (kind === 'ReplicaSet' && workload.owned) return []
  return Array.from({ length: Math.min(Math.max(replicas, readyReplicas), MOST_PODS) }, (_, at) => ({
    kind: 'Pod',
    namespace,
    name: `${name}.${kind.toLowerCase()}.${at}`,
    uid: '',
    resourceVersion: '',
    createdMs: workload.createdMs,
    deleting: false,
    finalizers: [],
    owners: [],
    labels: template.templateLabels,
    annotations: {},
    ready: at < readyReplicas,
    node: '',
    hasSidecar: null,
    portNames: template.templatePortNames,
    workload: `${kind}/${name}`
  }))
}

/** The Pods whose workload this is. */
export function podsOwned(snapshot: Snapshot, { kind, namespace, name }: ObjectRef): Pod[] {
  return [...snapshot.lookup('podByWorkload', `${namespace}/${kind}/${name}`)]
}

/** The Pods that a workload has. A Pod names the Rollout behind its ReplicaSet, so that those of the ReplicaSet are told by its hash. */
export function podsMade(snapshot: Snapshot, workload: Workload): Pod[] {
  if (workload.kind !== 'ReplicaSet') return podsOwned(snapshot, workload)
  const { namespace, owners, templateLabels } = workload
  const behind = owners.flatMap(({ kind, name }) => [...snapshot.lookup('podByWorkload', `${namespace}/${kind}/${name}`)])
  const hash = own(templateLabels, ROLLOUT_HASH)
  return [...podsOwned(snapshot, workload), ...behind.filter(({ labels }) => hash !== undefined && own(labels, ROLLOUT_HASH) === hash)]
}

/** The Pods that a write takes away: those of a workload that is deleted or wants no replicas. */
function podsLeaving({ before, after }: Write, snapshot: Snapshot): Pod[] {
  const object = after ?? before
  if (object === null || !isWorkload(object) || (after !== null && isWorkload(after) && after.replicas > 0)) return []
  return podsMade(snapshot, object)
}

/**
 * A workload's Pods after a write: none once it is deleted or at 0; moved to the new labels and ports, as a rolling update does, when the template changes. Of a
 * ReplicaSet they stay what they are.
 */
export function podsAfter(write: Write, snapshot: Snapshot): { readonly removed: readonly Pod[]; readonly added: readonly Pod[] } {
  const { before, after } = write
  const removed = podsLeaving(write, snapshot)
  if (removed.length > 0 || before === null || after === null || !isWorkload(before) || !isWorkload(after)) return { removed, added: [] }
  if (after.kind === 'ReplicaSet' || sameTemplate(before, after)) return { removed, added: [] }
  return { removed, added: podsMade(snapshot, before).map((pod) => relabelled(pod, before, after)) }
}

/** Labels and ports that the template does not name come from controllers and from injection, and stay. */
function relabelled(pod: Pod, before: PodTemplate, after: PodTemplate): Pod {
  const kept = Object.entries(pod.labels).filter(([key]) => !Object.hasOwn(before.templateLabels, key))
  const ports = pod.portNames.filter((name) => !before.templatePortNames.includes(name))
  return { ...pod, labels: { ...Object.fromEntries(kept), ...after.templateLabels }, portNames: [...ports, ...after.templatePortNames] }
}
