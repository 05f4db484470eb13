import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Rule, Subject } from './rule.ts'
import { byRoute, loss, percent, place, routeOwner, state } from './wording.ts'

export const missingFallback: Rule = {
  id: 'missing-fallback',
  on: ['VirtualService'],
  summary: 'a request class of the host is matched by no route and gets 404',
  description:
    'A VirtualService replaces the default route of its host entirely. A request that none of its routes matches gets 404, even though the ' +
    'Service behind it is healthy. A fallback is any last route that takes every request: one without match, or with uri prefix "/". ' +
    'At a gateway the fallback may stand in another VirtualService for the same host; on the mesh it may not, since Istio uses one ' +
    'VirtualService a host.',
  remedy: 'Add a last http route without match that sends all other requests to a live destination.',
  reads: ['VirtualService', 'Service', 'Gateway'],
  check: (subject) => state(unmatched(subject), byRoute, (gap) => say(subject, gap))
}

/** What the write opens; and what a new or changed VirtualService brings, served before or not: it is wrong in any state. */
function unmatched({ operation, gaps, opened }: Subject): Gap[] {
  const brought = operation === 'DELETE' ? [] : gaps.filter((gap) => gap.share > gap.shareBefore)
  return [...new Set([...opened, ...brought])].filter(({ cause }) => cause === 'no-route' || cause === 'no-action')
}

function say(subject: Subject, gap: Gap) {
  if (gap.virtualService === null) return sayUnbound(subject, gap)
  if (gap.cause === 'no-action') {
    return {
      severity: 'deny' as const,
      object: routeOwner(gap),
      path: gap.path,
      message: `Envoy would refuse its whole configuration: ${place(subject, gap)} redirects with a code that it does not know`,
      remedy: 'Use redirectCode 301, 302, 303, 307 or 308'
    }
  }
  return {
    severity: 'deny' as const,
    object: routeOwner(gap),
    path: gap.path,
    message: `${unmatchedRequests(gap)} would get 404: ${subject.nameOf(routeOwner(gap))} has no fallback route that takes them`,
    remedy: 'First add a last http route without match, to a destination that is live, then apply this again'
  }
}

function unmatchedRequests(gap: Gap): string {
  const text = loss(gap).replace(/ would get 404$/, '')
  return Object.keys(gap.requestClass.headers).length === 0 && gap.requestClass.uri === null
    ? `${percent(gap.share)} of requests to ${gap.host} that match none of its routes`
    : text
}

/** No VirtualService serves the host at the gateway any longer: a wish when the VirtualService is deleted, a gap when it is only edited. */
function sayUnbound({ operation, before, after }: Subject, gap: Gap) {
  const written = after ?? before
  return {
    severity: operation === 'DELETE' ? ('warn' as const) : ('deny' as const),
    object: { kind: 'VirtualService' as const, namespace: written?.namespace ?? '', name: written?.name ?? '' },
    path: [],
    message: `${loss(gap)}: no VirtualService would serve this host any longer`,
    remedy: 'First move its clients to another host, or add the host to another VirtualService'
  }
}
