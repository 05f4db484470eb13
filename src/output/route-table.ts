/** The route tables for people: one line a destination. */
import type { Condition, RouteObject } from '../kinds/http-rule.ts'
import { formatRef, isOfGatewayApi } from '../kinds/index.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { chains, hostsOf } from '../mesh/routing/routes.ts'
import type { Chain, Context, Route, RoutedDestination, RouteTable } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { tablesOf } from './route-json.ts'
import { counted, line as lineOf, type Part } from './text.ts'

export interface TableOptions {
  readonly colour: boolean
  readonly columns: number
  /** Only these hosts, where any are given. */
  readonly hosts?: readonly string[]
}

/** Hosts named in one line. */
const MOST_NAMED = 3

/** A line, or several where one would be too wide. */
type Lines = readonly (readonly Part[])[]

/** What a route does with its requests, in the columns of a table. */
interface Row {
  readonly when: string
  readonly target: string
  readonly share: string
  readonly state: string
  readonly isServed: boolean
}

interface Block {
  readonly host: string
  readonly head: string
  readonly rows: readonly Row[]
}

/** Whether all is answered; then one line a destination: who asks for which host and port, on which condition, where it goes, how much of it, and whether it is served. Those that see the same are told together. '' where there is no host. */
export function routesTable(snapshot: Snapshot, contexts: readonly Context[], options: TableOptions): string {
  const views = contexts
    .map((context) => ({ context, blocks: blocksOf(snapshot, context, options.hosts) }))
    .filter(({ blocks }) => blocks.length > 0)
  if (views.length === 0) return ''
  const tables = views.map(({ context, blocks }) => ({
    context,
    text: blocks
      .flatMap((block) => blockLines(block, options.columns))
      .map((parts) => lineOf(parts, options.colour))
      .join('')
  }))
  const seen = [...Map.groupBy(tables, ({ text }) => text)].map(([text, alike]) => {
    const who = alike.map(({ context }) => formatContext(context)).join(', ')
    return `${lineOf([{ text: who, style: 'bold' }], options.colour)}${text}`
  })
  return [lineOf(summary(views.flatMap(({ blocks }) => blocks)), options.colour), ...seen].join('\n')
}

function summary(blocks: readonly Block[]): Part[] {
  const hosts = new Set(blocks.map(({ host }) => host))
  const failing = new Set(blocks.filter(({ rows }) => rows.some(({ isServed }) => !isServed)).map(({ host }) => host))
  const all = counted(hosts.size, 'host')
  if (failing.size === 0) return [{ text: `${all}: every request is answered`, style: 'green' }]
  const named = [...failing].slice(0, MOST_NAMED).join(', ')
  const text = `${failing.size} of ${all} ${failing.size === 1 ? 'leaves' : 'leave'} requests unanswered: ${named}${failing.size > MOST_NAMED ? ', …' : ''}`
  return [{ text, style: 'red' }]
}

function blocksOf(snapshot: Snapshot, context: Context, only: TableOptions['hosts']): Block[] {
  const wanted = hostsOf(snapshot, context).filter((host) => only === undefined || only.includes(host))
  return [
    ...tablesOf(snapshot, context, wanted).map(tableBlock),
    ...wanted.flatMap((host) => chains(snapshot, context, host)).map(chainBlock)
  ]
}

function tableBlock({ host, port, takers, catchAll, routes }: RouteTable): Block {
  const rows = routes.flatMap(routeRows)
  return {
    host,
    head: `${host}:${port}  ${takers.map(nameOf).join(', ') || 'default'}`,
    rows: catchAll ? rows : [...rows, unserved('every other request', '404')]
  }
}

/** A VirtualService is told by its name alone. */
function nameOf(taker: RouteObject): string {
  return taker.kind === 'VirtualService' ? `${taker.namespace}/${taker.name}` : formatRef(taker)
}

function routeRows({ condition, action, status, source, destinations }: Route): Row[] {
  const when = formatCondition(condition)
  const isOfApi = source !== null && isOfGatewayApi(source)
  if (action === 'none') return [unserved(when, 'refused by Envoy')]
  if (action === 'direct' && isOfApi) return [unserved(when, `${status}, for want of a backend`)]
  if (action !== 'route') return [{ ...unserved(when, action === 'direct' ? 'direct response' : 'redirect'), isServed: true }]
  return destinations.map((destination) => destinationRow(when, destination, isOfApi ? 500 : 503))
}

function unserved(when: string, target: string): Row {
  return { when, target, share: '', state: '', isServed: false }
}

function chainBlock({ host, port, serverNames, destinations }: Chain): Block {
  const when = serverNames.length === 0 ? 'every connection' : `SNI ${serverNames.join(', ')}`
  return { host, head: `${host}:${port}`, rows: destinations.map((destination) => destinationRow(when, destination, 503)) }
}

/** A destination with a weight of 0 beside others is no fault: it gets nothing. */
function destinationRow(when: string, { host, subset, port, share, missing, ready }: RoutedDestination, undefinedStatus: number): Row {
  const state = missing === null ? `${ready ?? 'unknown'} ready` : `no such ${missing}, ${undefinedStatus}`
  const isServed = share === 0 || (missing === null && ready !== 0)
  if (host === NOWHERE)
    return { when, target: `${state}: a backend of an unknown kind, or without a ReferenceGrant`, share: '', state: '', isServed }
  return {
    when,
    target: `${host}:${port}${subset === null ? '' : ` ${subset}`}`,
    share: `${Math.round(share * 1000) / 10}%`,
    state,
    isServed
  }
}

/** Columns below each other. On a narrow terminal the condition has a line of its own. */
function blockLines({ head, rows }: Block, columns: number): Lines {
  const width = (of: (row: Row) => string) => Math.max(0, ...rows.map((row) => of(row).length))
  const [when, target, share] = [width((row) => row.when), width((row) => (row.share === '' ? '' : row.target)), width((row) => row.share)]
  const told = rows.map((row) => ({
    row,
    way: row.share === '' ? row.target : `${row.target.padEnd(target)}  ${row.share.padStart(share)}  ${row.state}`
  }))
  const isNarrow = told.some(({ way }) => '    '.length + when + ' -> '.length + way.length > columns)
  const lines = told.flatMap(({ row, way }) => {
    const texts = isNarrow ? [`    ${row.when}`, `      -> ${way}`] : [`    ${row.when.padEnd(when)} -> ${way}`]
    return texts.map((text): Part[] => [row.isServed ? text : { text, style: 'red' }])
  })
  return [[`  ${head}`], ...lines]
}

/** `uri prefix /api, header end-user=jason`. */
export function formatCondition(condition: Condition): string {
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
