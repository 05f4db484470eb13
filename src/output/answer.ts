/** What a request gets, for people: the answer first, then the way that it takes and why no earlier route takes it. */

import { formatRef } from '../kinds/index.ts'
import { formatPath } from '../mesh/names/path.ts'
import type { Unmet } from '../mesh/requests/request.ts'
import type { Answer } from '../mesh/requests/serve.ts'
import { isAnswered } from '../mesh/requests/serve.ts'
import type { Ending } from '../mesh/routing/connections.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import type { Route, RoutedDestination } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { line, type Part, type Style } from './text.ts'

const ENDINGS: Readonly<Record<Ending, string>> = {
  passthrough:
    'the proxy has nothing for this host and port: the request goes to its address past the mesh, and nobody here knows what comes of it',
  blocked: 'the client does not know this host, and its outbound traffic policy is REGISTRY_ONLY',
  closed: 'the connection is closed: nothing takes it',
  'no-listener': 'the gateway does not listen on this port, or has no Ready Pod',
  'no-such-host': 'no Service has this name',
  'no-address': 'the headless Service has no Ready Pod, so its name has no address',
  protocol: 'the port is one for HTTP; what it does with other bytes cannot be told'
}

/** Routes told that do not take a request: the nearest ones. */
const MOST_PASSED = 20

/** `200`, `503 for 25%, 75% answered`, `closed`. */
export function headline({ status, unserved }: Answer): string {
  if (unserved === null) return `${status}, unknown`
  if (unserved === 0 || unserved === 1) return String(status)
  return `${status} for ${percent(unserved)}, ${percent(1 - unserved)} answered`
}

/** Where a route was written, `file:line`; '' where that is not known. */
export type PlaceOf = (way: Way) => string

export type Way = Pick<Route, 'path' | 'source'>

/** The lines of one answer, indented below what was asked. */
export function answerLines(snapshot: Snapshot, answer: Answer, placeOf: PlaceOf, colour: boolean): string {
  const nameOf = (way: Way) => `${wayName(way)}${placed(placeOf(way))}`
  const lines: (readonly Part[])[] = [...wayLines(answer, nameOf), ...answer.destinations.map((each) => destinationLine(snapshot, each))]
  if (answer.passed.length > 0) lines.push(['  not taken by:'])
  const left = answer.passed.length - MOST_PASSED
  if (left > 0) lines.push([`    ${left} routes before these`])
  for (const { route, unmet } of answer.passed.slice(-MOST_PASSED)) lines.push([`    ${nameOf(route)}: ${describeUnmet(unmet)}`])
  return lines.map((parts) => line(parts, colour)).join('')
}

export function styleOf({ unserved }: Answer): Style {
  if (unserved === null) return 'yellow'
  return unserved === 0 ? 'green' : 'red'
}

function placed(place: string): string {
  return place === '' ? '' : ` (${place})`
}

function wayLines({ route, chain, table, status, cause }: Answer, nameOf: (way: Way) => string): string[][] {
  if (route !== null)
    return [[`  taken by ${nameOf(route)}${cause === 'no-backend' ? ', which has no backend with a weight above 0' : actionOf(route)}`]]
  if (chain !== null)
    return [[`  taken by ${nameOf(chain)}${chain.serverNames.length === 0 ? '' : `, for ${chain.serverNames.join(', ')}`}`]]
  if (status === 301 && cause === null) return [['  the Gateway sends every plain request to HTTPS']]
  if (table !== null) return [[`  no route of ${table.takers.map(formatRef).join(', ')} takes it`]]
  return [[`  ${typeof status === 'number' ? 'no VirtualService serves this host at the gateway' : ENDINGS[status]}`]]
}

function actionOf({ action, status }: Route): string {
  switch (action) {
    case 'redirect':
      return `: redirect, ${status}`
    case 'direct':
      return `: a fixed answer, ${status}`
    case 'none':
      return ': no action, which Envoy refuses'
    case 'route':
      return ''
  }
}

function destinationLine(snapshot: Snapshot, destination: RoutedDestination): Part[] {
  const { host, port, subset, share, missing, ready } = destination
  const state = missing === null ? `${ready ?? 'unknown'} ready` : `no such ${missing}`
  if (host === NOWHERE)
    return [{ text: `    ${percent(share).padStart(4)}  a backend of an unknown kind, or without a ReferenceGrant`, style: 'red' }]
  const text = `    ${percent(share).padStart(4)}  ${host}:${port}${subset === null ? '' : ` ${subset}`}  ${state}`
  return [isAnswered(snapshot, destination) ? text : { text, style: 'red' }]
}

/** `VirtualService prod/reviews spec.http[1]`. */
function wayName({ source, path }: Way): string {
  return source === null ? "Istio's default route" : `${formatRef(source)} ${formatPath(path)}`
}

function describeUnmet({ field, name, match, found }: Unmet): string {
  const what = {
    uri: 'path',
    scheme: 'scheme',
    method: 'method',
    authority: 'authority',
    header: 'header',
    withoutHeader: 'header',
    queryParam: 'query parameter'
  }[field]
  const named = name === '' ? what : `${what} ${name}`
  if (field === 'withoutHeader') return `${named} is ${found === null ? 'absent' : JSON.stringify(found)}, which it excludes`
  if (found === null) return `${named} is absent`
  return `${named} ${field === 'uri' ? found : JSON.stringify(found)} ${comparison(match)}`
}

function comparison(match: Unmet['match']): string {
  switch (match.type) {
    case 'present':
      return 'is absent'
    case 'exact':
      return `is not ${JSON.stringify(match.value)}`
    case 'prefix':
      return `does not begin with ${JSON.stringify(match.value)}`
    case 'elements':
      return `is not ${JSON.stringify(match.value)} or below it`
    case 'regex':
      return `is not matched by ${JSON.stringify(match.value)}`
  }
}

/** Never 100 % of what is a little less. */
export function percent(share: number): string {
  const rounded = Math.round(share * 1000) / 10
  return `${rounded === 100 && share < 1 ? 99.9 : rounded}%`
}
