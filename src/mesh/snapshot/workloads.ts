import type { Deployment, Pod } from './objects.ts'
import type { Snapshot } from './snapshot.ts'
import type { Write } from './state.ts'

/**
 * The Pods that a Deployment of a file stands for: `status.readyReplicas` Ready ones of `status.replicas`, and where it has no status all
 * of its replicas, Ready.
 */
export function podsOf(deployment: Deployment): Pod[] {
  const { replicas, readyReplicas } = deployment.status ?? { replicas: deployment.replicas, readyReplicas: deployment.replicas }
  return Array.from({ length: Math.max(replicas, readyReplicas) }, (_, at) => ({
    kind: 'Pod',
    namespace: deployment.namespace,
    name: `${deployment.name}-${at}`,
    uid: '',
    resourceVersion: '',
    createdMs: deployment.createdMs,
    deleting: false,
    labels: deployment.templateLabels,
    annotations: {},
    ready: at < readyReplicas,
    node: '',
    portNames: deployment.templatePortNames,
    deployment: deployment.name
  }))
}

/** The Pods that a write takes away: those of a Deployment that is deleted or wants no replicas. */
export function podsLeaving({ ref, after }: Pick<Write, 'ref' | 'after'>, snapshot: Snapshot): Pod[] {
  if (ref.kind !== 'Deployment' || (after?.kind === 'Deployment' && after.replicas > 0)) return []
  return [...snapshot.lookup('podByDeployment', `${ref.namespace}/${ref.name}`)]
}
