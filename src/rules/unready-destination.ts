import { ROUTE_KINDS } from '../kinds/index.ts'
import type { Rule } from './rule.ts'
import { byRoute, destinationName, loss, place, routeOwner, sends, severityOf, state } from './wording.ts'

export const unreadyDestination: Rule = {
  id: 'unready-destination',
  on: ROUTE_KINDS,
  summary: 'requests move to a destination that no Ready Pod backs',
  description:
    'Envoy sends only to Ready endpoints of the Service whose Pods carry all labels of the subset. Where there is none, the requests get 503. ' +
    'Requests that were answered before must not move there; a first install, where nothing was answered before, may route to Pods that are still starting.',
  remedy: 'Wait until a Pod of the destination is Ready, then send requests to it.',
  reads: [...ROUTE_KINDS, 'DestinationRule', 'Service', 'Pod'],
  check: (subject) => {
    const opened = new Set(subject.opened)
    return state(
      subject.gaps.filter((gap) => gap.cause === 'no-endpoints' && gap.share > gap.shareBefore),
      (gap) => `${byRoute(gap)}${opened.has(gap)}`,
      (gap) => ({
        severity: opened.has(gap) ? severityOf(subject, gap) : 'warn',
        object: routeOwner(gap),
        path: gap.path,
        message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, which no Ready Pod backs`,
        remedy: `First wait until a Pod of ${destinationName(gap.destination)} is Ready, then apply this again`
      })
    )
  }
}
