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
  /** A proxy stands beside its containers: it takes part in the mesh. null of a Pod that is made up from a template: what injection will leave is not known. */
  readonly hasSidecar: boolean | null
  /** What makes it anew when it is gone, `StatefulSet/db`: of a ReplicaSet, the Deployment or Rollout behind it. '' where there is none. */
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
      workload: workloadOf(identity, fields)
    }
  },
  indexes: {
    podByLabel: ({ namespace, labels }) => labelKeys(namespace, labels),
    podByWorkload: ({ namespace, workload }) => (workload === '' ? [] : [`${namespace}/${workload}`])
  },
  reach: ({ namespace, labels }) => [{ through: 'workloads', namespace, labels, owner: '' }],
  pushed: (before, after) => isReady(before) !== isReady(after),
  provides: (before, after) => isReady(after) && !isReady(before),
  audited: 'selecting'
})

function isReady(pod: Pod | null): boolean {
  return pod?.ready ?? false
}

/** A Deployment names its ReplicaSets `<deployment>-<pod-template-hash>` (pkg/controller/deployment/sync.go of Kubernetes), and so does a Rollout by a label of its own. */
function workloadOf({ labels }: Identity, fields: Fields): string {
  const owners = fields.child('metadata')?.children('ownerReferences') ?? []
  const owner = owners.find((each) => each.string('kind') === 'ReplicaSet') ?? owners[0]
  if (owner === undefined) return ''
  const [kind, name] = [owner.string('kind'), owner.string('name')]
  for (const [behind, label] of BEHIND_REPLICA_SETS) {
    const hash = own(labels, label)
    if (kind === 'ReplicaSet' && hash !== undefined && name.endsWith(`-${hash}`)) return `${behind}/${name.slice(0, -hash.length - 1)}`
  }
  return `${kind}/${name}`
}

/** It takes requests: ready, and not on its way out. */
export function takesRequests({ ready, deleting }: Pick<Pod, 'ready' | 'deleting'>): boolean {
  return ready && !deleting
}

/** The label by which Argo Rollouts tells the Pods of its ReplicaSets apart. */
export const ROLLOUT_HASH = 'rollouts-pod-template-hash'

const BEHIND_REPLICA_SETS = [
  ['Deployment', 'pod-template-hash'],
  ['Rollout', ROLLOUT_HASH]
] as const

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
