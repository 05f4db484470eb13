/** Which routes of two tables a change can matter to, so that those that are the same before and after it are not compared. */
import type { Condition, StringMatch } from '../../kinds/http-rule.ts'
import { own } from '../names/own.ts'
import { covers } from '../routing/covers.ts'
import { lacksBackend, type Missing, type Route, type RoutedDestination } from '../routing/table.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** Up to so many pairs of conditions are compared; for more of them it is less work to ask for every class, by an index. */
const MOST_COVERS = 50_000

/** What becomes of the requests that a destination gets: null where they are answered. */
export type Fate = (destination: RoutedDestination) => Missing | 'no-endpoints' | null

export interface Tables {
  readonly before: readonly Route[]
  readonly after: readonly Route[]
  /** Of destinations after the change. */
  readonly fate: Fate
}

/** The routes of both tables whose conditions must be asked for, in their order. */
export type Altered = readonly [before: readonly Route[], after: readonly Route[]]

/**
 * Those of routes that differ, and of later ones that one of these covers; and, since gaps that stood are told too, those of failing routes and what they
 * cover. No other class changes its route, or is without one. A condition that excludes a header need not cover itself, and is always asked
 * for. null where all of it is no less work than to ask for every class.
 */
export function alteredRoutes(snapshot: Snapshot, tables: Tables): Altered | null {
  const { before, after, fate } = tables
  const { changed, isChanged, twinOf } = differing(tables)
  const asked = new Set(changed.after)
  after.forEach((route, at) => {
    if (fails(route, fate)) asked.add(at)
  })
  const sources = [
    ...changed.before.map((at) => ({ route: before[at], next: twinOf(at) })),
    ...[...asked].map((at) => ({ route: after[at], next: at + 1 }))
  ]
  const pairs = sources.reduce((sum, { next }) => sum + after.length - next, 0)
  if (pairs > MOST_COVERS) return null
  snapshot.charge(before.length + after.length + pairs)
  for (const { route, next } of sources) {
    for (let at = next; at < after.length; at++) {
      const later = after[at]
      if (route !== undefined && later !== undefined && covers(route.condition, later.condition)) asked.add(at)
    }
  }
  after.forEach(({ condition }, at) => {
    if (excludesAny(condition)) asked.add(at)
  })
  return [before.filter((_, at) => isChanged(at) || asked.has(twinOf(at))), after.filter((_, at) => asked.has(at))]
}

interface Differing {
  readonly changed: { readonly before: readonly number[]; readonly after: readonly number[] }
  readonly isChanged: (before: number) => boolean
  /** The place in the table after of a route that is the same before; of one that differs, that of the first that comes behind it. */
  readonly twinOf: (before: number) => number
}

/** Tables of one length are compared place by place; of others the middle differs, that is not alike at the beginning and the end. */
function differing({ before, after }: Tables): Differing {
  const isAlike = (at: number, place: number) => {
    const one = before[at]
    const other = after[place]
    return one !== undefined && other !== undefined && sameRoute(one, other)
  }
  if (before.length === after.length) {
    const places: number[] = []
    if (before !== after) for (let at = 0; at < before.length; at++) if (!isAlike(at, at)) places.push(at)
    const among = new Set(places)
    return { changed: { before: places, after: places }, isChanged: (at) => among.has(at), twinOf: (at) => at }
  }
  let start = 0
  while (isAlike(start, start)) start++
  let [end, endAfter] = [before.length, after.length]
  while (end > start && endAfter > start && isAlike(end - 1, endAfter - 1)) {
    end--
    endAfter--
  }
  return {
    changed: { before: range(start, end), after: range(start, endAfter) },
    isChanged: (at) => at >= start && at < end,
    twinOf: (at) => (at < start ? at : Math.max(at - end, 0) + endAfter)
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
}

/** Both send the same requests to the same destinations; where they stand in their objects does not matter. Whether those answer is asked apart. */
function sameRoute(one: Route, other: Route): boolean {
  if (one === other) return true
  return (
    one.action === other.action &&
    one.source?.name === other.source?.name &&
    one.source?.namespace === other.source?.namespace &&
    one.source?.kind === other.source?.kind &&
    one.destinations.length === other.destinations.length &&
    sameCondition(one.condition, other.condition) &&
    one.destinations.every((destination, at) => {
      const now = other.destinations[at]
      return now !== undefined && sameCluster(destination, now)
    })
  )
}

function sameCluster(one: RoutedDestination, other: RoutedDestination): boolean {
  return one.host === other.host && one.port === other.port && one.subset === other.subset && one.share === other.share
}

export function sameCondition(one: Condition, other: Condition): boolean {
  return (
    one === other ||
    (sameMatch(one.uri, other.uri) &&
      (one.uri === null || one.ignoreUriCase === other.ignoreUriCase) &&
      sameMatch(one.scheme, other.scheme) &&
      sameMatch(one.method, other.method) &&
      sameMatch(one.authority, other.authority) &&
      sameMatches(one.headers, other.headers) &&
      sameMatches(one.withoutHeaders, other.withoutHeaders) &&
      sameMatches(one.queryParams, other.queryParams))
  )
}

function sameMatch(one: StringMatch | null | undefined, other: StringMatch | null | undefined): boolean {
  if (one === other) return true
  if (!one || !other || one.type !== other.type) return false
  return one.type === 'present' || other.type === 'present' || one.value === other.value
}

function sameMatches(one: Condition['headers'], other: Condition['headers']): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && sameMatch(own(one, name), own(other, name)))
  )
}

/** Some of its requests get no answer. */
export function fails(route: Route, fate: Fate): boolean {
  const { action, destinations } = route
  return action === 'none' || lacksBackend(route) || (action === 'route' && destinations.some((destination) => fate(destination) !== null))
}

function excludesAny({ withoutHeaders }: Condition): boolean {
  for (const _ in withoutHeaders) return true
  return false
}
