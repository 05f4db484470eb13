/** Who sees an object: `exportTo`, judged from the client's namespace; and the order in which Istio takes objects. */

import { compareText } from './text.ts'

/** What decides about an object's precedence. */
export interface Aged {
  readonly createdMs: number
  readonly name: string
  readonly namespace: string
}

interface Exported extends Aged {
  readonly exportTo: readonly string[]
  /** `mesh`: made of routes of the Gateway API that have a Service as parent. */
  readonly madeFor?: 'mesh' | 'listener' | null
}

/** Unset or `*` is everywhere, `.` the own namespace; names are those namespaces only, not even the own one unless listed (3.2, 3.8). */
export function isExported(exportTo: readonly string[], own: string, client: string): boolean {
  if (exportTo.length === 0 || exportTo.includes('*')) return true
  return exportTo.includes(client) || (own === client && exportTo.includes('.'))
}

/**
 * The VirtualServices that a client sees, in the order in which it takes them (3.3): those private to its own namespace, those exported
 * to it by name, routes of the Gateway API of its own namespace, public ones; in each group by age. `initVirtualServices`, pilot/pkg/model/push_context.go.
 */
export function inOrderFor<T extends Exported>(client: string, virtualServices: Iterable<T>): T[] {
  const ranked: { vs: T; rank: number }[] = []
  for (const vs of virtualServices) {
    const rank = rankFor(client, vs)
    if (rank !== null) ranked.push({ vs, rank })
  }
  if (ranked.length > 1) ranked.sort((one, other) => one.rank - other.rank || byAge(one.vs, other.vs))
  return ranked.map(({ vs }) => vs)
}

function rankFor(client: string, { exportTo, namespace, madeFor }: Exported): number | null {
  if (madeFor === 'mesh' && namespace === client) return 2
  if (exportTo.length === 0 || exportTo.includes('*')) return 3
  if (exportTo.includes('~') || !isExported(exportTo, namespace, client)) return null
  return namespace === client ? 0 : 1
}

/** Oldest first, then by name, then by namespace; an object without a time of creation is the newest. `configCompareByCreationTime`. */
export function byAge(one: Aged, other: Aged): number {
  return (
    (one.createdMs || Infinity) - (other.createdMs || Infinity) ||
    compareText(one.name, other.name) ||
    compareText(one.namespace, other.namespace)
  )
}
