/** WorkloadEntries: endpoints that are no Pods. */
import { type Labels, labelKeys } from '../mesh/names/labels.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'

export interface WorkloadEntry extends Identity {
  readonly kind: 'WorkloadEntry'
  readonly address: string
  /** The object's own labels, and those of spec.labels that it has not (8.8). `ConvertWorkloadEntry`, pilot/pkg/serviceregistry/serviceentry/conversion.go. */
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
    workloadLabels: { ...spec.labels('labels'), ...identity.labels },
    portNames: spec.child('ports')?.keys() ?? []
  }),
  indexes: {
    workloadEntryByLabel: ({ namespace, workloadLabels }) => labelKeys(namespace, workloadLabels)
  },
  reach: ({ namespace, workloadLabels }) => [{ through: 'workloads', namespace, labels: workloadLabels, owner: '' }]
})
