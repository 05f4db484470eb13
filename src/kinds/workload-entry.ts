/** WorkloadEntries: endpoints that are no Pods. */
import { type Labels, labelKeys } from '../mesh/names/labels.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'

export interface WorkloadEntry extends Identity {
  readonly kind: 'WorkloadEntry'
  readonly address: string
  /** spec.labels, which Istio joins with the object's own labels. */
  readonly workloadLabels: Labels
  /** Names of the ports that it gives numbers to. */
  readonly portNames: readonly string[]
}

export const workloadEntries = defineKind({
  kind: 'WorkloadEntry',
  api: istioApi('workloadentries'),
  judged: true,
  parse: ({ spec }, identity): WorkloadEntry => ({
    kind: 'WorkloadEntry',
    ...identity,
    address: spec.string('address'),
    workloadLabels: spec.labels('labels'),
    portNames: spec.child('ports')?.keys() ?? []
  }),
  indexes: {
    workloadEntryByLabel: ({ namespace, labels, workloadLabels }) => labelKeys(namespace, { ...labels, ...workloadLabels })
  },
  reach: ({ namespace, labels, workloadLabels }) => [
    { through: 'workloads', namespace, labels: { ...labels, ...workloadLabels }, owner: '' }
  ]
})
