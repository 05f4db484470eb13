/** What a write leaves once all has come to rest: Pods that a workload's new template makes, or that go with it. */
import { isWorkload, isWorkloadKind, KINDS, type ObjectRef, type Workload } from '../../src/kinds/index.ts'
import type { Pod } from '../../src/kinds/pod.ts'
import type { PodTemplate } from '../../src/kinds/workload.ts'
import { changed } from '../../src/mesh/routing/gateway-api/compiled.ts'
import type { Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import { podsOf, podsOwned } from '../../src/mesh/snapshot/workloads.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'

/**
 * The snapshot after a write, at rest: Pods of a new template are Ready as the old ones were, those of a new workload or of more replicas
 * are not yet, and fewer replicas leave the Ready ones. A ReplicaSet makes nothing of a new template as long as its Pods stand.
 */
export function endState(before: Snapshot, { ref, after }: Pick<Write, 'ref' | 'after'>): Snapshot {
  const pods = isWorkloadKind(ref.kind) ? podsOwned(before, ref) : []
  const gone = after === null && ref.kind === 'Namespace' ? inside(before, ref.name) : []
  const standing = ref.kind === 'ReplicaSet' ? before.find(ref.kind, ref.namespace, ref.name) : undefined
  const made = after !== null && isWorkload(after) ? podsAfter(after, pods, standing) : []
  return changed(before, { removed: [ref, ...pods, ...gone], added: [...(after === null ? [] : [after]), ...made] })
}

function podsAfter(workload: Workload, before: readonly Pod[], template: PodTemplate = workload): Pod[] {
  const { replicas } = workload
  const ready = before.filter((pod) => pod.ready && !pod.deleting).length
  return podsOf({ ...workload, status: { replicas, readyReplicas: Math.min(ready, replicas) } }, template)
}

function inside(snapshot: Snapshot, namespace: string): ObjectRef[] {
  return KINDS.flatMap((kind) => [...snapshot.all(kind)]).filter((object) => object.namespace === namespace)
}
