/** Routes that move their requests bit by bit: the manifests between two states of a route object. */
import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '../kinds/fields.ts'
import type { Kind } from '../kinds/index.ts'
import { own } from '../mesh/names/own.ts'

type Raw = Readonly<Record<string, unknown>>

/** One write on the way, and what of it is not yet as it is to be. */
export interface Stage {
  readonly manifest: Raw
  readonly forNow: string
}

/** A destination of a route with its share of the route's requests, in percent. */
interface Weighted {
  readonly entry: Raw
  readonly share: number
}

interface Move {
  readonly from: readonly Weighted[]
  readonly to: readonly Weighted[]
  /** How much of the route's requests is to move, in percent. */
  readonly percent: number
}

/** Where a kind has its rules, and each of them its destinations with weights. */
interface Shape {
  readonly lists: readonly string[]
  readonly match: string
  readonly destinations: string
  /** Of a destination among several that names none. */
  readonly weight: number
}

const VIRTUAL_SERVICE: Shape = { lists: ['http', 'tls', 'tcp'], match: 'match', destinations: 'route', weight: 0 }
const ROUTE: Shape = { lists: ['rules'], match: 'matches', destinations: 'backendRefs', weight: 1 }
const SHAPES: Partial<Record<Kind, Shape>> = {
  VirtualService: VIRTUAL_SERVICE,
  HTTPRoute: ROUTE,
  GRPCRoute: ROUTE,
  TLSRoute: ROUTE,
  TCPRoute: ROUTE
}

/**
 * What is written before `to`, so that no write moves more than `percent` of the requests of any route; empty where `to` itself moves no more, and for
 * kinds that have no weights. Rules are told from one another by their place and their match: one that is new is as it is to be from the start.
 */
export function weightStages(kind: Kind, from: Raw, to: Raw, percent: number): readonly Stage[] {
  const shape = SHAPES[kind]
  if (shape === undefined) return []
  const moves = shape.lists.flatMap((list) => movesOf(shape, list, from, to))
  const most = moves.reduce((sofar, move) => Math.max(sofar, move?.percent ?? 0), 0)
  const stages = Math.ceil(most / percent - 1e-9)
  return Array.from({ length: Math.max(0, stages - 1) }, (_, at) => {
    const moved = percent * (at + 1)
    return { manifest: mixed(shape, from, to, moved), forNow: `with ${Math.round(moved * 100) / 100}% of the requests moved` }
  })
}

/** For each rule of `to` what moves in it; null where nothing does, or where nothing in `from` is the same rule. */
function movesOf(shape: Shape, list: string, from: Raw, to: Raw): readonly (Move | null)[] {
  const before = rulesOf(from, list)
  return rulesOf(to, list).map((rule, at) => {
    const old = before[at]
    if (old === undefined || !isDeepStrictEqual(own(old, shape.match), own(rule, shape.match))) return null
    const [left, taken] = [weightedOf(shape, old), weightedOf(shape, rule)]
    if (left.length === 0 || taken.length === 0) return null
    const percent = taken.reduce((sum, { entry, share }) => sum + Math.max(0, share - shareOf(left, entry)), 0)
    return percent === 0 ? null : { from: left, to: taken, percent }
  })
}

function mixed(shape: Shape, from: Raw, to: Raw, moved: number): Raw {
  const spec = isRecord(to['spec']) ? to['spec'] : {}
  const changed = shape.lists.flatMap((list) => {
    const moves = movesOf(shape, list, from, to)
    if (moves.every((move) => move === null)) return []
    const rules = rulesOf(to, list).map((rule, at) => {
      const move = moves[at] ?? null
      return move === null ? rule : { ...rule, [shape.destinations]: between(move, Math.min(1, moved / move.percent)) }
    })
    return [[list, rules] as const]
  })
  return { ...to, spec: { ...spec, ...Object.fromEntries(changed) } }
}

/** The destinations of both states, the later ones first. */
function between({ from, to }: Move, done: number): readonly Raw[] {
  const left = from.filter(({ entry }) => !to.some((other) => isSame(other.entry, entry)))
  const shares = [
    ...to.map(({ entry, share }) => ({ entry, share: shareOf(from, entry) * (1 - done) + share * done })),
    ...left.map(({ entry, share }) => ({ entry, share: share * (1 - done) }))
  ]
  const weights = wholeNumbers(shares.map(({ share }) => share))
  return shares.map(({ entry }, at) => ({ ...entry, weight: weights[at] ?? 0 }))
}

/** Whole numbers with a sum of 100: what rounding down leaves goes to the largest remainders. */
function wholeNumbers(shares: readonly number[]): readonly number[] {
  const floors = shares.map((share) => Math.floor(share + 1e-9))
  const left = 100 - floors.reduce((sum, floor) => sum + floor, 0)
  const byRemainder = shares.map((share, at) => ({ at, rest: share - (floors[at] ?? 0) })).sort((one, other) => other.rest - one.rest)
  const raised = new Set(byRemainder.slice(0, left).map(({ at }) => at))
  return floors.map((floor, at) => floor + (raised.has(at) ? 1 : 0))
}

/** A lone destination takes all, whatever its weight. */
function weightedOf({ destinations, weight: unnamed }: Shape, rule: Raw): readonly Weighted[] {
  const named = own(rule, destinations)
  const entries = Array.isArray(named) ? named.filter(isRecord) : []
  const weights = entries.map(({ weight }) => (entries.length === 1 ? 1 : typeof weight === 'number' ? weight : unnamed))
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return sum === 0 ? [] : entries.map((entry, at) => ({ entry, share: (100 * (weights[at] ?? 0)) / sum }))
}

function shareOf(weighted: readonly Weighted[], entry: Raw): number {
  return weighted.find((other) => isSame(other.entry, entry))?.share ?? 0
}

function isSame(one: Raw, other: Raw): boolean {
  return isDeepStrictEqual(whereTo(one), whereTo(other))
}

/** A backend of the Gateway API stands beside its weight and filters, a destination of Istio's below. */
function whereTo({ destination, group, kind, namespace, name, port }: Raw): unknown {
  return destination ?? { group, kind, namespace, name, port }
}

function rulesOf({ spec }: Raw, list: string): readonly Raw[] {
  const rules = isRecord(spec) ? own(spec, list) : undefined
  return Array.isArray(rules) ? rules.filter(isRecord) : []
}
