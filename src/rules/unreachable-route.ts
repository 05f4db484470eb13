import { covers } from '../mesh/classes.ts'
import type { HttpMatch, HttpRoute, VirtualService } from '../mesh/objects.ts'
import { formatPath } from '../mesh/objects.ts'
import { EVERY_REQUEST } from '../mesh/table.ts'
import type { Rule } from './rule.ts'

export const unreachableRoute: Rule = {
  id: 'unreachable-route',
  on: ['VirtualService'],
  summary: 'an earlier rule takes every request of this one',
  description:
    'Envoy takes the first route that matches. A rule behind a catch-all, or behind one that covers its conditions, never gets a request.',
  remedy: 'Move the more specific rule before the wider one, or delete it.',
  reads: ['VirtualService'],
  check: ({ after, before, nameOf }) => {
    if (after?.kind !== 'VirtualService') return []
    const known = before?.kind === 'VirtualService' ? new Set(shadowed(before).map(({ rule }) => textOf(rule))) : new Set()
    return shadowed(after)
      .filter(({ rule }) => !known.has(textOf(rule)))
      .map(({ rule, by }) => ({
        severity: 'warn',
        object: { kind: 'VirtualService', namespace: after.namespace, name: after.name },
        path: rule.path,
        message: `${formatPath(rule.path.slice(1))} of ${nameOf(after)} gets no request: ${formatPath(by.path.slice(1))} takes them all`,
        remedy: 'Move it before the wider rule, or delete it',
        gap: null
      }))
  }
}

/** The rules of which an earlier rule takes every match; it must ask nothing of client or port that they do not ask as well. */
function shadowed({ http }: VirtualService): { rule: HttpRoute; by: HttpRoute }[] {
  return http.flatMap((rule, at) => {
    // What a delegate takes is not written here, so a rule that delegates hides nothing.
    const earlier = http.slice(0, at).filter(({ delegate }) => delegate === null)
    const by = earlier.find((wide) => matches(rule).every((match) => matches(wide).some((wider) => takes(wider, match))))
    return by === undefined ? [] : [{ rule, by }]
  })
}

function takes(wider: HttpMatch, match: HttpMatch): boolean {
  return sourceOf(wider) === sourceOf(NO_SOURCE) || sourceOf(wider) === sourceOf(match)
    ? covers(wider, match) && !hasExclusion(wider)
    : false
}

/** A rule without match takes everything. */
function matches(rule: HttpRoute): readonly HttpMatch[] {
  return rule.match.length === 0 ? [NO_SOURCE] : rule.match
}

function sourceOf({ port, gateways, sourceLabels, sourceNamespace }: HttpMatch): string {
  return JSON.stringify([port, gateways, sourceLabels, sourceNamespace])
}

function hasExclusion(match: HttpMatch): boolean {
  return Object.keys(match.withoutHeaders).length > 0
}

function textOf(rule: HttpRoute): string {
  return JSON.stringify({ ...rule, path: [] })
}

const NO_SOURCE: HttpMatch = { ...EVERY_REQUEST, path: [], port: null, gateways: [], sourceLabels: {}, sourceNamespace: '' }
