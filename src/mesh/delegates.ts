/** Delegate VirtualServices: a root's rules with those of its delegates in their place (7). */
import { resolveHost } from './hosts.ts'
import { compatible } from './labels.ts'
import type { Destination, HttpMatch, HttpRoute, Mirror, StringMatch, VirtualService } from './objects.ts'
import type { Snapshot } from './snapshot.ts'
import { isExported } from './visibility.ts'

/** A rule ready for routes: its destinations completed, and whose rule it is. */
export interface OwnedRule {
  readonly rule: HttpRoute
  /** `namespace/name` of the VirtualService whose hosts it serves, as Istio names it. */
  readonly root: string
  /** Where it is written: a delegate's own, or the root's. */
  readonly owner: VirtualService
}

/** The http rules of a root VirtualService; a rule whose delegate is missing, invisible or no delegate is dropped silently (7.2). */
export function rulesOf(snapshot: Snapshot, root: VirtualService): OwnedRule[] {
  const rootName = `${root.namespace}/${root.name}`
  return root.http.flatMap((rule) => {
    if (rule.delegate === null) return [{ rule: completed(rule, root, snapshot), root: rootName, owner: root }]
    const delegate = snapshot.find('VirtualService', rule.delegate.namespace || root.namespace, rule.delegate.name)
    if (delegate === undefined || delegate.hosts.length > 0 || !isExported(delegate.exportTo, delegate.namespace, root.namespace)) return []
    return delegate.http.flatMap((inner) => {
      if (inner.delegate !== null) return [] // one level only (7.5)
      const match = mergedMatches(rule.match, inner.match)
      if (match === null) return []
      const mirrors = inner.mirrors.length > 0 ? inner.mirrors : completed(rule, root, snapshot).mirrors // (7.4)
      return [{ rule: { ...completed(inner, delegate, snapshot), match, mirrors }, root: rootName, owner: delegate }]
    })
  })
}

/** Short hosts resolve in the namespace of the object they stand in (1.1, 7.3). */
function completed(rule: HttpRoute, { namespace }: VirtualService, { settings }: Snapshot): HttpRoute {
  const complete = <D extends Destination | Mirror>(destination: D): D => ({
    ...destination,
    host: resolveHost(destination.host, namespace, settings.domain)
  })
  return { ...rule, route: rule.route.map(complete), mirrors: rule.mirrors.map(complete) }
}

/** Every entry of the delegate's rule with every one of the root's that it does not contradict; null where the rule is dropped (7.4). */
function mergedMatches(root: readonly HttpMatch[], delegate: readonly HttpMatch[]): readonly HttpMatch[] | null {
  if (root.length === 0) return delegate
  if (delegate.length === 0) return root
  const merged: HttpMatch[] = []
  for (const inner of delegate) {
    const compatibleRoots = root.filter((outer) => !conflicts(outer, inner))
    // An entry that conflicts with all root entries drops its whole rule [f04 f19].
    if (compatibleRoots.length === 0) return null
    merged.push(...compatibleRoots.map((outer) => mergedMatch(outer, inner)))
  }
  return merged
}

function mergedMatch(outer: HttpMatch, inner: HttpMatch): HttpMatch {
  return {
    path: inner.path,
    uri: inner.uri ?? outer.uri,
    ignoreUriCase: inner.ignoreUriCase || outer.ignoreUriCase,
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
function conflicts(outer: HttpMatch, inner: HttpMatch): boolean {
  return (
    outer.ignoreUriCase !== inner.ignoreUriCase ||
    valuesConflict(outer.uri, inner.uri) ||
    valuesConflict(outer.scheme, inner.scheme) ||
    valuesConflict(outer.method, inner.method) ||
    valuesConflict(outer.authority, inner.authority) ||
    mapsConflict(outer.headers, inner.headers) ||
    mapsConflict(outer.withoutHeaders, inner.withoutHeaders) ||
    mapsConflict(outer.queryParams, inner.queryParams) ||
    (outer.port !== null && inner.port !== null && outer.port !== inner.port) ||
    (outer.sourceNamespace !== '' && outer.sourceNamespace !== inner.sourceNamespace) ||
    !compatible(outer.sourceLabels, inner.sourceLabels) ||
    (inner.gateways.length > 0 && outer.gateways.length > 0 && !inner.gateways.every((name) => outer.gateways.includes(name)))
  )
}

function mapsConflict(outer: Readonly<Record<string, StringMatch>>, inner: Readonly<Record<string, StringMatch>>): boolean {
  return Object.keys(outer).some((name) => valuesConflict(outer[name] ?? null, inner[name] ?? null))
}

/** Any regex beside another value conflicts, and a delegate's value must lie below the root's prefix. `stringMatchConflict`. */
function valuesConflict(outer: StringMatch | null, inner: StringMatch | null): boolean {
  if (outer === null || inner === null || outer.type === 'present' || inner.type === 'present') return false
  if (outer.type === 'regex' || inner.type === 'regex') return true
  if (outer.type === 'exact') return inner.type !== 'exact' || inner.value !== outer.value
  return !inner.value.startsWith(outer.value)
}
