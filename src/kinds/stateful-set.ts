import { definePodMaker, parseWorkload, type WorkloadSpec } from './workload.ts'

export interface StatefulSet extends WorkloadSpec {
  readonly kind: 'StatefulSet'
}

export const statefulSets = definePodMaker({
  kind: 'StatefulSet',
  api: { group: 'apps', versions: ['v1'], plural: 'statefulsets', namespaced: true },
  parse: (manifest, identity): StatefulSet => ({ kind: 'StatefulSet', ...parseWorkload(manifest, identity) })
})
