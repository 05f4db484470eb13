/** Rollouts of Argo Rollouts. */
import { definePodMaker, parseWorkload, type WorkloadSpec } from './workload.ts'

export interface Rollout extends WorkloadSpec {
  readonly kind: 'Rollout'
  /** The workload whose template it takes (`workloadRef`); null where it has one of its own. */
  readonly templateOf: { readonly kind: string; readonly name: string } | null
}

export const rollouts = definePodMaker({
  kind: 'Rollout',
  api: { group: 'argoproj.io', versions: ['v1alpha1'], plural: 'rollouts', namespaced: true },
  parse: (manifest, identity): Rollout => {
    const ref = manifest.spec.child('workloadRef')
    const templateOf = ref === null ? null : { kind: ref.string('kind'), name: ref.string('name') }
    return { kind: 'Rollout', ...parseWorkload(manifest, identity), templateOf }
  }
})
