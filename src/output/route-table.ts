/** The route tables for people: one line a destination. */
import type { Condition, RouteObject } from '../kinds/http-rule.ts'
import { formatRef, isOfGatewayApi } from '../kinds/index.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { chains, hostsOf } from '../mesh/routing/routes.ts'
import type { Chain, Context, Route, RoutedDestination, RouteTable } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { tablesOf } from './route-json.ts'
import { line as lineOf, type Part } from './text.ts'

export interface TableOptions {
  readonly colour: boolean
  readonly columns: number
  /** Only these hosts, where any are given. */
  readonly hosts?: readonly string[]
}

/** A line, or several where one would be too wide. */
type Lines = readonly (readonly Part[])[]

/** One line a destination: who asks for which host and port, on which condition, where it goes, how much of it, and whether it is served. */
export function routesTable(snapshot: Snapshot, contexts: readonly Context[], options: TableOptions): string {
  const blocks = contexts.map((context) => contextLines(snapshot, context, options)).filter((lines) => lines.length > 0)
  return blocks.map((lines) => lines.map((parts) => lineOf(parts, options.colour)).join('')).join('\n')
}

function contextLines(snapshot: Snapshot, context: Context, options: TableOptions): Lines {
  const wanted = hostsOf(snapshot, context).filter((host) => options.hosts === undefined || options.hosts.includes(host))
  const tables = tablesOf(snapshot, context, wanted)
  const blocks = [
    ...tables.flatMap((table) => tableLines(table, options)),
    ...wanted.flatMap((host) => chains(snapshot, context, host)).flatMap((chain) => chainLines(chain, options))
  ]
  return blocks.length === 0 ? [] : [[{ text: formatContext(context), style: 'bold' }], ...blocks]
}

function tableLines({ host, port, takers, catchAll, routes }: RouteTable, options: TableOptions): Lines {
  const head = [`  ${host}:${port}  ${takers.map(nameOf).join(', ') || 'default'}`]
  const lines = routes.flatMap((route) => routeLines(route, options))
  return [head, ...lines, ...(catchAll ? [] : [[red('    every other request -> 404')]])]
}

/** A VirtualService is told by its name alone. */
function nameOf(taker: RouteObject): string {
  return taker.kind === 'VirtualService' ? `${taker.namespace}/${taker.name}` : formatRef(taker)
}

function routeLines({ condition, action, status, source, destinations }: Route, options: TableOptions): Lines {
  const when = formatCondition(condition)
  const isOfApi = source !== null && isOfGatewayApi(source)
  if (action === 'none') return [[red(`    ${when} -> refused by Envoy`)]]
  if (action !== 'route')
    return [[`    ${when} -> ${action === 'direct' ? (isOfApi ? `${status}, for want of a backend` : 'direct response') : 'redirect'}`]]
  const undefinedStatus = isOfApi ? 500 : 503
  return destinations.flatMap((destination) => destinationLines(when, destination, { ...options, undefinedStatus }))
}

function chainLines({ host, port, serverNames, destinations }: Chain, options: TableOptions): Lines {
  const when = serverNames.length === 0 ? 'every connection' : `SNI ${serverNames.join(', ')}`
  return [
    [`  ${host}:${port}`],
    ...destinations.flatMap((destination) => destinationLines(when, destination, { ...options, undefinedStatus: 503 }))
  ]
}

function destinationLines(
  when: string,
  { host, subset, port, share, missing, ready }: RoutedDestination,
  { columns, undefinedStatus }: TableOptions & { readonly undefinedStatus: number }
): Lines {
  const state = missing === null ? `${ready ?? 'unknown'} ready` : `no such ${missing}, ${undefinedStatus}`
  const target =
    host === NOWHERE
      ? `${state}: a backend of an unknown kind, or without a ReferenceGrant`
      : `${host}:${port}${subset === null ? '' : ` ${subset}`}  ${Math.round(share * 1000) / 10}%  ${state}`
  const wide = `    ${when} -> ${target}`
  // On a narrow terminal the condition has a line of its own.
  const lines = wide.length <= columns ? [wide] : [`    ${when}`, `      -> ${target}`]
  return lines.map((text) => (missing === null && ready !== 0 ? [text] : [red(text)]))
}

function red(text: string): Part {
  return { text, style: 'red' }
}

/** `uri prefix /api, header end-user=jason`. */
function formatCondition(condition: Condition): string {
  const value = (match: Condition['uri']) => (match === null || match.type === 'present' ? 'present' : `${match.type} ${match.value}`)
  const fields = (['uri', 'scheme', 'method', 'authority'] as const).flatMap((field) =>
    condition[field] === null ? [] : `${field} ${value(condition[field])}`
  )
  const named = (what: string, matches: Condition['headers']) =>
    Object.entries(matches).map(([name, match]) => `${what} ${name} ${value(match)}`)
  const all = [
    ...fields,
    ...named('header', condition.headers),
    ...named('without header', condition.withoutHeaders),
    ...named('query', condition.queryParams)
  ]
  return all.length === 0 ? 'every request' : all.join(', ')
}

/** `mesh prod{app=web}`. */
export function formatContext({ kind, namespace, labels }: Context): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return `${kind} ${namespace}${pairs.length === 0 ? '' : `{${pairs.sort().join(',')}}`}`
}
