/** Pods: the endpoints behind Services. */
import { labelKeys } from '../mesh/names/labels.ts'
import type { Fields } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind } from './kind.ts'

export interface Pod extends Identity {
  readonly kind: 'Pod'
  readonly ready: boolean
  readonly node: string
  /** Names of its containers' ports. */
  readonly portNames: readonly string[]
  /** A proxy stands beside its containers: it takes part in the mesh. */
  readonly hasSidecar: boolean
  /** The Deployment behind its ReplicaSet, by the naming rule `<deployment>-<pod-template-hash>`; '' where there is none. */
  readonly deployment: string
}

export const pods = defineKind({
  kind: 'Pod',
  api: { group: '', versions: ['v1'], plural: 'pods', namespaced: true },
  parse: ({ fields, spec, status }, identity): Pod => {
    const phase = status.string('phase')
    const conditions = status.children('conditions')
    return {
      kind: 'Pod',
      ...identity,
      ready:
        phase !== 'Succeeded' &&
        phase !== 'Failed' &&
        conditions.some((condition) => condition.string('type') === 'Ready' && condition.string('status') === 'True'),
      node: spec.string('nodeName'),
      portNames: portNames(spec),
      hasSidecar: hasSidecar(spec),
      deployment: deploymentOf(identity, fields)
    }
  },
  indexes: {
    podByLabel: ({ namespace, labels }) => labelKeys(namespace, labels),
    podByDeployment: ({ namespace, deployment }) => (deployment === '' ? [] : [`${namespace}/${deployment}`])
  },
  reach: ({ namespace, labels }) => [{ through: 'workloads', namespace, labels, deployment: '' }]
})

/** A Deployment names its ReplicaSets `<deployment>-<pod-template-hash>` (pkg/controller/deployment/sync.go of Kubernetes). */
function deploymentOf({ labels }: Identity, fields: Fields): string {
  const hash = labels['pod-template-hash']
  if (hash === undefined) return ''
  for (const owner of fields.child('metadata')?.children('ownerReferences') ?? []) {
    const name = owner.string('name')
    if (owner.string('kind') === 'ReplicaSet' && name.endsWith(`-${hash}`)) return name.slice(0, -hash.length - 1)
  }
  return ''
}

/** What injection leaves: a container of this name, or a native sidecar among the init containers. */
function hasSidecar(podSpec: Fields): boolean {
  return [...podSpec.children('containers'), ...podSpec.children('initContainers')].some((each) => each.string('name') === 'istio-proxy')
}

/** The names of the ports that a Pod's containers declare. */
export function portNames(podSpec: Fields): string[] {
  return podSpec
    .children('containers')
    .flatMap((container) => container.children('ports'))
    .map((port) => port.string('name'))
    .filter((name) => name !== '')
}
