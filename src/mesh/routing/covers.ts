/** Which requests a condition takes: it covers another condition where every request of that one meets it. */
import { type Condition, EVERY_REQUEST, type StringMatch } from '../../kinds/http-rule.ts'
import { own } from '../names/own.ts'
import { effortToMatch, literalStart, matchesAllBelow, matchesEveryPath, matchesWhole } from '../names/regex.ts'

/** Characters compared or copied in one step of work. */
export const TEXT_A_STEP = 64

type Matches = Readonly<Record<string, StringMatch>>

/** A route with this condition takes every request of the class. */
export function covers(condition: Condition, requestClass: Condition): boolean {
  return (
    coversPath(condition, requestClass) &&
    holds(condition.scheme, requestClass.scheme) &&
    holds(condition.method, requestClass.method) &&
    holds(condition.authority, requestClass.authority) &&
    impliesAll(lowerKeys(requestClass.headers), lowerKeys(condition.headers)) &&
    impliesAll(requestClass.queryParams, condition.queryParams) &&
    excludes(condition, requestClass)
  )
}

/** The steps of work that `covers` takes: regular expressions are dear. */
export function effortOf(condition: Condition, requestClass: Condition): number {
  const known = lowerKeys(requestClass.headers)
  return (
    1 +
    effortToImply(requestClass.uri, condition.uri) +
    (condition.ignoreUriCase ? (lengthOf(requestClass.uri) + lengthOf(condition.uri)) / TEXT_A_STEP : 0) +
    effortToImply(requestClass.scheme, condition.scheme) +
    effortToImply(requestClass.method, condition.method) +
    effortToImply(requestClass.authority, condition.authority) +
    effortToImplyAll(known, lowerKeys(condition.headers)) +
    effortToImplyAll(known, lowerKeys(condition.withoutHeaders)) +
    effortToImplyAll(requestClass.queryParams, condition.queryParams)
  )
}

/** Asked of each condition for each class. */
const plain = new WeakMap<Condition, boolean>()

/** Short, and without regular expressions: to compare it with another such one is a step of work. */
export function isPlainCondition(condition: Condition): boolean {
  const known = plain.get(condition)
  if (known !== undefined) return known
  const { uri, scheme, method, authority, headers, withoutHeaders, queryParams } = condition
  const named = [headers, withoutHeaders, queryParams].flatMap((matches) => Object.values(matches))
  const isShort = (match: StringMatch | null) => match?.type !== 'regex' && lengthOf(match) <= TEXT_A_STEP
  const found = named.length <= MOST_PLAIN && [uri, scheme, method, authority, ...named].every(isShort)
  plain.set(condition, found)
  return found
}

const MOST_PLAIN = 4

function effortToImply(known: StringMatch | null | undefined, asked: StringMatch | null): number {
  if (known === null || known === undefined || asked === null || asked.type === 'present' || known.type === 'present') return 0
  if (asked.type === 'regex') return known.type === 'regex' ? asked.value.length / TEXT_A_STEP : effortToMatch(asked.value, known.value)
  return Math.min(known.value.length, asked.value.length) / TEXT_A_STEP
}

function effortToImplyAll(known: Matches, asked: Matches): number {
  let steps = 0
  for (const [name, match] of Object.entries(asked)) steps += 1 + effortToImply(own(known, name), match)
  return steps
}

/** The condition holds for every request (5.1). A request without any special header meets `withoutHeaders`, but not every request does. */
export function coversEverything(condition: Condition): boolean {
  return covers(condition, EVERY_REQUEST) && Object.keys(condition.withoutHeaders).length === 0
}

/** The path is the other or below it. */
export function isWithin(path: string, other: string): boolean {
  return path === other || path.startsWith(`${other}/`)
}

/** Characters that are compared. */
export function lengthOf(match: StringMatch | null): number {
  return match === null || match.type === 'present' ? 0 : match.value.length
}

function coversPath(condition: Condition, requestClass: Condition): boolean {
  const { uri } = condition
  if (uri === null || uri.type === 'present') return true
  if (uri.type === 'prefix' && (uri.value === '' || uri.value === '/')) return true
  if (uri.type === 'regex' && matchesEveryPath(uri.value)) return true
  const path = requestClass.uri
  if (path === null) return false
  if (condition.ignoreUriCase) return implies(lowerValue(path), lowerValue(uri))
  return !requestClass.ignoreUriCase && implies(path, uri)
}

/** Whatever meets `known` meets `asked`. */
function implies(known: StringMatch | null | undefined, asked: StringMatch): boolean {
  if (known === null || known === undefined) return false
  if (asked.type === 'present') return true
  if (asked.type === 'regex' && asked.value === '.*') return true
  if (known.type === 'present') return false
  if (asked.type === 'regex') {
    if (known.type === 'regex') return same(known, asked)
    return known.type === 'exact' ? matchesWhole(asked.value, known.value) : matchesAllBelow(asked.value, known.value)
  }
  if (known.type === 'regex') {
    const start = literalStart(known.value)
    return (asked.type === 'prefix' && start.startsWith(asked.value)) || (asked.type === 'elements' && start.startsWith(`${asked.value}/`))
  }
  if (asked.type === 'prefix') return known.value.startsWith(asked.value)
  if (asked.type === 'elements') {
    return isWithin(known.value, asked.value) && (known.type !== 'prefix' || known.value !== asked.value)
  }
  return same(known, asked)
}

/** Of what every request has. */
function holds(asked: StringMatch | null, known: StringMatch | null): boolean {
  return asked === null || asked.type === 'present' || (asked.type === 'regex' && asked.value === '.*') || implies(known, asked)
}

function impliesAll(known: Matches, asked: Matches): boolean {
  return Object.entries(asked).every(([name, match]) => implies(own(known, name), match))
}

/** The class has none of the headers that the condition excludes: it does not name them, or leaves other values. */
function excludes(condition: Condition, requestClass: Condition): boolean {
  const named = lowerKeys(requestClass.headers)
  return Object.entries(lowerKeys(condition.withoutHeaders)).every(([name, match]) => !implies(own(named, name), match))
}

function same(one: StringMatch, other: StringMatch): boolean {
  if (one.type === 'present' || other.type === 'present') return one.type === other.type
  return one.type === other.type && one.value === other.value
}

function lowerValue(match: StringMatch): StringMatch {
  return match.type === 'present' || match.type === 'regex' ? match : { type: match.type, value: match.value.toLowerCase() }
}

/** Asked of the headers of each class once for each condition. */
const lowered = new WeakMap<Matches, Matches>()

/** Header names know no case (RFC 9110, 5.1). */
export function lowerKeys(matches: Matches): Matches {
  const known = lowered.get(matches)
  if (known !== undefined) return known
  const found = withLowerKeys(matches)
  lowered.set(matches, found)
  return found
}

function withLowerKeys(matches: Matches): Matches {
  if (Object.keys(matches).every((name) => name === name.toLowerCase())) return matches
  return Object.fromEntries(Object.entries(matches).map(([name, match]) => [name.toLowerCase(), match]))
}

/** The requests that meet both conditions, as far as one condition can say it; null where it cannot, or there are none. */
export function intersection(one: Condition, other: Condition): Condition | null {
  const uri = narrower(one.uri, other.uri)
  const scheme = narrower(one.scheme, other.scheme)
  const method = narrower(one.method, other.method)
  const authority = narrower(one.authority, other.authority)
  const headers = merged(lowerKeys(one.headers), lowerKeys(other.headers))
  const queryParams = merged(one.queryParams, other.queryParams)
  if (uri === undefined || scheme === undefined || method === undefined || authority === undefined) return null
  if (headers === null || queryParams === null) return null
  const ignoreUriCase = one.ignoreUriCase && other.ignoreUriCase
  const withoutHeaders = { ...lowerKeys(one.withoutHeaders), ...lowerKeys(other.withoutHeaders) }
  return { uri, ignoreUriCase, scheme, method, authority, headers, withoutHeaders, queryParams }
}

/** undefined where neither value lies within the other. */
function narrower(one: StringMatch | null, other: StringMatch | null): StringMatch | null | undefined {
  if (one === null || other === null) return one ?? other
  if (implies(one, other)) return one
  return implies(other, one) ? other : undefined
}

function merged(one: Matches, other: Matches): Matches | null {
  const all = new Map(Object.entries(one))
  for (const [name, match] of Object.entries(other)) {
    const both = narrower(all.get(name) ?? null, match)
    if (both === undefined || both === null) return null
    all.set(name, both)
  }
  return Object.fromEntries(all)
}
