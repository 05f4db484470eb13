/** Conditions on the authority, where it is known: whoever meets a virtual host by its name has that name for authority. */
import type { StringMatch } from '../../kinds/http-rule.ts'
import { isWildcard } from '../names/hosts.ts'
import { effortToMatch, matchesWhole } from '../names/regex.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { coversEverything } from './covers.ts'
import type { Route, RouteTable } from './table.ts'

/** Made once for each table and host. */
const known = new WeakMap<RouteTable, Map<string, RouteTable>>()

/** The table as a client of `host` meets it: without conditions that each of its requests meets, and routes that none of them does. */
export function forAuthority(snapshot: Snapshot, table: RouteTable, host: string): RouteTable {
  if (isWildcard(host) || table.routes.every(({ condition }) => condition.authority === null)) return table
  const byHost = known.get(table) ?? new Map<string, RouteTable>()
  known.set(table, byHost)
  const found = byHost.get(host) ?? narrowed(snapshot, table, host)
  byHost.set(host, found)
  return found
}

function narrowed(snapshot: Snapshot, table: RouteTable, host: string): RouteTable {
  snapshot.charge(table.routes.length)
  const routes = table.routes.flatMap((route): Route[] => {
    const { authority } = route.condition
    if (authority === null) return [route]
    if (authority.type === 'regex') snapshot.charge(2 * effortToMatch(authority.value, host))
    // Clients of another port than the scheme's own add it, and behind a gateway nobody knows which port they called.
    if (!matches(authority, host) && !matches(authority, `${host}:${table.port}`)) return []
    const condition = { ...route.condition, authority: null }
    return [{ ...route, condition, matchesAll: coversEverything(condition) }]
  })
  return { ...table, routes, catchAll: routes.some(({ matchesAll }) => matchesAll) }
}

function matches(match: StringMatch, authority: string): boolean {
  switch (match.type) {
    case 'present':
      return true
    case 'exact':
      return authority === match.value
    case 'prefix':
      return authority.startsWith(match.value)
    case 'elements': // of paths alone
      return false
    case 'regex':
      return matchesWhole(match.value, authority)
  }
}
