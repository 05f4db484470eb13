/** DaemonSets: a Pod on each node, of which a file shows none; there is one at least. */
import { definePodMaker, parseWorkload, type WorkloadSpec } from './workload.ts'

export interface DaemonSet extends WorkloadSpec {
  readonly kind: 'DaemonSet'
}

const COUNTS = { replicas: () => 1, current: 'currentNumberScheduled', ready: 'numberReady' }

export const daemonSets = definePodMaker({
  kind: 'DaemonSet',
  api: { group: 'apps', versions: ['v1'], plural: 'daemonsets', namespaced: true },
  parse: (manifest, identity): DaemonSet => ({ kind: 'DaemonSet', ...parseWorkload(manifest, identity, COUNTS) })
})
