/** Which match entries of a rule stand for a client: conditions that Istio decides when it generates routes (4.3). */
import { coversEverything } from './classes.ts'
import { selects } from './labels.ts'
import type { HttpMatch, Path } from './objects.ts'
import { resolveGateway } from './snapshot.ts'
import type { Condition, Context } from './table.ts'
import { EVERY_REQUEST } from './table.ts'

/** Where routes are generated for: a client or gateway, on a port, through these gateways (`mesh` for clients). */
export interface Place {
  readonly context: Context
  readonly port: number
  readonly gateways: readonly string[]
}

/** One entry of a rule as a route's condition, and where it stands. */
export interface Entry {
  readonly condition: Condition
  readonly path: Path
}

/** The entries of a rule that stand at a place; a rule without match is one entry that takes everything. */
export function entriesAt(match: readonly HttpMatch[], path: Path, place: Place, namespace: string): Entry[] {
  if (match.length === 0) return [{ condition: EVERY_REQUEST, path }]
  return match.filter((entry) => applies(entry, place, namespace)).map((entry) => ({ condition: conditionOf(entry), path: entry.path }))
}

/** `sourceMatchHTTP`, pilot/pkg/networking/core/route/route.go: an entry with gateways is not asked for its source (4.4). */
export function applies(
  entry: Pick<HttpMatch, 'port' | 'gateways' | 'sourceLabels' | 'sourceNamespace'>,
  { context, port, gateways }: Place,
  namespace: string
): boolean {
  if (entry.port !== null && entry.port !== port) return false
  if (entry.gateways.length > 0) return entry.gateways.some((name) => gateways.includes(resolveGateway(name, namespace)))
  return selects(entry.sourceLabels, context.labels) && (entry.sourceNamespace === '' || entry.sourceNamespace === context.namespace)
}

/** Istio's own, narrower idea of a catch-all (5.2): it ends the rules that are generated and goes last at a gateway. `IsCatchAllRoute`. */
export function isIstioCatchAll(condition: Condition): boolean {
  const { uri } = condition
  if (!coversEverything(condition)) return false
  return (
    uri === null || uri.type === 'present' || (uri.type === 'prefix' && uri.value === '/') || (uri.type === 'regex' && uri.value === '.*')
  )
}

function conditionOf({ uri, ignoreUriCase, scheme, method, authority, headers, withoutHeaders, queryParams }: HttpMatch): Condition {
  return { uri, ignoreUriCase, scheme, method, authority, headers, withoutHeaders, queryParams }
}
