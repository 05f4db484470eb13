/**
 * Request classes: one match condition of a route table, or "every other request". A class stands for the requests that meet its
 * condition and no other, so a header that it does not name is absent.
 */

import { type Condition, EVERY_REQUEST, type StringMatch } from '../../kinds/http-rule.ts'
import { isOfGatewayApi } from '../../kinds/index.ts'
import type { Labels } from '../names/labels.ts'
import { compareText } from '../names/text.ts'
import { lengthOf, lowerKeys, TEXT_A_STEP } from '../routing/covers.ts'
import type { RouteTable } from '../routing/table.ts'

export type RequestClass = Condition

/** Steps of work to copy the condition on one header. */
const EXCLUSION_EFFORT = 4
type Matches = Readonly<Record<string, StringMatch>>

/** The classes that tell tables apart: every condition in them, each header that one of them excludes, and every other request. */
export function requestClasses(tables: readonly Pick<RouteTable, 'routes'>[]): RequestClass[] {
  const classes = new Map<string, RequestClass>([[classKey(EVERY_REQUEST), EVERY_REQUEST]])
  for (const table of tables) {
    for (const { condition, matchesAll, source } of table.routes) {
      // A rule of the Gateway API that matches nothing in particular is written as one for the prefix "/".
      if (matchesAll && source !== null && isOfGatewayApi(source)) continue
      for (const requestClass of [condition, ...excluded(condition)]) {
        const key = classKey(requestClass)
        if (!classes.has(key)) classes.set(key, requestClass)
      }
    }
  }
  return [...classes.values()]
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
    ...Object.keys(requestClass.withoutHeaders)
      .slice(0, MOST_DESCRIBED + 1)
      .map((name) => `without header ${JSON.stringify(shown(name))}`),
    ...describeEach('query parameter', requestClass.queryParams)
  ]
  return ['requests', ...(parts.length > MOST_DESCRIBED ? [...parts.slice(0, MOST_DESCRIBED), 'and more'] : parts)].join(' ')
}

/** Conditions that are put into words, and how long the text may be: a person reads no more. */
const MOST_DESCRIBED = 8
const LONGEST_DESCRIBED = 200

function shown(text: string): string {
  return text.length <= LONGEST_DESCRIBED ? text : `${text.slice(0, LONGEST_DESCRIBED)}…`
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

function sorted(matches: Matches): unknown {
  return Object.entries(lowerKeys(matches)).sort(([one], [other]) => compareText(one, other))
}

function describeField(field: string, match: StringMatch | null): string[] {
  return match === null ? [] : [`with ${field} ${describeValue(match)}`]
}

function describeEach(what: string, matches: Matches): string[] {
  return Object.entries(matches)
    .slice(0, MOST_DESCRIBED + 1)
    .map(([name, match]) => {
      const value = match.type === 'present' ? '' : ` ${match.type === 'exact' ? '=' : match.type} ${JSON.stringify(shown(match.value))}`
      return `with ${what} ${JSON.stringify(shown(name))}${value}`
    })
}

function describeValue(match: StringMatch): string {
  if (match.type === 'present') return 'any'
  if (match.type === 'prefix') return `${shown(match.value)}*`
  if (match.type === 'elements') return `${shown(match.value)}[/*]`
  return match.type === 'regex' ? `regex ${JSON.stringify(shown(match.value))}` : shown(match.value)
}

/** Labels as they are written on a command line: `app=web,version=v1`. */
export function describeLabels(labels: Labels): string {
  return Object.entries(labels)
    .sort(([one], [other]) => compareText(one, other))
    .slice(0, MOST_DESCRIBED)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
