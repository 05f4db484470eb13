/** The order in which tools write the manifests of one release. */
import { own } from '../mesh/names/own.ts'
import { compareText } from '../mesh/names/text.ts'
import type { Manifest } from './manifests.ts'

export const TOOLS = ['kubectl', 'helm', 'argocd', 'flux'] as const
export type Tool = (typeof TOOLS)[number]

/** Helm's InstallOrder (pkg/release/v1/util/kind_sorter.go), of the kinds that matter here; the others follow by name of the kind. */
const HELM = ['Namespace', 'Service', 'DaemonSet', 'Pod', 'ReplicaSet', 'Deployment', 'StatefulSet']
/** Argo CD knows these kinds; all others tie and go by name (gitops-engine/pkg/sync/sync_tasks.go). */
const ARGOCD = HELM
/** Flux's ReconcileOrder; the others follow by group, then kind (fluxcd/pkg/ssa/sort.go). */
const FLUX = ['Namespace', 'Service', 'Deployment', 'StatefulSet']
const WAVE = 'argocd.argoproj.io/sync-wave'
const SYNC_OPTIONS = 'argocd.argoproj.io/sync-options'

/** kubectl writes in the order of the files. */
function inOrder(manifests: readonly Manifest[], tool: Tool): Manifest[] {
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
      return [...manifests].sort(
        (one, other) =>
          byRank(FLUX, one, other) ||
          compareText(groupOf(one), groupOf(other)) ||
          compareText(kindOf(one), kindOf(other)) ||
          compareText(namespaceOf(one), namespaceOf(other)) ||
          compareText(nameOf(one), nameOf(other))
      )
  }
}

/** What is written, in order: `applied` manifests, and `deleted` ones that the tool takes away because they are no longer there. */
export function writesInOrder(applied: readonly Manifest[], deleted: readonly Manifest[], tool: Tool): Write[] {
  const applies = inOrder(applied, tool).map((manifest) => ({ manifest, deletes: false }))
  const deletes = inOrder(deleted, tool).map((manifest) => ({ manifest, deletes: true }))
  switch (tool) {
    case 'kubectl':
    case 'helm':
      return [...applies, ...deletes]
    case 'flux':
      return [...applies, ...deletes.reverse()]
    case 'argocd': {
      // Within a wave it prunes first (sync_context.go), but for what asks to go last.
      const last = deletes.filter(({ manifest }) => annotationOf(manifest, SYNC_OPTIONS).includes('PruneLast=true'))
      const early = deletes.filter((write) => !last.includes(write))
      return [...[...early, ...applies].sort((one, other) => waveOf(one.manifest) - waveOf(other.manifest)), ...last]
    }
  }
}

export interface Write {
  readonly manifest: Manifest
  readonly deletes: boolean
}

function byRank(order: readonly string[], one: Manifest, other: Manifest): number {
  const rank = (manifest: Manifest) => (order.includes(kindOf(manifest)) ? order.indexOf(kindOf(manifest)) : order.length)
  return rank(one) - rank(other)
}

function kindOf({ raw }: Manifest): string {
  return String(raw['kind'])
}

function groupOf({ raw }: Manifest): string {
  const apiVersion = String(raw['apiVersion'])
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
}

function namespaceOf({ object }: Manifest): string {
  return object?.namespace ?? ''
}

function nameOf({ object }: Manifest): string {
  return object?.name ?? ''
}

function waveOf(manifest: Manifest): number {
  return Number(annotationOf(manifest, WAVE)) || 0
}

function annotationOf({ raw }: Manifest, name: string): string {
  const { annotations } = (raw['metadata'] ?? {}) as { annotations?: Record<string, unknown> | null }
  return String(own(annotations ?? {}, name) ?? '')
}
