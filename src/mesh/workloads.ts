import type { Deployment, Pod } from './objects.ts'

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
