import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Rule, Subject } from './rule.ts'
import { changeBehind } from './service-change.ts'
import { byRoute, loss, place, routeOwner, severityOf, state } from './wording.ts'

export const portInUse: Rule = {
  id: 'port-in-use',
  on: ['Service'],
  summary: 'a port that is still called or routed to goes away, changes its number or protocol, or its target names nothing',
  description:
    'Clients and routes name a port of a Service by its number. Where the number is gone, the cluster address no longer listens, and a route to it has no cluster: 503. A target port ' +
    'that is a name reaches only Pods whose containers declare that name; Pods are Ready all the same. And a port whose name or appProtocol makes it HTTP puts http rules into force ' +
    'that were asleep.',
  remedy: 'Keep the old port beside the new one until nothing calls it, then take it away.',
  reads: ['Service', 'Pod', 'VirtualService', 'DestinationRule'],
  check: (subject) =>
    state(
      subject.opened.filter((gap) => changeBehind(subject, gap) === 'port'),
      byRoute,
      (gap) => ({
        severity: severityOf(subject, gap),
        object: { kind: 'Service', namespace: subject.after?.namespace ?? '', name: subject.after?.name ?? '' },
        path: ['spec', 'ports'],
        message: `${loss(gap)}: ${said(subject, gap)}`,
        remedy: remedyFor(subject, gap)
      })
    )
}

function said(subject: Subject, gap: Gap): string {
  const name = subject.after === null ? '' : subject.nameOf(subject.after)
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

function target({ after }: Subject, gap: Gap): string {
  const port = after?.kind === 'Service' ? after.ports.find((each) => each.port === portOf(gap)) : undefined
  return typeof port?.targetPort === 'string' ? `a container port named "${port.targetPort}"` : `container port ${port?.targetPort ?? ''}`
}

function portOf({ destination, port }: Gap): number {
  return destination?.port ?? port
}

function remedyFor(subject: Subject, gap: Gap): string {
  if (gap.cause === 'no-endpoints' || gap.cause === 'no-address') {
    return 'First roll out Pods that declare a port of that name, or keep the target as it was'
  }
  if (gap.cause === 'no-route' || gap.cause === 'no-action') {
    return `First add a last http route without match to ${subject.nameOf(routeOwner(gap))}, then apply this again`
  }
  const mover = gap.source === null ? 'its clients' : subject.nameOf(routeOwner(gap))
  return `First keep port ${portOf(gap)} beside the new one, move ${mover} to the new port, then take the old one away`
}
