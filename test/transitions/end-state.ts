/** What a write leaves once all has come to rest: Pods that a workload's new template makes, or that go with it. */
import { KINDS, type MeshObject, type ObjectRef } from '../../src/kinds/index.ts'
import type { Pod } from '../../src/kinds/pod.ts'
import { changed } from '../../src/mesh/routing/gateway-api/compiled.ts'
import type { Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import { podsOf } from '../../src/mesh/snapshot/workloads.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'

/**
 * The snapshot after a write, at rest: Pods of a new template are Ready as the old ones were, those of a new Deployment or of more replicas
 * are not yet, and fewer replicas leave the Ready ones.
 */
export function endState(before: Snapshot, { ref, after }: Pick<Write, 'ref' | 'after'>): Snapshot {
  const pods = ref.kind === 'Deployment' ? [...before.lookup('podByWorkload', `${ref.namespace}/Deployment/${ref.name}`)] : []
  const gone = after === null && ref.kind === 'Namespace' ? inside(before, ref.name) : []
  const added: MeshObject[] = [...(after === null ? [] : [after]), ...(after?.kind === 'Deployment' ? podsAfter(after, pods) : [])]
  return changed(before, { removed: [ref, ...pods, ...gone], added })
}

function podsAfter(deployment: Extract<MeshObject, { kind: 'Deployment' }>, before: readonly Pod[]): Pod[] {
  const { replicas } = deployment
  const ready = before.filter((pod) => pod.ready && !pod.deleting).length
  return podsOf({ ...deployment, status: { replicas, readyReplicas: Math.min(ready, replicas) } })
}

function inside(snapshot: Snapshot, namespace: string): ObjectRef[] {
  return KINDS.flatMap((kind) => [...snapshot.all(kind)]).filter((object) => object.namespace === namespace)
}
