/** Deployments: what makes and takes away Pods. */
import { labelKeys } from '../mesh/names/labels.ts'
import { defineKind } from './kind.ts'
import { decidesOfWorkload, givesUpPods, parseRolling, reachOfWorkload, type WorkloadSpec } from './workload.ts'

export interface Deployment extends WorkloadSpec {
  readonly kind: 'Deployment'
}

export const deployments = defineKind({
  kind: 'Deployment',
  api: { group: 'apps', versions: ['v1'], plural: 'deployments', namespaced: true },
  judged: true,
  parse: (manifest, identity): Deployment => ({ kind: 'Deployment', ...parseRolling(manifest, identity) }),
  indexes: { deploymentByLabel: ({ namespace, templateLabels }) => labelKeys(namespace, templateLabels) },
  decides: decidesOfWorkload,
  reach: reachOfWorkload,
  pushed: () => false,
  takesAway: givesUpPods,
  // Its Pods tell whether it answers.
  audited: 'nowhere'
})
