import type { Gap } from '../mesh/gaps/gaps.ts'
import { gapRule } from './gap-rule.ts'
import { isEntrance } from './gateway-entrances.ts'
import type { Subject } from './rule.ts'
import { changeBehind } from './service-change.ts'
import { loss, place, routeOwner } from './wording.ts'

export const portInUse = gapRule({
  id: 'port-in-use',
  on: ['Service'],
  summary: 'a port that is still called or routed to goes away, changes its number or protocol, or its target names nothing',
  description:
    'Clients and routes name a port of a Service by its number. Where the number is gone, the cluster address no longer listens, and a route to it has no cluster: 503. A target port ' +
    'that is a name reaches only Pods whose containers declare that name; Pods are Ready all the same. And a port whose name or appProtocol makes it HTTP puts http rules into force ' +
    'that were asleep.',
  remedy: 'Keep the old port beside the new one until nothing calls it, then take it away.',
  explains: (subject) => subject.opened.filter((gap) => changeBehind(subject, gap) === 'port' && !isEntrance(gap)),
  explain: (gap, subject) => ({
    path: ['spec', 'ports'],
    message: `${loss(gap)}: ${said(subject, gap)}`,
    remedy: remedyFor(subject, gap)
  })
})

function said(subject: Subject<'Service'>, gap: Gap): string {
  const name = subject.nameOf(subject.written)
  switch (gap.cause) {
    case 'no-endpoints':
    case 'no-address':
      return `port ${portOf(gap)} of ${name} now targets ${target(subject, gap)}, which no Ready Pod declares`
    case 'no-route':
    case 'no-action':
      return `port ${gap.port} of ${name} now counts as HTTP, and ${place(subject, gap)} has no route for them`
    case 'port':
    case 'host':
      return `${place(subject, gap)} sends to port ${portOf(gap)} of ${name}, which would be gone`
    default:
      return `port ${portOf(gap)} of ${name} would be gone`
  }
}

function target({ after }: Subject<'Service'>, gap: Gap): string {
  const port = after?.ports.find((each) => each.port === portOf(gap))
  return typeof port?.targetPort === 'string' ? `a container port named "${port.targetPort}"` : `container port ${port?.targetPort ?? ''}`
}

function portOf({ destination, port }: Gap): number {
  return destination?.port ?? port
}

function remedyFor(subject: Subject<'Service'>, gap: Gap): string {
  if (gap.cause === 'no-endpoints' || gap.cause === 'no-address') {
    return 'First roll out Pods that declare a port of that name, or keep the target as it was'
  }
  if (gap.cause === 'no-route' || gap.cause === 'no-action') {
    return `First add a last http route without match to ${subject.nameOf(routeOwner(gap))}, then apply this again`
  }
  const mover = gap.source === null ? 'its clients' : subject.nameOf(routeOwner(gap))
  return `First keep port ${portOf(gap)} beside the new one, move ${mover} to the new port, then take the old one away`
}
