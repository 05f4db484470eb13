/** Which match entries stand for a client: the conditions that Istio decides when it generates routes (4.3). */

import { type Condition, EVERY_REQUEST, type HttpMatch, type HttpRoute, type L4Match } from '../../kinds/http-rule.ts'
import { selects } from '../names/labels.ts'
import type { Path } from '../names/path.ts'
import { isRe2 } from '../names/regex.ts'
import { coversEverything } from './covers.ts'
import type { Context } from './table.ts'

/** Where routes are generated: for whom, on which port, bound to which gateway (`mesh` for clients). */
export interface Place {
  readonly context: Context
  readonly port: number
  readonly gateway: string
}

/** One route's condition, and where it stands. */
export interface Entry {
  readonly condition: Condition
  readonly path: Path
}

/** The entries of a rule that stand at a place, each a route of its own (4.2); null: wherever it is. A rule without match takes every request. */
export function entriesAt({ match, path }: HttpRoute, place: Place | null): Entry[] {
  if (match.length === 0) return [{ condition: EVERY_REQUEST, path }]
  const standing = place === null ? match : match.filter((entry) => stands(entry, place))
  return standing.map((entry) => ({ condition: conditionOf(entry), path: entry.path }))
}

/** Not all entries of the rule stand everywhere. */
export function asksForPlace({ match }: HttpRoute): boolean {
  return match.some(
    ({ port, gateways, sourceLabels, sourceNamespace }) =>
      port !== null || gateways.length > 0 || sourceNamespace !== '' || Object.keys(sourceLabels).length > 0
  )
}

/** An entry that names gateways is not asked for its source (4.4). `sourceMatchHTTP`. */
function stands({ port, gateways, sourceLabels, sourceNamespace }: HttpMatch, place: Place): boolean {
  if (port !== null && port !== place.port) return false
  if (gateways.length > 0) return gateways.includes(place.gateway)
  return isSource(sourceLabels, sourceNamespace, place.context)
}

/** A tcp or tls match. Here gateways and source must both agree. `matchTCP`, `matchTLS`. */
export function standsForL4({ port, gateways, sourceLabels, sourceNamespace }: L4Match, place: Place): boolean {
  if (port !== null && port !== place.port) return false
  if (gateways.length > 0 && !gateways.includes(place.gateway)) return false
  return place.context.kind === 'gateway' || isSource(sourceLabels, sourceNamespace, place.context) // at gateways the source is not asked for
}

function isSource(labels: HttpMatch['sourceLabels'], namespace: string, context: Context): boolean {
  return selects(labels, context.labels) && (namespace === '' || namespace === context.namespace)
}

/** Istio's own idea of a catch-all, narrower than Envoy's (5.2): rules end there (4.7), and gateways move it to the end (6.3). `IsCatchAllRoute`. */
export function isIstioCatchAll(condition: Condition): boolean {
  const { uri, scheme, method, authority } = condition
  if (scheme !== null || method !== null || authority !== null || !coversEverything(condition)) return false
  if (uri === null || uri.type === 'present') return true
  return uri.value === (uri.type === 'regex' ? '.*' : '/')
}

/** Envoy takes a condition whose regular expressions are some. */
export function isAccepted({ uri, headers, queryParams }: Condition): boolean {
  const values = [uri, ...Object.values(headers), ...Object.values(queryParams)]
  return values.every((value) => value === null || value.type !== 'regex' || isRe2(value.value))
}

/** Made once for each match: what is known of a condition is kept as long as its object is. */
const conditions = new WeakMap<HttpMatch, Condition>()

function conditionOf(match: HttpMatch): Condition {
  const known = conditions.get(match) ?? toCondition(match)
  conditions.set(match, known)
  return known
}

function toCondition({ uri, ignoreUriCase, scheme, method, authority, headers, withoutHeaders, queryParams }: HttpMatch): Condition {
  // Envoy compares an expression as it is written.
  return { uri, ignoreUriCase: ignoreUriCase && uri?.type !== 'regex', scheme, method, authority, headers, withoutHeaders, queryParams }
}
