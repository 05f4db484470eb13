/** Who sees an object: `exportTo`, judged from the client's namespace (3.2, 10.5). */
import type { VirtualService } from './objects.ts'

/** Unset or `*` is everywhere, `.` the own namespace; names are those namespaces only, not even the own one unless listed. */
export function isExported(exportTo: readonly string[], own: string, client: string): boolean {
  if (exportTo.length === 0) return true
  return exportTo.some((name) => name === '*' || name === client || (name === '.' && own === client))
}

/** Private to its own namespace: `.` or that namespace's name alone. */
export function isPrivate(exportTo: readonly string[], own: string): boolean {
  return exportTo.length > 0 && exportTo.every((name) => name === '.' || name === own)
}

/**
 * VirtualServices in the order in which a client takes them (3.3): private ones of its own namespace, those exported to it by name, public
 * ones; in each group the oldest first, then by name, then by namespace. `SelectVirtualServices`, pilot/pkg/model/virtualservice.go.
 */
export function inOrderFor(client: string, virtualServices: Iterable<VirtualService>): VirtualService[] {
  return [...new Set(virtualServices)]
    .filter(({ exportTo, namespace }) => isExported(exportTo, namespace, client))
    .map((vs) => ({ vs, group: groupOf(vs, client) }))
    .sort((one, other) => one.group - other.group || byAge(one.vs, other.vs))
    .map(({ vs }) => vs)
}

function groupOf({ exportTo, namespace }: VirtualService, client: string): number {
  if (namespace === client && isPrivate(exportTo, namespace)) return 0
  return exportTo.length === 0 || exportTo.includes('*') ? 2 : 1
}

/** Oldest first - what is not stored yet comes last -, then by name, then by namespace. `configCompareByCreationTime`, pilot/pkg/model/config.go. */
export function byAge(
  one: { createdMs: number; name: string; namespace: string },
  other: { createdMs: number; name: string; namespace: string }
): number {
  if (one.createdMs !== other.createdMs) return (one.createdMs || Number.MAX_SAFE_INTEGER) - (other.createdMs || Number.MAX_SAFE_INTEGER)
  if (one.name !== other.name) return one.name < other.name ? -1 : 1
  return one.namespace < other.namespace ? -1 : Number(one.namespace > other.namespace)
}
