/** One concrete request, and whether it meets a route's condition, as Envoy decides it (4.6, 5.1). */

import type { Condition, StringMatch } from '../../kinds/http-rule.ts'
import { matchesWhole } from '../names/regex.ts'
import { isWithin } from '../routing/covers.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export interface HttpRequest {
  readonly kind: 'http'
  /** Without the query. */
  readonly path: string
  readonly method: string
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly query: ReadonlyMap<string, string>
  /** The server name of a TLS connection that the proxy ends; null for plain HTTP. */
  readonly sni: string | null
}

/** `tls`: a connection that the proxy passes through by its server name. `tcp`: bytes of which nothing is known. */
export type Request = HttpRequest | { readonly kind: 'tls'; readonly sni: string } | { readonly kind: 'tcp' }

/** A part of a condition that a request does not meet. */
export interface Unmet {
  readonly field: 'uri' | 'scheme' | 'method' | 'authority' | 'header' | 'withoutHeader' | 'queryParam'
  /** Of a header or query parameter; '' otherwise. */
  readonly name: string
  readonly match: StringMatch
  /** What the request has instead; null where it has none. */
  readonly found: string | null
}

/** Steps of work to match one regular expression. */
const REGEX_EFFORT = 50

/** The first part of the condition that the request does not meet; null where it meets all. `authority` is what the client calls, with its port if that is not the scheme's own. */
export function firstUnmet(snapshot: Snapshot, condition: Condition, request: HttpRequest, authority: string): Unmet | null {
  for (const part of partsOf(condition, request, authority)) {
    snapshot.charge(part.match.type === 'regex' ? REGEX_EFFORT : 1)
    if (!isMet(part, condition.ignoreUriCase)) return part
  }
  return null
}

/** The path as a client would write it, query included. */
export function formatTarget({ path, query }: HttpRequest): string {
  const pairs = [...query].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}

function* partsOf(condition: Condition, request: HttpRequest, authority: string): Iterable<Unmet> {
  const { uri, scheme, method, authority: host, headers, withoutHeaders, queryParams } = condition
  const header = (name: string) => headerOf(request, authority, name.toLowerCase())
  if (uri !== null) yield { field: 'uri', name: '', match: uri, found: request.path }
  for (const [name, match] of Object.entries(headers)) yield { field: 'header', name, match, found: header(name) }
  for (const [name, match] of Object.entries(withoutHeaders)) yield { field: 'withoutHeader', name, match, found: header(name) }
  if (method !== null) yield { field: 'method', name: '', match: method, found: request.method }
  if (host !== null) yield { field: 'authority', name: '', match: host, found: authority }
  if (scheme !== null) yield { field: 'scheme', name: '', match: scheme, found: schemeOf(request) }
  for (const [name, match] of Object.entries(queryParams)) {
    yield { field: 'queryParam', name, match, found: request.query.get(name) ?? null }
  }
}

/** Pseudo-headers can be asked for by name too. */
function headerOf(request: HttpRequest, authority: string, name: string): string | null {
  switch (name) {
    case ':authority':
    case 'host':
      return authority
    case ':method':
      return request.method
    case ':path':
      return formatTarget(request)
    case ':scheme':
      return schemeOf(request)
    default:
      return request.headers.get(name) ?? null
  }
}

export function schemeOf({ sni }: HttpRequest): string {
  return sni === null ? 'http' : 'https'
}

function isMet({ field, match, found }: Unmet, ignoreCase: boolean): boolean {
  if (field === 'uri') return isPathMet(match, found ?? '', ignoreCase)
  if (field !== 'withoutHeader') return found !== null && holds(match, found)
  // A missing header is taken for an empty one where a value is excluded. `TranslateRouteMatch`.
  return match.type === 'present' ? found === null : !holds(match, found ?? '')
}

/** Case is ignored of exact paths and prefixes alone. */
function isPathMet(match: StringMatch, path: string, ignoreCase: boolean): boolean {
  if (match.type === 'present' || match.type === 'regex' || !ignoreCase) return holds(match, path)
  return holds({ type: match.type, value: match.value.toLowerCase() }, path.toLowerCase())
}

function holds(match: StringMatch, value: string): boolean {
  switch (match.type) {
    case 'present':
      return true
    case 'exact':
      return value === match.value
    case 'prefix':
      return value.startsWith(match.value)
    case 'elements':
      return isWithin(value, match.value)
    case 'regex':
      // `*` is no regular expression to Istio, but means that the header is there; its webhook refuses it here.
      return match.value === '*' || matchesWhole(match.value, value)
  }
}
