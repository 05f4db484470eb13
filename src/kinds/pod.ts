/** Pods: the endpoints behind Services. */
import { labelKeys } from '../mesh/names/labels.ts'
import { own } from '../mesh/names/own.ts'
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
  /** What else makes it anew when it is gone, `StatefulSet/db`; '' where there is none, or a Deployment does. */
  readonly workload: string
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
      ...ownersOf(identity, fields)
    }
  },
  indexes: {
    podByLabel: ({ namespace, labels }) => labelKeys(namespace, labels),
    podByDeployment: ({ namespace, deployment }) => (deployment === '' ? [] : [`${namespace}/${deployment}`]),
    podByWorkload: ({ namespace, workload }) => (workload === '' ? [] : [`${namespace}/${workload}`])
  },
  reach: ({ namespace, labels }) => [{ through: 'workloads', namespace, labels, deployment: '' }]
})

/** A Deployment names its ReplicaSets `<deployment>-<pod-template-hash>` (pkg/controller/deployment/sync.go of Kubernetes), and so does a Rollout by a label of its own. */
function ownersOf({ labels }: Identity, fields: Fields): { deployment: string; workload: string } {
  const owners = fields.child('metadata')?.children('ownerReferences') ?? []
  const owner = owners.find((each) => each.string('kind') === 'ReplicaSet') ?? owners[0]
  if (owner === undefined) return { deployment: '', workload: '' }
  const [kind, name] = [owner.string('kind'), owner.string('name')]
  const stemOf = (label: string) => {
    const hash = own(labels, label)
    return kind === 'ReplicaSet' && hash !== undefined && name.endsWith(`-${hash}`) ? name.slice(0, -hash.length - 1) : ''
  }
  const deployment = stemOf('pod-template-hash')
  const rollout = stemOf('rollouts-pod-template-hash')
  return { deployment, workload: deployment !== '' ? '' : rollout !== '' ? `Rollout/${rollout}` : `${kind}/${name}` }
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
