/** Deployments: what makes and takes away Pods. */
import { type Labels, labelKeys } from '../mesh/names/labels.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'
import { portNames } from './pod.ts'

export interface Deployment extends Identity {
  readonly kind: 'Deployment'
  readonly replicas: number
  /** Pods that exist and Pods that are Ready, as status tells; null where the object has no status, as in a file. */
  readonly status: { readonly replicas: number; readonly readyReplicas: number } | null
  /** Labels of the Pod template. */
  readonly templateLabels: Labels
  readonly templatePortNames: readonly string[]
}

export const deployments = defineKind({
  kind: 'Deployment',
  api: { group: 'apps', versions: ['v1'], plural: 'deployments', namespaced: true },
  judged: true,
  parse: ({ spec, status }, identity): Deployment => {
    const template = spec.child('template')
    const podSpec = template?.child('spec') ?? null
    return {
      kind: 'Deployment',
      ...identity,
      replicas: spec.number('replicas', 1),
      status:
        status.keys().length === 0 ? null : { replicas: status.number('replicas', 0), readyReplicas: status.number('readyReplicas', 0) },
      templateLabels: template?.child('metadata')?.labels('labels') ?? {},
      templatePortNames: podSpec === null ? [] : portNames(podSpec)
    }
  },
  indexes: { deploymentByLabel: ({ namespace, templateLabels }) => labelKeys(namespace, templateLabels) },
  /** A scale between counts above 0 takes nobody's last Pod. */
  decides: ({ replicas, templateLabels, templatePortNames }) => [
    replicas > 0,
    Object.entries(templateLabels).sort(),
    [...templatePortNames].sort()
  ],
  reach: ({ namespace, name, templateLabels }) => [
    { through: 'workloads', namespace, labels: templateLabels, deployment: `${namespace}/${name}` }
  ]
})
