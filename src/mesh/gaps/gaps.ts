/** Gaps: request classes of which a share gets no answer, and which of them a change opens (docs/architecture.md). */

import { type Condition, EVERY_REQUEST, type RouteObject } from '../../kinds/http-rule.ts'
import { isOfGatewayApi, refKey } from '../../kinds/index.ts'
import { serviceOfHost } from '../names/hosts.ts'
import type { Path } from '../names/path.ts'
import { classKey, effortToClass, type RequestClass, requestClasses } from '../requests/classes.ts'
import { Conditions } from '../requests/conditions.ts'
import { forAuthority } from '../routing/authority.ts'
import { type Connection, type Ending, ends, type Reached } from '../routing/connections.ts'
import { coversEverything, intersection } from '../routing/covers.ts'
import { candidatesTo, reach } from '../routing/listeners.ts'
import { isAccepted } from '../routing/matches.ts'
import { gatewayAfter } from '../routing/proxies.ts'
import { tablesOf } from '../routing/routes.ts'
import { type Scope, type ScopeOf, scopeOf, scopesAfter, scopesOf, serviceInScope } from '../routing/scope.ts'
import {
  type Context,
  contextKey,
  isOfApi,
  lacksBackend,
  type Missing,
  type Route,
  type RoutedDestination,
  type RouteTable
} from '../routing/table.ts'
import { flatMapInParts, type InParts, whole } from '../snapshot/in-parts.ts'
import { kindsBetween, type Snapshot } from '../snapshot/snapshot.ts'
import { Allowance, type TellUnjudged } from './allowance.ts'
import { alteredRoutes, type Fate, fails, sameCondition } from './altered.ts'

/** One host as one context sees it. */
export interface Target {
  readonly context: Context
  readonly host: string
  /** Of the route object that has the host, or one of them. */
  readonly namespace: string
}

/**
 * Why a share of a class gets no answer. `no-virtual-host`: nothing has the host at the gateway, 404. `no-route`: no route takes it, 404.
 * `no-action`: Envoy refuses the route (4.9). `bad-regex`: it refuses every route of the port for an expression that is none [a16]. `no-backend`: a rule of the Gateway API sends nowhere, 500. `host`, `port`, `subset`: the destination has no cluster, 503, or 500 of the Gateway API. `no-endpoints`: it has a cluster and no
 * Ready endpoint, 503. The rest are connections that lead nowhere, see `Ending`.
 */
export type Cause = 'no-virtual-host' | 'no-route' | 'no-action' | 'bad-regex' | 'no-backend' | Missing | 'no-endpoints' | LostEnding

/** Endings by which requests are lost: of all others nobody can know what becomes of them. */
export type LostEnding = Exclude<Ending, 'passthrough' | 'protocol' | 'no-such-host'>

/** A destination, or the lack of a route, for which a share of a class gets no answer. */
export interface Gap extends Target {
  readonly port: number
  readonly requestClass: RequestClass
  /** Of a TLS connection that is told apart by it. */
  readonly serverName: string | null
  /** Of a TCP or TLS chain: connections are closed, so there is no status. */
  readonly protocol: 'http' | 'tcp'
  /** 0..1 of the class that fails for this cause, and how much of it did before the change. */
  readonly share: number
  readonly shareBefore: number
  /** What it gets; 0 for a connection that is not answered at all. */
  readonly status: 404 | 500 | 502 | 503 | 0
  readonly cause: Cause
  /** The route object whose route takes the class, or whose routes do not; null for Istio's default route. */
  readonly source: RouteObject | null
  /** The route or destination in that object; [] where there is none. */
  readonly path: Path
  readonly destination: RoutedDestination | null
  /** What answered the class before the change; null where nothing did. */
  readonly servedBy: Served | null
}

/** The route or chain that answered. */
export interface Served {
  /** null for Istio's default route. */
  readonly source: RouteObject | null
  /** It takes every request, and not only those of an explicit condition. */
  readonly isFallback: boolean
}

const EPSILON = 1e-9
/** What a gap costs to make and to keep, in steps. */
const GAP_EFFORT = 8
const NO_GAPS = { all: [], opened: [] }

/** Every gap of the targets, but of those that are too much to judge. */
export function gaps(snapshot: Snapshot, targets: readonly Target[], tell?: TellUnjudged): Gap[] {
  return whole(gapsInParts(snapshot, targets, tell))
}

export function* gapsInParts(snapshot: Snapshot, targets: readonly Target[], tell: TellUnjudged = () => undefined): InParts<Gap[]> {
  const allowance = new Allowance(tell)
  const bounded = allowance.bound(snapshot)
  const views = new Views(bounded)
  return yield* flatMapInParts(
    targets,
    (target) => allowance.for(target, () => compare(target, null, views.viewOf(target.context)).all) ?? []
  )
}

/** The gaps of a change's targets after it, and among them those that it opens: more of a class fails after it than before. */
export interface GapsOfChange {
  readonly all: Gap[]
  readonly opened: Gap[]
  /** The targets whose gaps these are: all but those that are too much to judge. */
  readonly judged: Target[]
  /** The tables after it, with all that was found out for its gaps. */
  readonly tablesAfter: (of: Pick<Target, 'context' | 'host'>) => readonly RouteTable[]
}

export function gapsOfChange(before: Snapshot, after: Snapshot, targets: readonly Target[]): GapsOfChange {
  return whole(gapsOfChangeInParts(before, after, targets))
}

/** `own` is the namespace of the written object. */
export function* gapsOfChangeInParts(
  before: Snapshot,
  after: Snapshot,
  targets: readonly Target[],
  tell: TellUnjudged = () => undefined,
  own: string | null = null
): InParts<GapsOfChange> {
  const allowance = new Allowance(tell, own)
  const earlier = new Views(allowance.bound(before))
  const kinds = kindsBetween(before, after)
  const later = earlier.after(allowance.bound(after), kinds !== null && [...kinds].every((kind) => kind === 'VirtualService'))
  const found = yield* flatMapInParts(targets, (target) => {
    const each = allowance.for(target, () => ofTarget(earlier, later, target))
    return each === null ? [] : [{ ...each, target }]
  })
  allowance.end()
  return {
    tablesAfter: (of) => later.tablesOf(of),
    all: found.flatMap(({ all }) => all),
    opened: found.flatMap(({ opened }) => opened),
    judged: found.map(({ target }) => target)
  }
}

function ofTarget(before: Views, after: Views, target: Target): Pick<GapsOfChange, 'all' | 'opened'> {
  const earlier = before.viewOf(target.context)
  const now = after.viewAfter(before.snapshot, target.context)
  if (isServedAlike(earlier, now, target)) return NO_GAPS
  const found = compare(target, earlier, now)
  return found.opened.length > 0 && isTornDown(before.snapshot, after.snapshot, target) ? { ...found, opened: [] } : found
}

/** Every request of the class is answered on some connection by which the target can be reached. */
export function answers(snapshot: Snapshot, target: Target, requestClass: RequestClass): boolean {
  const scope = scopeOf(snapshot, target.context)
  const view: View = { snapshot, scope, lost: new WeakMap() }
  return candidatesTo(scope, target.host).some((connection) => {
    const reached = reachedIn(view, connection)
    return leads(reached) && failures(snapshot, reached, requestClass)?.length === 0
  })
}

/** Once its Service or its last ServiceEntry is gone, nothing on a mesh host counts as served: teardown opens no gap. */
function isTornDown(before: Snapshot, after: Snapshot, { context, host }: Target): boolean {
  if (isGone(before, host, true) || isGone(after, host, true)) return true
  if (context.kind === 'gateway' || serviceOfHost(host, after.settings.domain) !== null) return false
  // One that lost the host, and stands, is no teardown.
  const entries = [...before.lookup('serviceEntryByHost', host)]
  return entries.length > 0 && entries.every(({ namespace, name }) => after.find('ServiceEntry', namespace, name) === undefined)
}

/** One host as one context sees it in one snapshot. */
interface View {
  readonly snapshot: Snapshot
  /** null where the gateway's Pods are gone: nobody listens. */
  readonly scope: Scope | null
  /** What becomes of routes that are gone or new as a whole. */
  readonly lost: Compared
}

/** One snapshot as its contexts see it, for one piece of work. */
class Views {
  readonly snapshot: Snapshot
  readonly #scopeOf: ScopeOf
  readonly #after = new Map<string, View>()
  readonly #lost: Compared = new WeakMap()

  constructor(snapshot: Snapshot, scopeOf = scopesOf(snapshot)) {
    this.snapshot = snapshot
    this.#scopeOf = scopeOf
  }

  /** The same contexts after a change. */
  after(snapshot: Snapshot, isOfRoutesAlone: boolean): Views {
    return new Views(snapshot, isOfRoutesAlone ? scopesAfter(this.#scopeOf, snapshot) : scopesOf(snapshot))
  }

  viewOf(context: Context): View {
    return { snapshot: this.snapshot, scope: this.#scopeOf(context), lost: this.#lost }
  }

  tablesOf({ context, host }: Pick<Target, 'context' | 'host'>): readonly RouteTable[] {
    return tablesOf(this.#scopeOf(context), host)
  }

  /** The gateway's Pods may have other labels after the change, or be gone. */
  viewAfter(before: Snapshot, context: Context): View {
    if (context.kind === 'mesh') return this.viewOf(context)
    const key = contextKey(context)
    const known = this.#after.get(key)
    if (known !== undefined) return known
    const moved = gatewayAfter(before, this.snapshot, context)
    const view = moved === null ? { snapshot: this.snapshot, scope: null, lost: this.#lost } : this.viewOf(moved)
    this.#after.set(key, view)
    return view
  }
}

function reachedIn({ snapshot, scope }: View, connection: Connection): Reached {
  const reached = scope === null ? ends('no-listener') : reach(scope, connection)
  if (reached.by !== 'virtual-host' || reached.table === null) return reached
  const table = forAuthority(snapshot, reached.table, connection.host)
  // Routes that all ask for another name say that the host is not meant.
  return { ...reached, table: table.routes.length === 0 ? null : table }
}

/**
 * No class can fail, whichever it is: the host is the same service before and after, so that it has the same ports, and on each a table whose
 * routes all are answered, with one for every request.
 */
function isServedAlike(before: View, { snapshot: after, scope }: View, { context, host }: Target): boolean {
  if (context.kind === 'gateway' || scope === null || before.scope === null) return false
  const service = serviceInScope(scope, host)
  if (service === null || service.resolution === 'alias' || service.ports.some(({ protocol }) => protocol !== 'http')) return false
  if (service.object !== serviceInScope(before.scope, host)?.object) return false
  const fate = fateIn(after)
  return service.ports.every(({ number: port }) => {
    const reached = reach(scope, { host, port, serverName: null, http: true })
    if (reached.by !== 'virtual-host' || reached.table === null) return false
    const { catchAll, routes } = reached.table
    return catchAll && refusedRoute(after, reached.table) === null && routes.every((route) => !fails(route, fate))
  })
}

function compare(target: Target, before: View | null, after: View): { all: Gap[]; opened: Gap[] } {
  const all: Gap[] = []
  const opened: Gap[] = []
  for (const { earlier, now, ...rest } of comparisons(target, before, after)) {
    after.snapshot.charge(GAP_EFFORT * now.length)
    const known = new Map(earlier?.map((failure) => [failure.key, failure.share]))
    const grew = earlier !== null && total(now) > total(earlier) + EPSILON
    for (const { key, ...failure } of now) {
      const gap: Gap = { ...target, ...rest, ...failure, shareBefore: known.get(key) ?? 0 }
      all.push(gap)
      if (grew && gap.share > gap.shareBefore + EPSILON) opened.push(gap)
    }
  }
  return { all, opened }
}

/** How one class fares on a connection after a change, and before it; `earlier` is null where nobody can know how it fared. */
interface Comparison extends OfClass, Pick<Gap, 'port' | 'serverName' | 'protocol'> {}

interface OfClass {
  readonly requestClass: RequestClass
  readonly earlier: readonly Failure[] | null
  readonly now: readonly Failure[]
  readonly servedBy: Served | null
}

/** Every connection by which the host can be reached before the change or after it. */
function comparisons({ host }: Target, before: View | null, after: View): Comparison[] {
  const connections = new Map<string, Connection>()
  for (const view of before === null ? [after] : [before, after]) {
    for (const connection of view.scope === null ? [] : candidatesTo(view.scope, host))
      connections.set(connectionKey(connection), connection)
  }
  return [...connections.values()].flatMap((connection) => ofConnection(before, after, connection))
}

function ofConnection(before: View | null, after: View, connection: Connection): Comparison[] {
  const now = reachedIn(after, connection)
  const earlier = before === null ? null : reachedIn(before, connection)
  if (!leads(now) && (earlier === null || !leads(earlier))) return []
  const { port, serverName, http } = connection
  return ofClasses(before, after, earlier, now).map((each) => ({ ...each, port, serverName, protocol: http ? 'http' : 'tcp' }))
}

type Compared = WeakMap<readonly Route[], Map<readonly Route[] | string | null, OfClass[]>>

/** By the routes after and those before a change: all hosts and ports of a VirtualService have the same. */
const compared: Compared = new WeakMap()

function ofClasses(before: View | null, after: View, earlier: Reached | null, now: Reached): OfClass[] {
  const [was, is] = [earlier === null ? null : sideOf(earlier), sideOf(now)]
  const routes = typeof is === 'object' ? is : typeof was === 'object' ? was : null
  if (routes === null || was === undefined || is === undefined) return findOfClasses(before, after, earlier, now)
  // They lose their routes alike, too, and get them alike.
  const known = typeof was === 'string' || typeof is === 'string' ? after.lost : compared
  const others = known.get(routes) ?? new Map<readonly Route[] | string | null, OfClass[]>()
  known.set(routes, others)
  const other = typeof is === 'string' ? `then ${is}` : was
  const found = others.get(other) ?? findOfClasses(before, after, earlier, now)
  others.set(other, found)
  return found
}

/** By what classes fare, whichever the host; undefined where that is told by more. */
function sideOf(reached: Reached): readonly Route[] | Ending | 'no-table' | undefined {
  if (reached.by === 'none') return reached.ending
  if (reached.by === 'chain' || reached.redirects) return undefined
  return reached.table?.routes ?? 'no-table'
}

/** Those that fail after the change. */
function findOfClasses(before: View | null, after: View, earlier: Reached | null, now: Reached): OfClass[] {
  const found: OfClass[] = []
  for (const requestClass of classesBetween(before, after, earlier, now)) {
    const failed = failures(after.snapshot, now, requestClass) ?? []
    if (failed.length === 0) continue
    found.push({
      requestClass,
      earlier: before === null || earlier === null ? null : failures(before.snapshot, earlier, requestClass),
      now: failed,
      servedBy: before === null || earlier === null ? null : servedBy(before.snapshot, earlier, requestClass)
    })
  }
  return toldOf(found)
}

/** More classes of one connection than anybody reads: thousands of them, at each of thousands of hosts, are more than memory holds. */
const MOST_TOLD = 64

/** The first of them, and one of each that a verdict can tell from others. */
function toldOf(classes: OfClass[]): OfClass[] {
  if (classes.length <= MOST_TOLD) return classes
  const known = new Set<string>()
  return classes.filter((each, at) => {
    const kinds = kindsOf(each)
    const isNew = kinds.some((kind) => !known.has(kind))
    for (const kind of kinds) known.add(kind)
    return isNew || at < MOST_TOLD
  })
}

/** Whose loss it is and why, how much of it there is and whether that is more than before, and who answered. */
function kindsOf({ earlier, now, servedBy }: OfClass): string[] {
  const grew = earlier !== null && total(now) > total(earlier) + EPSILON
  const percent = Math.round(100 * total(now))
  const by = servedBy === null ? null : [servedBy.source && refKey(servedBy.source), servedBy.isFallback]
  return now.map(({ cause, source, destination }) =>
    JSON.stringify([cause, source && refKey(source), destination === null, grew, percent, by])
  )
}

/** Of two tables those that the change can alter, and those that fail; where there is one alone, all of it is new or gone. */
function classesBetween(before: View | null, after: View, earlier: Reached | null, now: Reached): RequestClass[] {
  const { snapshot } = after
  const [was, is] = [earlier, now].map((reached) => (reached?.by === 'virtual-host' ? reached.table : null))
  if (!was && !is) return [EVERY_REQUEST]
  if (!is || (before !== null && !was))
    return classesOf(
      snapshot,
      [was ?? is].flatMap((table) => table ?? [])
    )
  const fate = fateIn(snapshot)
  const twin = was ?? is
  const altered = alteredRoutes(snapshot, { before: twin.routes, after: is.routes, fate })
  const asked = altered === null ? [twin, is] : altered.map((routes) => ({ routes }))
  return [...classesOf(snapshot, asked), ...overlaps(snapshot, twin.routes, is.routes, fate)]
}

function connectionKey({ host, port, serverName, http }: Connection): string {
  return `${host} ${port} ${http}${serverName === null ? '' : ` ${serverName}`}`
}

/** Something that answers stands at the end of the connection. */
function leads(reached: Reached): boolean {
  return reached.by === 'chain' || (reached.by === 'virtual-host' && reached.table !== null)
}

function classesOf(snapshot: Snapshot, tables: readonly Pick<RouteTable, 'routes'>[]): RequestClass[] {
  for (const { routes } of tables) for (const { condition } of routes) snapshot.charge(effortToClass(condition))
  return requestClasses(tables)
}

/** Pairs of conditions that are met together: more than a person writes. Beyond them, classes are told apart by one condition alone. */
const MOST_OVERLAPS = 4096

/**
 * Requests that meet two conditions at once: what a route took that is gone, or stands elsewhere, goes to a later one that fails, of which neither
 * condition alone tells.
 */
function overlaps(snapshot: Snapshot, before: readonly Route[], after: readonly Route[], fate: Fate): RequestClass[] {
  const isAlike = (one: Route | undefined, other: Route | undefined) =>
    one !== undefined && other !== undefined && (one === other || sameCondition(one.condition, other.condition))
  let start = 0
  while (isAlike(before[start], after[start])) start++
  let [end, endNow] = [before.length, after.length]
  while (end > start && endNow > start && isAlike(before[end - 1], after[endNow - 1])) {
    end--
    endNow--
  }
  const moved = before.slice(start, end)
  const failing = moved.length === 0 ? [] : after.filter((route) => fails(route, fate))
  const pairs = Math.min(moved.length * failing.length, MOST_OVERLAPS)
  snapshot.charge(pairs)
  const found: RequestClass[] = []
  let left = pairs
  // Never made as a list: the two may have ten thousand routes each.
  for (const one of moved) {
    for (const other of failing) {
      if (left-- === 0) return found
      const both = intersection(one.condition, other.condition)
      if (both !== null) found.push(both)
    }
  }
  return found
}

interface Failure extends Pick<Gap, 'share' | 'status' | 'cause' | 'source' | 'path' | 'destination'> {
  /** The same failure before and after a change. */
  readonly key: string
}

/** null where nobody can know. */
function failures(snapshot: Snapshot, reached: Reached, requestClass: RequestClass): Failure[] | null {
  switch (reached.by) {
    case 'none':
      return isLost(reached.ending) ? [lost(reached.ending)] : null
    case 'chain':
      return destinationFailures(snapshot, reached.chain)
    case 'virtual-host': {
      if (reached.redirects) return reached.table === null ? null : []
      if (reached.table === null) return [{ ...NO_ROUTE, key: 'no-virtual-host', cause: 'no-virtual-host', source: null, path: [] }]
      const refused = refusedRoute(snapshot, reached.table)
      if (refused !== null)
        return [{ ...NO_ROUTE, key: 'bad-regex', status: 0, cause: 'bad-regex', path: refused.path, source: refused.source }]
      const route = firstRoute(snapshot, reached.table, requestClass)
      return route === undefined ? [noRoute(reached.table)] : routeFailures(snapshot, route)
    }
  }
}

/** By the routes of a table, asked for each class. */
const refusedRoutes = new WeakMap<readonly Route[], Route | null>()

/** The first route that Envoy refuses, and all others of its port with it. Of a VirtualService Istio itself refuses such an expression (2.4). */
function refusedRoute(snapshot: Snapshot, { routes }: RouteTable): Route | null {
  const known = refusedRoutes.get(routes)
  if (known !== undefined) return known
  const found = routes.find((route) => {
    if (!isOfApi(route)) return false
    snapshot.charge(effortToClass(route.condition))
    return !isAccepted(route.condition)
  })
  refusedRoutes.set(routes, found ?? null)
  return found ?? null
}

/** Which route or chain takes the class. */
function servedBy(snapshot: Snapshot, reached: Reached, requestClass: RequestClass): Served | null {
  if (reached.by === 'chain') return { source: reached.chain.source, isFallback: true }
  if (reached.by === 'none' || reached.table === null) return null
  const route = firstRoute(snapshot, reached.table, requestClass)
  return route === undefined ? null : { source: route.source, isFallback: coversEverything(route.condition) }
}

function isLost(ending: Ending): ending is LostEnding {
  return ending !== 'passthrough' && ending !== 'protocol' && ending !== 'no-such-host'
}

const NO_ROUTE = { share: 1, status: 404 as const, path: ['spec', 'http'], destination: null }

function lost(ending: LostEnding): Failure {
  return { ...NO_ROUTE, key: ending, status: ending === 'blocked' ? 502 : 0, cause: ending, source: null, path: [] }
}

/** By the first condition of a table, the last table that began with it: one is asked for every class, before a change and after it, and again when the next is decided. */
const lastConditions = new WeakMap<Condition, { readonly list: readonly Condition[]; readonly places: Conditions<number> }>()

function conditionsOf(routes: readonly Route[]): Conditions<number> {
  const [first] = routes
  const known = first === undefined ? undefined : lastConditions.get(first.condition)
  const isKnown = known?.list.length === routes.length && routes.every(({ condition }, place) => condition === known.list[place])
  if (isKnown) return known.places
  const list = routes.map(({ condition }) => condition)
  const places = new Conditions([...list.keys()], (place) => list[place] ?? EVERY_REQUEST)
  if (first !== undefined) lastConditions.set(first.condition, { list, places })
  return places
}

/** Asked once for each table and not for each class. */
const conditions = new WeakMap<readonly Route[], Conditions<number>>()

function firstRoute(snapshot: Snapshot, { routes }: RouteTable, requestClass: RequestClass): Route | undefined {
  const known = conditions.get(routes) ?? conditionsOf(routes)
  conditions.set(routes, known)
  const place = known.first(requestClass, (steps) => snapshot.charge(steps))
  return place === undefined ? undefined : routes[place]
}

function routeFailures(snapshot: Snapshot, route: Route): Failure[] {
  switch (route.action) {
    case 'redirect':
      return []
    case 'direct':
      return lacksBackend(route)
        ? [{ ...NO_ROUTE, key: 'no-backend', status: 500, cause: 'no-backend', path: route.path, source: route.source }]
        : []
    case 'none':
      return [{ ...NO_ROUTE, key: 'no-action', cause: 'no-action', path: route.path, source: route.source }]
    case 'route':
      return destinationFailures(snapshot, route)
  }
}

function noRoute({ takers: [taker] }: RouteTable): Failure {
  const path = taker !== undefined && isOfGatewayApi(taker) ? ['spec', 'rules'] : NO_ROUTE.path
  return { ...NO_ROUTE, key: 'no-route', cause: 'no-route', path, source: taker ?? null }
}

function destinationFailures(snapshot: Snapshot, { source, destinations }: Pick<Route, 'source' | 'destinations'>): Failure[] {
  const fate = fateIn(snapshot)
  return destinations.flatMap((destination) => {
    const cause = fate(destination)
    if (cause === null) return []
    const key = `${destination.host}|${destination.port}|${destination.subset ?? ''}`
    const status = destination.missing !== null && isOfApi({ source }) ? 500 : 503
    return [{ key, share: destination.share, status, cause, source, path: destination.path, destination }]
  })
}

/** What becomes of requests to a destination in the snapshot; whether its Service is terminating is looked up once. */
function fateIn(snapshot: Snapshot): Fate {
  const gone = new Map<string, boolean>()
  return ({ missing, ready, host }) => {
    if (missing !== null) return missing
    if (ready === 0) return 'no-endpoints'
    const isGoing = gone.get(host) ?? isGone(snapshot, host, false)
    gone.set(host, isGoing)
    return isGoing ? 'no-endpoints' : null
  }
}

/** The host names a Service that is terminating, or is `absent` where the caller takes that for gone too. */
function isGone(snapshot: Snapshot, host: string, absent: boolean): boolean {
  const named = serviceOfHost(host, snapshot.settings.domain)
  if (named === null || !snapshot.knows('Service')) return false
  const service = snapshot.find('Service', named.namespace, named.name)
  if (service !== undefined) return service.deleting
  return absent && [...snapshot.lookup('serviceEntryByHost', host)].length === 0
}

function total(failed: readonly Failure[]): number {
  return failed.reduce((sum, { share }) => sum + share, 0)
}

/** One text for equal gaps of one cause, whichever context sees them. */
export function gapKey(gap: Gap): string {
  return JSON.stringify([
    gap.source === null ? null : refKey(gap.source),
    gap.path,
    gap.cause,
    gap.host,
    gap.port,
    gap.serverName,
    classKey(gap.requestClass)
  ])
}
