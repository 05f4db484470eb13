import { isOfGatewayApi, ROUTE_KINDS } from '../kinds/index.ts'
import type { Cause, Gap } from '../mesh/gaps/gaps.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { backendAt } from '../mesh/routing/gateway-api/rules.ts'
import { byRoute, gapRule, grown, severityOfGrown } from './gap-rule.ts'
import type { Subject } from './rule.ts'
import { loss, place, routeOwner, sends } from './wording.ts'

export const unknownDestination = gapRule({
  id: 'unknown-destination',
  on: ROUTE_KINDS,
  summary: 'a carried destination names a host or port that does not exist, or one that the route may not send to',
  description:
    'A destination has a cluster in Envoy only if the client sees a service of exactly that host with exactly that port. A host without any dot is ' +
    'completed with the namespace of its VirtualService; a host with a dot is taken literally, so "reviews.prod" names nothing. ' +
    'On the mesh a destination without port means the port that the client called, even where the destination has a single other port. ' +
    'Of a route of the Gateway API such requests get 500, and so do those to a backend of another namespace that no ReferenceGrant lets it send to, and those of a rule without any backend.',
  remedy: 'Create the Service, or name the host in full and the port that it has.',
  explains: (subject) => grown(subject, UNKNOWN),
  groupBy: (gap, { isOpened }) => `${byRoute(gap)}${isOpened(gap)}`,
  explain: (gap, subject) => ({
    severity: severityOfGrown(subject, gap),
    object: routeOwner(gap),
    path: isOfGatewayApi(routeOwner(gap)) ? gap.path : [...gap.path, gap.cause],
    message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${unknown(subject, gap)}`,
    remedy: `First ${remedyFor(subject, gap)}, then apply this again`
  })
})

const UNKNOWN: readonly Cause[] = ['host', 'port', 'no-backend']

function unknown(subject: Subject, { cause, source, path, destination }: Gap): string {
  if (cause === 'no-backend') return 'no backend at all'
  if (destination?.host === NOWHERE) {
    const backend = backendAt(subject.snapshotAfter, source, path)
    return backend === null || backend.host === NOWHERE
      ? `a backend of kind ${backend?.kind ?? 'unknown'}, which Istio does not send to`
      : `${backend.kind} ${backend.namespace}/${backend.name}, which no ReferenceGrant there lets it send to`
  }
  return cause === 'host'
    ? `host ${destination?.host}, which does not exist`
    : `port ${destination?.port} of ${destination?.host}, which it does not have`
}

function remedyFor({ snapshotAfter }: Subject, { cause, source, path, destination }: Gap): string {
  const host = destination?.host ?? ''
  if (cause === 'no-backend') return 'name a backend with weight above 0'
  if (host === NOWHERE) {
    const backend = backendAt(snapshotAfter, source, path)
    if (backend === null || backend.host === NOWHERE) return 'name a Service'
    return `create a ReferenceGrant in namespace ${backend.namespace} from ${source?.kind} of namespace ${source?.namespace} to ${backend.kind} ${backend.name}`
  }
  if (cause === 'port')
    return `name a port of ${host} in ${source !== null && isOfGatewayApi(source) ? 'backendRefs' : 'destination.port.number'}`
  const [name = '', namespace = '', ...rest] = host.split('.')
  const meant = (rest.length === 0 || rest.join('.') === 'svc') && snapshotAfter.find('Service', namespace, name) !== undefined
  if (meant) return `write the host in full, ${name}.${namespace}.svc.${snapshotAfter.settings.domain}`
  return serviceOfHost(host, snapshotAfter.settings.domain) === null
    ? `create a Service or ServiceEntry of that host`
    : `create the Service ${host}`
}
