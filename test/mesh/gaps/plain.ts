/** Gaps the plain way: every request class of both tables, each asked of every route. What is cheaper must come to the same. */
import { EVERY_REQUEST } from '../../../src/kinds/http-rule.ts'
import type { Target } from '../../../src/mesh/gaps/gaps.ts'
import { classKey, type RequestClass, requestClasses } from '../../../src/mesh/requests/classes.ts'
import { isAnswered } from '../../../src/mesh/requests/serve.ts'
import { forAuthority } from '../../../src/mesh/routing/authority.ts'
import { type Connection, ends, type Reached } from '../../../src/mesh/routing/connections.ts'
import { covers } from '../../../src/mesh/routing/covers.ts'
import { candidatesTo, reach } from '../../../src/mesh/routing/listeners.ts'
import { gatewayAfter } from '../../../src/mesh/routing/proxies.ts'
import { scopeOf } from '../../../src/mesh/routing/scope.ts'
import type { Context, RoutedDestination, RouteTable } from '../../../src/mesh/routing/table.ts'
import type { Snapshot } from '../../../src/mesh/snapshot/snapshot.ts'

/** The share of a class that gets no answer on a connection, before and after a change; null where nobody can know. */
export interface Fate {
  readonly connection: Connection
  readonly requestClass: RequestClass
  readonly before: number | null
  readonly after: number | null
}

/** Of every class that a condition of one of the tables makes. */
export function fatesOf(before: Snapshot, after: Snapshot, { context, host }: Target): Fate[] {
  const contexts = [context, context.kind === 'gateway' ? gatewayAfter(before, after, context) : context]
  const sides = [before, after].map((snapshot, at) => ({ snapshot, context: contexts[at] ?? null }))
  const connections = sides.flatMap((side) => (side.context === null ? [] : candidatesTo(scopeOf(side.snapshot, side.context), host)))
  return [...new Map(connections.map((connection) => [JSON.stringify(connection), connection])).values()].flatMap((connection) => {
    const reached = sides.map((side) => reachedBy(side.snapshot, side.context, connection))
    if (!reached.some(leads)) return []
    const tables = reached.flatMap((each) => (each.by === 'virtual-host' ? (each.table ?? []) : []))
    const classes = tables.length === 0 ? [EVERY_REQUEST] : requestClasses(tables)
    return classes.map((requestClass) => {
      const [was = null, is = null] = sides.map((side, at) => unserved(side.snapshot, reached[at] ?? ends('no-listener'), requestClass))
      return { connection, requestClass, before: was, after: is }
    })
  })
}

/** One text for a class of a target on a connection. */
export function keyOf(
  { context, host }: Target,
  port: number,
  serverName: string | null,
  isHttp: boolean,
  requestClass: RequestClass
): string {
  return JSON.stringify([context, host, port, serverName, isHttp, classKey(requestClass)])
}

function reachedBy(snapshot: Snapshot, context: Context | null, connection: Connection): Reached {
  const reached = context === null ? ends('no-listener') : reach(scopeOf(snapshot, context), connection)
  if (reached.by !== 'virtual-host' || reached.table === null) return reached
  const table = forAuthority(snapshot, reached.table, connection.host)
  return { ...reached, table: table.routes.length === 0 ? null : table }
}

function leads(reached: Reached): boolean {
  return reached.by === 'chain' || (reached.by === 'virtual-host' && reached.table !== null)
}

function unserved(snapshot: Snapshot, reached: Reached, requestClass: RequestClass): number | null {
  if (reached.by === 'none') return ['passthrough', 'protocol', 'no-such-host'].includes(reached.ending) ? null : 1
  if (reached.by === 'chain') return sumOf(snapshot, reached.chain.destinations)
  if (reached.redirects) return reached.table === null ? null : 0
  return reached.table === null ? 1 : ofTable(snapshot, reached.table, requestClass)
}

function ofTable(snapshot: Snapshot, { routes }: RouteTable, requestClass: RequestClass): number {
  const route = routes.find(({ condition }) => covers(condition, requestClass))
  if (route === undefined || route.action === 'none') return 1
  return route.action === 'route' ? sumOf(snapshot, route.destinations) : 0
}

function sumOf(snapshot: Snapshot, destinations: readonly RoutedDestination[]): number {
  return destinations.reduce((sum, destination) => sum + (isAnswered(snapshot, destination) ? 0 : destination.share), 0)
}
