/** Who sees an object: `exportTo`, judged from the client's namespace; and the order in which Istio takes objects. */

import { compareText } from './text.ts'

/** What decides about an object's precedence. */
export interface Aged {
  readonly createdMs: number
  readonly name: string
  readonly namespace: string
}

/** To whom what does not say is exported: MeshConfig's word. Absent: to everybody. */
export interface DefaultExports {
  /** Of Services and ServiceEntries. */
  readonly defaultServiceExportTo?: readonly string[]
  readonly defaultVirtualServiceExportTo?: readonly string[]
  /** Nothing but `.` counts, and by that DestinationRules are private (10.5). */
  readonly defaultDestinationRuleExportTo?: readonly string[]
}

interface Exported extends Aged {
  readonly exportTo: readonly string[]
  /** `mesh`: made of routes of the Gateway API that have a Service as parent. */
  readonly madeFor?: 'mesh' | 'listener' | null
}

/** Unset or `*` is everywhere, `.` the own namespace; names are those namespaces only, not even the own one unless listed (3.2, 3.8). */
export function isExported(exportTo: readonly string[], own: string, client: string): boolean {
  if (isPublic(exportTo)) return true
  return exportTo.includes(client) || (own === client && exportTo.includes('.'))
}

export function isPublic(exportTo: readonly string[]): boolean {
  return exportTo.length === 0 || exportTo.includes('*')
}

/** To whom an object is exported, its own word or else the mesh's; empty: to everybody. */
export function exportsOf({ exportTo }: Pick<Exported, 'exportTo'>, byDefault: readonly string[] | undefined): readonly string[] {
  return exportTo.length > 0 || byDefault === undefined ? exportTo : byDefault
}

/**
 * The VirtualServices that a client sees, in the order in which it takes them (3.3): those private to its own namespace, those exported
 * to it by name, routes of the Gateway API of its own namespace, public ones; in each group by age. `initVirtualServices`, pilot/pkg/model/push_context.go.
 */
export function inOrderFor<T extends Exported>(
  client: string,
  { defaultVirtualServiceExportTo }: DefaultExports,
  virtualServices: Iterable<T>
): T[] {
  const byRank: T[][] = [[], [], [], []]
  for (const vs of virtualServices) {
    const place = rankFor(client, vs, exportsOf(vs, defaultVirtualServiceExportTo))
    if (place !== null) byRank[place]?.push(vs)
  }
  return byRank.flatMap(inOrderOfAge)
}

/** Most lists are in order already. */
function inOrderOfAge<T extends Aged>(objects: T[]): T[] {
  let last: T | null = null
  for (const each of objects) {
    if (last !== null && byAge(last, each) > 0) return objects.sort(byAge)
    last = each
  }
  return objects
}

function rankFor(client: string, { namespace, madeFor }: Exported, exportTo: readonly string[]): number | null {
  if (madeFor === 'mesh' && namespace === client) return 2
  if (isPublic(exportTo)) return 3
  if (exportTo.includes('~') || !isExported(exportTo, namespace, client)) return null
  return namespace === client ? 0 : 1
}

/** Oldest first, then by name, then by namespace; an object without a time of creation is the newest. `configCompareByCreationTime`. */
export function byAge(one: Aged, other: Aged): number {
  return (
    (one.createdMs === other.createdMs ? 0 : (one.createdMs || Infinity) - (other.createdMs || Infinity)) ||
    compareText(one.name, other.name) ||
    compareText(one.namespace, other.namespace)
  )
}
