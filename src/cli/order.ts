/** The order in which tools write the manifests of one release. */
import type { Manifest } from './manifests.ts'

export const TOOLS = ['kubectl', 'helm', 'argocd', 'flux'] as const
export type Tool = (typeof TOOLS)[number]

/** Helm's InstallOrder (pkg/release/v1/util/kind_sorter.go), of the kinds that matter here; the others follow by name of the kind. */
const HELM = ['Namespace', 'Service', 'Pod', 'Deployment']
/** Argo CD knows these kinds; all others tie and go by name (gitops-engine/pkg/sync/sync_tasks.go). */
const ARGOCD = ['Namespace', 'Service', 'Pod', 'Deployment']
const WAVE = 'argocd.argoproj.io/sync-wave'

/** kubectl writes in the order of the files. */
export function inOrder(manifests: readonly Manifest[], tool: Tool): Manifest[] {
  switch (tool) {
    case 'kubectl':
      return [...manifests]
    case 'helm':
      return [...manifests].sort((one, other) => byRank(HELM, one, other) || compareText(kindOf(one), kindOf(other)))
    case 'argocd':
      return [...manifests].sort(
        (one, other) => waveOf(one) - waveOf(other) || byRank(ARGOCD, one, other) || compareText(nameOf(one), nameOf(other))
      )
    case 'flux':
      return [...manifests].sort((one, other) => byRank(HELM, one, other) || compareText(kindOf(one), kindOf(other)))
  }
}

function byRank(order: readonly string[], one: Manifest, other: Manifest): number {
  const rank = (manifest: Manifest) => (order.includes(kindOf(manifest)) ? order.indexOf(kindOf(manifest)) : order.length)
  return rank(one) - rank(other)
}

function kindOf({ raw }: Manifest): string {
  return String(raw['kind'])
}

function nameOf({ object }: Manifest): string {
  return object?.name ?? ''
}

function waveOf({ raw }: Manifest): number {
  const { annotations = {} } = (raw['metadata'] ?? {}) as { annotations?: Record<string, unknown> }
  return Number(annotations[WAVE] ?? 0) || 0
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
