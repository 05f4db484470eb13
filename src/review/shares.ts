/** What a change does to the requests of each host: what is lost, moved and gained, each with one request that shows it. */
import { type Condition, EVERY_REQUEST, type StringMatch } from '../kinds/http-rule.ts'
import type { MeshObject } from '../kinds/index.ts'
import { affectedTargets } from '../mesh/gaps/affected.ts'
import { describeClass, requestClasses } from '../mesh/requests/classes.ts'
import { firstUnmet, formatTarget, type HttpRequest } from '../mesh/requests/request.ts'
import { type Answer, noListener, serve } from '../mesh/requests/serve.ts'
import { gatewayAfter } from '../mesh/routing/proxies.ts'
import { routeTables } from '../mesh/routing/routes.ts'
import type { Context, RoutedDestination } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

export interface Shift {
  readonly what: 'lost' | 'moved' | 'gained'
  readonly host: string
  readonly port: number
  readonly context: Context
  /** `GET /api` with its headers: one request that it is true of. */
  readonly example: string
  readonly before: Way
  readonly after: Way
}

export interface Way {
  readonly status: number | string
  /** 0..1; null where nobody can know. */
  readonly unserved: number | null
  readonly destinations: readonly Share[]
}

export interface Share {
  readonly host: string
  readonly subset: string | null
  readonly share: number
}

export interface Shifts {
  readonly shifts: readonly Shift[]
  /** Requests that no example could be made for. */
  readonly notCompared: readonly string[]
}

/** Each class of each table is asked for in both states: products of strangers' lists end somewhere. */
const MOST_COMPARED = 20_000

/** Compares the hosts that the objects can affect. What clients of several namespaces see alike is told once. */
export function shiftsOf(before: Snapshot, after: Snapshot, objects: readonly MeshObject[]): Shifts {
  const shifts = new Map<string, Shift>()
  const notCompared = new Set<string>()
  let compared = 0
  for (const { context, host } of affectedTargets(before, after, objects)) {
    // The gateway's Pods may have other labels after it, or be gone.
    const now = context.kind === 'gateway' ? gatewayAfter(before, after, context) : context
    const tables = [...routeTables(before, context, host), ...(now === null ? [] : routeTables(after, now, host))]
    for (const port of new Set(tables.map((table) => table.port))) {
      for (const requestClass of requestClasses(tables.filter((table) => table.port === port))) {
        const request = compared++ < MOST_COMPARED ? exampleOf(after, requestClass, host) : null
        if (request === null) {
          notCompared.add(describeClass(requestClass, host))
          continue
        }
        const from = wayOf(serve(before, context, host, port, request))
        const to = wayOf(now === null ? noListener() : serve(after, now, host, port, request))
        const what = shiftBetween(from, to)
        if (what === null) continue
        const shift = { what, host, port, context, example: describeRequest(request), before: from, after: to }
        const key = JSON.stringify([what, host, port, shift.example, from, to])
        if (!shifts.has(key)) shifts.set(key, shift)
      }
    }
  }
  return { shifts: [...shifts.values()].sort(byWeight), notCompared: [...notCompared].sort() }
}

const WEIGHTS = { lost: 0, moved: 1, gained: 2 }

function byWeight(one: Shift, other: Shift): number {
  return WEIGHTS[one.what] - WEIGHTS[other.what] || (one.host < other.host ? -1 : one.host > other.host ? 1 : one.port - other.port)
}

function shiftBetween(before: Way, after: Way): Shift['what'] | null {
  const [lost, now] = [before.unserved ?? 0, after.unserved ?? 0]
  if (now > lost + 1e-9) return 'lost'
  if (now < lost - 1e-9) return 'gained'
  return JSON.stringify(before) === JSON.stringify(after) ? null : 'moved'
}

function wayOf({ status, unserved, destinations }: Answer): Way {
  return { status, unserved, destinations: destinations.map(shareOf).sort((one, other) => other.share - one.share) }
}

function shareOf({ host, subset, share }: RoutedDestination): Share {
  return { host, subset, share: Math.round(share * 1e6) / 1e6 }
}

/** A request of the class; null where a regular expression is not met by what it is spelled as. */
function exampleOf(snapshot: Snapshot, condition: Condition, host: string): HttpRequest | null {
  const headers = Object.entries(condition.headers).map(([name, match]) => [name.toLowerCase(), textOf(match)] as const)
  const authority = condition.authority === null ? [] : [['host', textOf(condition.authority)] as const]
  const request: HttpRequest = {
    kind: 'http',
    path: condition.uri === null ? '/' : textOf(condition.uri),
    method: condition.method === null ? 'GET' : textOf(condition.method),
    headers: new Map([...headers, ...authority]),
    query: new Map(Object.entries(condition.queryParams).map(([name, match]) => [name, textOf(match)])),
    sni: condition.scheme?.type === 'exact' && condition.scheme.value === 'https' ? host : null
  }
  return condition === EVERY_REQUEST || firstUnmet(snapshot, condition, request, host) === null ? request : null
}

function textOf(match: StringMatch): string {
  if (match.type === 'present') return 'x'
  return match.type === 'regex' ? match.value.replaceAll(/\.[*+]|[\^$\\]/g, '') : match.value
}

function describeRequest(request: HttpRequest): string {
  const headers = [...request.headers].map(([name, value]) => `${name}: ${value}`)
  return [`${request.method} ${formatTarget(request)}`, ...headers].join(', ')
}
