import { definePodMaker, parseWorkload, type WorkloadSpec } from './workload.ts'

export interface ReplicaSet extends WorkloadSpec {
  readonly kind: 'ReplicaSet'
  /** What owns it makes its Pods: a Deployment, a Rollout. */
  readonly owned: boolean
}

export const replicaSets = definePodMaker({
  kind: 'ReplicaSet',
  api: { group: 'apps', versions: ['v1'], plural: 'replicasets', namespaced: true },
  parse: (manifest, identity): ReplicaSet => ({
    kind: 'ReplicaSet',
    ...parseWorkload(manifest, identity),
    owned: (manifest.fields.child('metadata')?.children('ownerReferences') ?? []).length > 0
  })
})
