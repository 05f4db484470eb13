/** Gaps: request classes of which a share gets no answer, and which of them a change opens (design, section 1). */

import type { ObjectRef } from '../../kinds/index.ts'
import { serviceOfHost } from '../names/hosts.ts'
import type { Path } from '../names/path.ts'
import { classKey, effortToClass, type RequestClass, requestClasses } from '../requests/classes.ts'
import { Conditions } from '../requests/conditions.ts'
import { covers } from '../routing/covers.ts'
import { toWhole } from '../routing/destinations.ts'
import { chains, routeTables } from '../routing/routes.ts'
import { scopeOf, serviceInScope } from '../routing/scope.ts'
import {
  type Chain,
  type Context,
  EVERY_REQUEST,
  type Missing,
  type Route,
  type RoutedDestination,
  type RouteTable
} from '../routing/table.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { Allowance, type TellUnjudged } from './allowance.ts'

/** One host as one context sees it. */
export interface Target {
  readonly context: Context
  readonly host: string
  /** Of the route object that has the host, or one of them. */
  readonly namespace: string
}

/**
 * Why a share of a class gets no answer. `no-route`: no route takes it, 404. `no-action`: Envoy refuses the route (4.9). `host`, `port`, `subset`:
 * the destination has no cluster, 503. `no-endpoints`: it has a cluster and no Ready endpoint, 503.
 */
export type Cause = 'no-route' | 'no-action' | Missing | 'no-endpoints'

/** A destination, or the lack of a route, for which a share of a class gets no answer. */
export interface Gap extends Target {
  readonly port: number
  readonly requestClass: RequestClass
  /** Of a TCP or TLS chain: connections are closed, so there is no status. */
  readonly protocol: 'http' | 'tcp'
  /** 0..1 of the class that fails for this cause, and how much of it did before the change. */
  readonly share: number
  readonly shareBefore: number
  readonly status: 404 | 503
  readonly cause: Cause
  /** `namespace/name` of the VirtualService whose route takes the class, or whose routes do not; null for Istio's default route. */
  readonly virtualService: string | null
  /** The route or destination in that VirtualService; [] where there is none. */
  readonly path: Path
  readonly destination: RoutedDestination | null
}

const EPSILON = 1e-9
const NO_GAPS = { all: [], opened: [] }

/** The VirtualService that holds a gap's route; null where that is Istio's default route. */
export function virtualServiceOf({ virtualService }: Pick<Gap, 'virtualService'>): ObjectRef | null {
  if (virtualService === null) return null
  const [namespace = '', name = ''] = virtualService.split('/')
  return { kind: 'VirtualService', namespace, name }
}

/** Every gap of the targets, but of those that are too much to judge. */
export function gaps(snapshot: Snapshot, targets: readonly Target[], tell: TellUnjudged = () => undefined): Gap[] {
  const allowance = new Allowance(tell)
  const bounded = allowance.bound(snapshot)
  return targets.flatMap((target) => allowance.for(target, () => compare(target, null, view(bounded, target)).all) ?? [])
}

/** The gaps of a change's targets after it, and among them those that it opens: more of a class fails after it than before. */
export interface GapsOfChange {
  readonly all: Gap[]
  readonly opened: Gap[]
  /** The targets whose gaps these are: all but those that are too much to judge. */
  readonly judged: Target[]
}

export function gapsOfChange(
  before: Snapshot,
  after: Snapshot,
  targets: readonly Target[],
  tell: TellUnjudged = () => undefined,
  own: string | null = null
): GapsOfChange {
  const allowance = new Allowance(tell, own)
  const [earlier, later] = [allowance.bound(before), allowance.bound(after)]
  const found = targets.flatMap((target) => {
    const each = allowance.for(target, () => ofTarget(earlier, later, target))
    return each === null ? [] : [{ ...each, target }]
  })
  return {
    all: found.flatMap(({ all }) => all),
    opened: found.flatMap(({ opened }) => opened),
    judged: found.map(({ target }) => target)
  }
}

function ofTarget(before: Snapshot, after: Snapshot, target: Target): Pick<GapsOfChange, 'all' | 'opened'> {
  const now = view(after, target)
  if (isServed(now) && isSameService(before, after, target)) return NO_GAPS
  const found = compare(target, view(before, target), now)
  // Once its Service is gone, nothing on a host counts as served: teardown opens no gap.
  const isTornDown = isGone(before, target.host, true) || isGone(after, target.host, true)
  return isTornDown ? { ...found, opened: [] } : found
}

/** No class can fail, whichever it is: each table has a route for every request, and all routes are answered. */
function isServed({ snapshot, tables, chains: l4 }: View): boolean {
  return (
    l4.length === 0 &&
    tables.every((table) => table.catchAll && table.routes.every((route) => routeFailures(snapshot, route, table).length === 0))
  )
}

/** The host is the same service before and after, and no alias: on the mesh it has a table for the same ports then, and none can be lost. */
function isSameService(before: Snapshot, after: Snapshot, { context, host }: Target): boolean {
  if (context.kind === 'gateway') return false
  const service = serviceInScope(scopeOf(after, context), host)
  if (service === null || service.resolution === 'alias') return false
  return service.object === serviceInScope(scopeOf(before, context), host)?.object
}

interface View {
  readonly snapshot: Snapshot
  readonly context: Context
  readonly tables: readonly RouteTable[]
  readonly chains: readonly Chain[]
}

function view(snapshot: Snapshot, { context, host }: Target): View {
  return { snapshot, context, tables: routeTables(snapshot, context, host), chains: chains(snapshot, context, host) }
}

function compare(target: Target, before: View | null, after: View): { all: Gap[]; opened: Gap[] } {
  const all: Gap[] = []
  const opened: Gap[] = []
  for (const { earlier, now, ...rest } of comparisons(before, after)) {
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

/** How one class fares on one port after a change, and before it; `earlier` is null where there was nobody to ask. */
interface Comparison extends Pick<Gap, 'port' | 'requestClass' | 'protocol'> {
  readonly earlier: readonly Failure[] | null
  readonly now: readonly Failure[]
}

function comparisons(before: View | null, after: View): Comparison[] {
  const kept = after.tables.flatMap((table) => ofTable(before, after, table))
  const lost = before?.tables.filter(({ port }) => !after.tables.some((table) => table.port === port)) ?? []
  return [
    ...kept,
    ...(before === null ? [] : lost.flatMap((table) => ofLostTable(before, table))),
    ...after.chains.map((chain) => ofChain(before, after, chain))
  ]
}

function ofTable(before: View | null, after: View, table: RouteTable): Comparison[] {
  const { port } = table
  const old = before?.tables.find((other) => other.port === port)
  return classesOf(after.snapshot, old === undefined ? [table] : [old, table]).map((requestClass) => ({
    port,
    requestClass,
    protocol: 'http',
    earlier: before === null || old === undefined ? null : failures(before.snapshot, old, requestClass),
    now: failures(after.snapshot, table, requestClass)
  }))
}

function classesOf(snapshot: Snapshot, tables: readonly RouteTable[]): RequestClass[] {
  for (const { routes } of tables) for (const { condition } of routes) snapshot.charge(effortToClass(condition))
  return requestClasses(tables)
}

function ofLostTable(before: View, table: RouteTable): Comparison[] {
  return classesOf(before.snapshot, [table]).map((requestClass) => ({
    port: table.port,
    requestClass,
    protocol: 'http',
    earlier: failures(before.snapshot, table, requestClass),
    now: [noTable(table)]
  }))
}

function ofChain(before: View | null, after: View, chain: Chain): Comparison {
  const now = destinationFailures(after.snapshot, chain)
  return {
    port: chain.port,
    requestClass: EVERY_REQUEST,
    protocol: 'tcp',
    earlier: before === null ? null : chainFailuresBefore(before, chain),
    now
  }
}

/** How a chain's connections fared before: through a chain of the same key, or through the default chain of the service's port (12.1). */
function chainFailuresBefore(before: View, chain: Chain): readonly Failure[] | null {
  const old = before.chains.find((other) => chainKey(other) === chainKey(chain))
  if (old !== undefined) return destinationFailures(before.snapshot, old)
  const destination = toWhole(scopeOf(before.snapshot, before.context), chain.host, chain.port)
  return destination.missing === null ? destinationFailures(before.snapshot, { virtualService: null, destinations: [destination] }) : null
}

interface Failure extends Pick<Gap, 'share' | 'status' | 'cause' | 'virtualService' | 'path' | 'destination'> {
  /** The same failure before and after a change. */
  readonly key: string
}

function failures(snapshot: Snapshot, table: RouteTable, requestClass: RequestClass): Failure[] {
  const route = firstRoute(snapshot, table, requestClass)
  return route === undefined ? [noRoute(table)] : routeFailures(snapshot, route, table)
}

/** Made once for each table: every class asks it. */
const conditionsOf = new WeakMap<RouteTable, Conditions<Route>>()

function firstRoute(snapshot: Snapshot, table: RouteTable, requestClass: RequestClass): Route | undefined {
  const conditions = conditionsOf.get(table) ?? new Conditions(table.routes, ({ condition }) => condition)
  conditionsOf.set(table, conditions)
  for (const route of conditions.mayCover(requestClass, (steps) => snapshot.charge(steps))) {
    if (covers(route.condition, requestClass)) return route
  }
  return undefined
}

function routeFailures(snapshot: Snapshot, route: Route, table: RouteTable): Failure[] {
  switch (route.action) {
    case 'redirect':
    case 'direct':
      return []
    case 'none':
      return [{ ...noRoute(table), cause: 'no-action', path: route.path, virtualService: route.virtualService }]
    case 'route':
      return destinationFailures(snapshot, route)
  }
}

function noRoute(table: RouteTable): Failure {
  return {
    key: 'no-route',
    share: 1,
    status: 404,
    cause: 'no-route',
    virtualService: table.virtualServices[0] ?? null,
    path: ['spec', 'http'],
    destination: null
  }
}

/** The host is no longer known on that port: at a gateway it has no virtual host (6.5), on the mesh it is gone. */
function noTable(earlier: RouteTable): Failure {
  return { ...noRoute(earlier), virtualService: null, path: [] }
}

function destinationFailures(
  snapshot: Snapshot,
  { virtualService, destinations }: Pick<Route, 'virtualService' | 'destinations'>
): Failure[] {
  return destinations.flatMap((destination) => {
    const cause = failureOf(snapshot, destination)
    if (cause === null) return []
    const key = `${destination.host}|${destination.port}|${destination.subset ?? ''}`
    return [{ key, share: destination.share, status: 503 as const, cause, virtualService, path: destination.path, destination }]
  })
}

function failureOf(snapshot: Snapshot, { missing, ready, host }: RoutedDestination): Cause | null {
  if (missing !== null) return missing
  if (ready === 0) return 'no-endpoints'
  return isGone(snapshot, host, false) ? 'no-endpoints' : null
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

function chainKey(chain: Chain): string {
  return `${chain.port}|${[...chain.serverNames].sort().join(',')}`
}

/** One text for equal gaps of one cause, whichever context sees them. */
export function gapKey(gap: Gap): string {
  return JSON.stringify([gap.virtualService, gap.path, gap.cause, gap.host, gap.port, classKey(gap.requestClass)])
}
