import { ROUTE_KINDS } from '../kinds/index.ts'
import { byRoute, gapRule, grown, severityOfGrown } from './gap-rule.ts'
import { destinationName, loss, place, routeOwner, sends } from './wording.ts'

export const unreadyDestination = gapRule({
  id: 'unready-destination',
  on: ROUTE_KINDS,
  summary: 'requests move to a destination that no Ready Pod backs',
  description:
    'Envoy sends only to Ready endpoints of the Service whose Pods carry all labels of the subset. Where there is none, the requests get 503. ' +
    'Requests that were answered before must not move there; a first install, where nothing was answered before, may route to Pods that are still starting.',
  remedy: 'Wait until a Pod of the destination is Ready, then send requests to it.',
  explains: (subject) => grown(subject, ['no-endpoints']),
  groupBy: (gap, { isOpened }) => `${byRoute(gap)}${isOpened(gap)}`,
  explain: (gap, subject) => ({
    severity: severityOfGrown(subject, gap),
    object: routeOwner(gap),
    path: gap.path,
    message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, which no Ready Pod backs`,
    remedy: `First wait until a Pod of ${destinationName(gap.destination)} is Ready, then apply this again`
  })
})
