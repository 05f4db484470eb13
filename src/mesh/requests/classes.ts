/**
 * Request classes: one match condition of a route table, or "every other request". A class stands for the requests that meet its
 * condition and no other, so a header that it does not name is absent.
 */

import { own } from '../names/own.ts'
import { effortToMatch, matchesEveryPath, matchesWhole } from '../names/regex.ts'
import { compareText } from '../names/text.ts'
import { type Condition, EVERY_REQUEST, type RouteTable } from '../routing/table.ts'
import type { Labels, StringMatch } from '../snapshot/objects.ts'

export type RequestClass = Condition

/** Copying a header's condition takes so many steps. */
const EXCLUSION_EFFORT = 4
/** So many characters are compared or copied in a step. */
export const TEXT_A_STEP = 64

type Matches = Readonly<Record<string, StringMatch>>

/** The classes that tell tables apart: every condition in them, each header that one of them excludes, and every other request. */
export function requestClasses(tables: readonly RouteTable[]): RequestClass[] {
  const classes = new Map<string, RequestClass>([[classKey(EVERY_REQUEST), EVERY_REQUEST]])
  for (const table of tables) {
    for (const { condition } of table.routes) {
      for (const requestClass of [condition, ...excluded(condition)]) {
        const key = classKey(requestClass)
        if (!classes.has(key)) classes.set(key, requestClass)
      }
    }
  }
  return [...classes.values()]
}

/** A route with this condition takes every request of the class. */
export function covers(condition: Condition, requestClass: RequestClass): boolean {
  return (
    coversPath(condition, requestClass) &&
    (condition.scheme === null || implies(requestClass.scheme, condition.scheme)) &&
    (condition.method === null || implies(requestClass.method, condition.method)) &&
    (condition.authority === null || implies(requestClass.authority, condition.authority)) &&
    impliesAll(lowerKeys(requestClass.headers), lowerKeys(condition.headers)) &&
    impliesAll(requestClass.queryParams, condition.queryParams) &&
    excludes(condition, requestClass)
  )
}

/** The steps of work that `covers` takes: regular expressions are dear, and asked only of exact values. */
export function effortOf(condition: Condition, requestClass: RequestClass): number {
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

function effortToImply(known: StringMatch | null | undefined, asked: StringMatch | null): number {
  if (known === null || known === undefined || asked === null || asked.type === 'present' || known.type === 'present') return 0
  if (asked.type === 'regex') return known.type === 'exact' ? effortToMatch(asked.value, known.value) : asked.value.length / TEXT_A_STEP
  return Math.min(known.value.length, asked.value.length) / TEXT_A_STEP
}

function effortToImplyAll(known: Matches, asked: Matches): number {
  let steps = 0
  for (const [name, match] of Object.entries(asked)) steps += 1 + effortToImply(own(known, name), match)
  return steps
}

/** The steps of work that making the classes of a condition takes: each excluded header makes one, with all else that the condition has. */
export function effortToClass(condition: Condition): number {
  const { headers, withoutHeaders, queryParams, uri, scheme, method, authority } = condition
  const values = [uri, scheme, method, authority].reduce((sum, match) => sum + lengthOf(match), 0)
  const excluded = Object.keys(withoutHeaders).length
  const names = excluded + Object.keys(headers).length + Object.keys(queryParams).length
  const text = values + lengthOfAll(headers) + lengthOfAll(withoutHeaders) + lengthOfAll(queryParams)
  return (1 + excluded) * (1 + EXCLUSION_EFFORT * names + text / TEXT_A_STEP)
}

function lengthOfAll(matches: Matches): number {
  let length = 0
  for (const [name, match] of Object.entries(matches)) length += name.length + lengthOf(match)
  return length
}

function lengthOf(match: StringMatch | null): number {
  return match === null || match.type === 'present' ? 0 : match.value.length
}

/** The condition holds for every request (5.1). A request without any special header meets `withoutHeaders`, but not every request does. */
export function coversEverything(condition: Condition): boolean {
  return covers(condition, EVERY_REQUEST) && Object.keys(condition.withoutHeaders).length === 0
}

/** In words, for messages: `requests to reviews/api* with header "end-user" = "jason"`; `to` is the host, or '' for none. */
export function describeClass(requestClass: RequestClass, to = ''): string {
  const { uri } = requestClass
  const path = uri === null || uri.type === 'regex' ? '' : describeValue(uri)
  const target = `${to}${path}`
  const parts = [
    ...(target === '' ? [] : [`to ${target}`]),
    ...(uri?.type === 'regex' ? [`with path ${describeValue(uri)}`] : []),
    ...describeField('method', requestClass.method),
    ...describeField('scheme', requestClass.scheme),
    ...describeField('authority', requestClass.authority),
    ...describeEach('header', requestClass.headers),
    ...Object.keys(requestClass.withoutHeaders).map((name) => `without header ${JSON.stringify(name)}`),
    ...describeEach('query parameter', requestClass.queryParams)
  ]
  return ['requests', ...parts].join(' ')
}

/** One text for equal classes. */
export function classKey(requestClass: RequestClass): string {
  return JSON.stringify([
    requestClass.uri,
    requestClass.uri !== null && requestClass.ignoreUriCase,
    requestClass.scheme,
    requestClass.method,
    requestClass.authority,
    sorted(requestClass.headers),
    sorted(requestClass.withoutHeaders),
    sorted(requestClass.queryParams)
  ])
}

/** For `withoutHeaders: x`, the class that has x: a later rule must take it (5.3). */
function excluded(condition: Condition): RequestClass[] {
  return Object.entries(condition.withoutHeaders).map(([name, match]) => {
    const { [name]: _, ...others } = condition.withoutHeaders
    return { ...condition, withoutHeaders: others, headers: { ...condition.headers, [name]: match } }
  })
}

function coversPath(condition: Condition, requestClass: RequestClass): boolean {
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
  if (asked.type === 'regex') return known.type === 'exact' ? matchesWhole(asked.value, known.value) : same(known, asked)
  if (asked.type === 'prefix') return known.type !== 'regex' && known.value.startsWith(asked.value)
  return same(known, asked)
}

function impliesAll(known: Matches, asked: Matches): boolean {
  return Object.entries(asked).every(([name, match]) => implies(own(known, name), match))
}

/** The class has none of the headers that the condition excludes: it does not name them, or leaves other values. */
function excludes(condition: Condition, requestClass: RequestClass): boolean {
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

function sorted(matches: Matches): unknown {
  return Object.entries(lowerKeys(matches)).sort(([one], [other]) => compareText(one, other))
}

function describeField(field: string, match: StringMatch | null): string[] {
  return match === null ? [] : [`with ${field} ${describeValue(match)}`]
}

function describeEach(what: string, matches: Matches): string[] {
  return Object.entries(matches).map(([name, match]) => {
    const value = match.type === 'present' ? '' : ` ${match.type === 'exact' ? '=' : match.type} ${JSON.stringify(match.value)}`
    return `with ${what} ${JSON.stringify(name)}${value}`
  })
}

function describeValue(match: StringMatch): string {
  if (match.type === 'present') return 'any'
  if (match.type === 'prefix') return `${match.value}*`
  return match.type === 'regex' ? `regex ${JSON.stringify(match.value)}` : match.value
}

/** Labels as they are written on a command line: `app=web,version=v1`. */
export function describeLabels(labels: Labels): string {
  return Object.entries(labels)
    .sort(([one], [other]) => compareText(one, other))
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
