/**
 * Request classes: one match condition of a route table, or "every other request". A class stands for the requests that meet its
 * condition and no other, so a header that it does not name is absent.
 */

import { own } from '../names/own.ts'
import { matchesEveryPath, matchesWhole } from '../names/regex.ts'
import { compareText } from '../names/text.ts'
import { type Condition, EVERY_REQUEST, type RouteTable } from '../routing/table.ts'
import type { Labels, StringMatch } from '../snapshot/objects.ts'

export type RequestClass = Condition

const REGEX_EFFORT = 50

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
export function effortOf({ uri, headers, withoutHeaders, queryParams }: Condition, requestClass: RequestClass): number {
  const names = Object.keys(headers).length + Object.keys(withoutHeaders).length + Object.keys(queryParams).length
  const mayMatch = requestClass.uri?.type === 'exact' ? uri?.type === 'regex' : names > 0 && Object.keys(requestClass.headers).length > 0
  return 1 + names + (mayMatch ? REGEX_EFFORT : 0)
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

/** Header names know no case (RFC 9110, 5.1). */
export function lowerKeys(matches: Matches): Matches {
  const names = Object.keys(matches)
  if (names.every((name) => name === name.toLowerCase())) return matches
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
