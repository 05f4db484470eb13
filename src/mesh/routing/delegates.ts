/** The http rules of a VirtualService with those of its delegates in their place (7). */

import type { HttpMatch, HttpRoute, StringMatch } from '../../kinds/http-rule.ts'
import type { VirtualService } from '../../kinds/virtual-service.ts'
import { compatible } from '../names/labels.ts'
import { own } from '../names/own.ts'
import { exportsOf, isExported } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** For each rule that delegates, in order: the delegate; null where it is missing, not exported to the root's namespace or has hosts (7.2). */
export type Delegates = readonly (VirtualService | null)[]

const NO_DELEGATES: Delegates = []

export function delegatesOf(snapshot: Snapshot, root: VirtualService): Delegates {
  const rules = delegating.get(root) ?? root.http.filter(({ delegate }) => delegate !== null)
  delegating.set(root, rules)
  return rules.length === 0 ? NO_DELEGATES : rules.map((rule) => delegateOf(snapshot, root, rule))
}

/** The rules of an object that delegate. */
const delegating = new WeakMap<VirtualService, readonly HttpRoute[]>()

function delegateOf(snapshot: Snapshot, root: VirtualService, { delegate: named }: HttpRoute): VirtualService | null {
  const delegate = named === null ? undefined : snapshot.find('VirtualService', named.namespace, named.name)
  if (delegate === undefined || delegate.hosts.length > 0) return null
  const exportTo = exportsOf(delegate, snapshot.settings.defaultVirtualServiceExportTo)
  return isExported(exportTo, delegate.namespace, root.namespace) ? delegate : null
}

/** The rules as routes are made of them: a delegate's matches joined with the root's. A rule without its delegate is dropped silently (7.2). `mergeVirtualServices`. */
export function effectiveRules(snapshot: Snapshot, root: VirtualService, delegates: Delegates): readonly HttpRoute[] {
  if (delegates.length === 0) return root.http
  let at = 0
  return root.http.flatMap((rule) => {
    if (rule.delegate === null) return rule
    const delegate = delegates[at++] ?? null
    return delegate === null ? [] : joinedWith(snapshot, root, rule, delegate)
  })
}

/** What was last joined with a rule. */
const joined = new WeakMap<HttpRoute, { readonly delegate: VirtualService; readonly rules: readonly HttpRoute[] }>()

function joinedWith(snapshot: Snapshot, root: VirtualService, rule: HttpRoute, delegate: VirtualService): readonly HttpRoute[] {
  const known = joined.get(rule)
  if (known?.delegate === delegate) return known.rules
  chargeJoins(snapshot, root, rule, delegate)
  const rules = delegate.http.flatMap((inner) => join(rule, inner) ?? [])
  joined.set(rule, { delegate, rules })
  return rules
}

/** What a joined match costs to make and to keep, in steps: so many are bounded by memory sooner than by time. */
const JOIN_EFFORT = 8

/** Each rule of the delegate is copied for each of the root's that delegates to it, and each of its matches for each of that rule's: said before it is done. */
function chargeJoins(snapshot: Snapshot, root: VirtualService, { match }: HttpRoute, delegate: VirtualService): void {
  const outer = match.reduce((sum, entry) => sum + partsOf(entry), 0)
  let steps = 0
  for (const inner of delegate.http) {
    const parts = inner.match.reduce((sum, entry) => sum + partsOf(entry), 0)
    steps += 1 + inner.route.length + inner.mirrors.length + parts + match.length * parts + inner.match.length * outer
  }
  snapshot.charge(JOIN_EFFORT * steps, root)
}

/** One, and one for each name that the match asks for. */
function partsOf({ headers, withoutHeaders, queryParams, sourceLabels, gateways }: HttpMatch): number {
  const maps = [headers, withoutHeaders, queryParams, sourceLabels]
  return maps.reduce((sum, map) => sum + Object.keys(map).length, 1 + gateways.length)
}

/** null where the delegate's rule is dropped. One that delegates again has nothing to send to (7.5). `mergeHTTPRoute`. */
function join(root: HttpRoute, delegate: HttpRoute): HttpRoute | null {
  const match = joinMatches(root.match, delegate.match)
  if (match === null) return null
  return {
    ...delegate,
    match,
    directResponse: delegate.directResponse ?? root.directResponse,
    abort: delegate.abort ?? root.abort,
    mirrors: delegate.mirrors.length > 0 ? delegate.mirrors : root.mirrors
  }
}

/** Every entry of the delegate's rule with every one of the root's that it does not conflict with (7.4). `mergeHTTPMatchRequests`. */
function joinMatches(root: readonly HttpMatch[], delegate: readonly HttpMatch[]): readonly HttpMatch[] | null {
  if (root.length === 0) return delegate
  if (delegate.length === 0) return root
  const joined: HttpMatch[] = []
  for (const inner of delegate) {
    const outers = root.filter((outer) => !conflict(outer, inner))
    if (outers.length === 0) return null // one entry without a partner drops its whole rule
    for (const outer of outers) joined.push(joinMatch(outer, inner))
  }
  return joined
}

function joinMatch(outer: HttpMatch, inner: HttpMatch): HttpMatch {
  return {
    path: inner.path,
    uri: inner.uri ?? outer.uri,
    ignoreUriCase: inner.ignoreUriCase,
    scheme: inner.scheme ?? outer.scheme,
    method: inner.method ?? outer.method,
    authority: inner.authority ?? outer.authority,
    headers: { ...outer.headers, ...inner.headers },
    withoutHeaders: { ...outer.withoutHeaders, ...inner.withoutHeaders },
    queryParams: { ...outer.queryParams, ...inner.queryParams },
    port: inner.port ?? outer.port,
    gateways: inner.gateways.length > 0 ? inner.gateways : outer.gateways,
    sourceLabels: { ...outer.sourceLabels, ...inner.sourceLabels },
    sourceNamespace: inner.sourceNamespace || outer.sourceNamespace
  }
}

/** `hasConflict`, pilot/pkg/model/virtualservice.go. */
function conflict(outer: HttpMatch, inner: HttpMatch): boolean {
  return (
    valuesConflict(outer.uri, inner.uri) ||
    valuesConflict(outer.scheme, inner.scheme) ||
    valuesConflict(outer.method, inner.method) ||
    valuesConflict(outer.authority, inner.authority) ||
    mapsConflict(outer.headers, inner.headers) ||
    mapsConflict(outer.withoutHeaders, inner.withoutHeaders) ||
    mapsConflict(outer.queryParams, inner.queryParams) ||
    outer.ignoreUriCase !== inner.ignoreUriCase ||
    (outer.port !== null && inner.port !== null && outer.port !== inner.port) ||
    (outer.sourceNamespace !== '' && inner.sourceNamespace !== outer.sourceNamespace) ||
    !compatible(outer.sourceLabels, inner.sourceLabels) ||
    gatewaysConflict(outer.gateways, inner.gateways)
  )
}

function gatewaysConflict(outer: readonly string[], inner: readonly string[]): boolean {
  if (outer.length === 0 || inner.length === 0) return false
  return outer.length < inner.length || !inner.every((name) => outer.includes(name))
}

type Matches = Readonly<Record<string, StringMatch>>

function mapsConflict(outer: Matches, inner: Matches): boolean {
  return Object.entries(inner).some(([name, match]) => valuesConflict(own(outer, name) ?? null, match))
}

/** Only an exact value again, or one below the root's prefix, is no conflict; any regex is one. `stringMatchConflict`. */
function valuesConflict(outer: StringMatch | null, inner: StringMatch | null): boolean {
  if (outer === null || inner === null) return false
  if (outer.type === 'present' || inner.type === 'present' || outer.type === 'regex' || inner.type === 'regex') return true
  if (outer.value === '' || inner.value === '') return true
  if (outer.type === 'exact') return inner.type !== 'exact' || inner.value !== outer.value
  return !inner.value.startsWith(outer.value)
}
