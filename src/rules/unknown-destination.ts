import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Rule, Subject } from './rule.ts'
import { byRoute, loss, place, routeOwner, sends, severityOf, state } from './wording.ts'

export const unknownDestination: Rule = {
  id: 'unknown-destination',
  on: ['VirtualService'],
  summary: 'a carried destination names a host or port that does not exist',
  description:
    'A destination has a cluster in Envoy only if the client sees a service of exactly that host with exactly that port. A host without any dot is ' +
    'completed with the namespace of its VirtualService; a host with a dot is taken literally, so "reviews.prod" names nothing. ' +
    'On the mesh a destination without port means the port that the client called, even where the destination has a single other port.',
  remedy: 'Create the Service, or name the host in full and the port that it has.',
  reads: ['VirtualService', 'Service', 'ServiceEntry'],
  check: (subject) => {
    const opened = new Set(subject.opened)
    return state(
      subject.gaps.filter(({ cause, share, shareBefore }) => (cause === 'host' || cause === 'port') && share > shareBefore),
      (gap) => `${byRoute(gap)}${opened.has(gap)}`,
      (gap) => ({
        severity: opened.has(gap) ? severityOf(subject, gap) : 'warn',
        object: routeOwner(gap),
        path: [...gap.path, gap.cause],
        message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${unknown(gap)}`,
        remedy: `First ${remedyFor(subject, gap)}, then apply this again`
      })
    )
  }
}

function unknown({ cause, destination }: Gap): string {
  return cause === 'host'
    ? `host ${destination?.host}, which does not exist`
    : `port ${destination?.port} of ${destination?.host}, which it does not have`
}

function remedyFor({ snapshotAfter }: Subject, { cause, destination }: Gap): string {
  const host = destination?.host ?? ''
  if (cause === 'port') return `name a port of ${host} in destination.port.number`
  const [name = '', namespace = '', ...rest] = host.split('.')
  const meant = (rest.length === 0 || rest.join('.') === 'svc') && snapshotAfter.find('Service', namespace, name) !== undefined
  return meant ? `write the host in full, ${name}.${namespace}.svc.${snapshotAfter.settings.domain}` : `create the Service ${host}`
}
