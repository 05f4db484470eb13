/** What to tell the user of a tool whose order of writes is its own (docs/tools.md). */
import type { Labels } from '../mesh/names/labels.ts'
import type { Tool } from '../rules/rule.ts'
import type { Author, Change } from './change.ts'

/** The tool behind a write, by its field manager, its account, or the labels that it leaves on its objects. */
export function toolOf({ author, before, after }: Pick<Change, 'author' | 'before' | 'after'>): Tool | null {
  const object = after ?? before
  return byManager(author) ?? byLabels(object?.labels ?? {}, object?.annotations ?? {})
}

/** The last sentence of a denial; '' where the tool needs none. */
export function hintFor(change: Pick<Change, 'author' | 'before' | 'after' | 'operation'>): string {
  switch (toolOf(change)) {
    case 'helm':
      return 'Helm: run the upgrade again once that is done.'
    case 'argocd':
      return change.operation === 'DELETE'
        ? 'Argo CD prunes before it applies: set sync option PruneLast=true.'
        : 'Argo CD: put what must come first into an earlier sync wave.'
    case 'flux':
      return 'Flux: make it two commits, or two Kustomizations with dependsOn.'
    case 'argo-rollouts':
      return (change.after ?? change.before)?.kind === 'ReplicaSet'
        ? 'Argo Rollouts tries again, and passes once the requests have moved.'
        : 'Argo Rollouts: put setCanaryScale before setHeaderRoute; where a new version was pushed over a running canary, set the weight of the canary to 0 in the VirtualService.'
    case 'flagger':
      return 'Flagger tries again at its next interval.'
    case 'keda':
      return 'KEDA: set minReplicaCount: 1 for its ScaledObject; 0 is safe only where something else answers meanwhile.'
    case 'hpa':
      return 'HorizontalPodAutoscaler: set minReplicas: 1.'
    case null:
      return ''
  }
}

function byManager({ manager, username }: Author): Tool | null {
  if (manager.startsWith('helm')) return 'helm'
  if (manager.startsWith('argocd')) return 'argocd'
  if (manager.startsWith('kustomize-controller') || manager.startsWith('helm-controller') || manager === 'flux') return 'flux'
  // Autoscalers are known by what they run as: their field managers are those of the API machinery.
  if (username.endsWith(':keda-operator')) return 'keda'
  if (username === 'system:serviceaccount:kube-system:horizontal-pod-autoscaler') return 'hpa'
  if (manager.startsWith('rollouts-controller') || username.endsWith(':argo-rollouts')) return 'argo-rollouts'
  return manager.startsWith('flagger') || username.endsWith(':flagger') ? 'flagger' : null
}

function byLabels(labels: Labels, annotations: Labels): Tool | null {
  if (Object.hasOwn(labels, 'kustomize.toolkit.fluxcd.io/name') || Object.hasOwn(labels, 'helm.toolkit.fluxcd.io/name')) return 'flux'
  if (Object.hasOwn(labels, 'argocd.argoproj.io/instance') || Object.hasOwn(annotations, 'argocd.argoproj.io/tracking-id')) return 'argocd'
  return labels['app.kubernetes.io/managed-by'] === 'Helm' ? 'helm' : null
}
