import { isOfGatewayApi, isWorkload, WORKLOAD_KINDS } from '../kinds/index.ts'
import { takesRequests } from '../kinds/pod.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { type Labels, sameLabels } from '../mesh/names/labels.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { byRoute, gapRule } from './gap-rule.ts'
import { otherVersions } from './releases.ts'
import type { Subject } from './rule.ts'
import { destinationName, loss, place, routeOwner, sends, wayOut } from './wording.ts'

export const workloadInUse = gapRule({
  id: 'workload-in-use',
  on: [...WORKLOAD_KINDS, 'Pod'],
  summary: 'the last Ready Pods behind a carried destination, or behind a gateway that serves, go away',
  description:
    'Deleting a workload, scaling it to 0, or giving its Pods other labels takes its Pods from the destinations that they back; so does a template whose containers no longer declare ' +
    'the port that the Service targets by name. Where no other Ready Pod - of any owner - backs a destination that a route still sends to, those requests get 503. Where the ' +
    'Pods are the last ones of a gateway, nothing listens there.',
  remedy: 'Move the requests to another version in the route first.',
  groupBy: (gap) => (isOfGateway(gap) ? JSON.stringify([gap.context.namespace, gap.cause]) : byRoute(gap)),
  explain: (gap, subject) => ({
    path: changedField(subject),
    message: `${loss(gap)}: ${lost(subject, gap)}`,
    remedy: remedyFor(subject, gap)
  })
})

/** The Pods are the proxies that should answer, and not what they send to. */
function isOfGateway({ cause, destination }: Gap): boolean {
  return destination === null && (cause === 'no-listener' || cause === 'no-virtual-host')
}

function changedField(subject: Subject) {
  const { after } = subject
  if (after === null || !isWorkload(after)) return []
  if (after.replicas === 0) return ['spec', 'replicas']
  return isRelabelled(subject) ? ['spec', 'template', 'metadata', 'labels'] : ['spec', 'template', 'spec', 'containers']
}

function isRelabelled({ before, after }: Subject): boolean {
  if (before === null || after === null || !isWorkload(before) || !isWorkload(after)) return true
  return !sameLabels(before.templateLabels, after.templateLabels)
}

function lost(subject: Subject, gap: Gap): string {
  if (isOfGateway(gap)) return `these are the last Ready Pods of the gateway, which ${act(subject)}`
  if (gap.destination === null) return `its last Ready Pods ${act(subject)}`
  return `${place(subject, gap)} still ${sends(gap)} ${destinationName(gap.destination)}, whose last Ready Pods ${act(subject)}`
}

function act(subject: Subject): string {
  const { operation, before, after } = subject
  if (operation === 'DELETE') return 'this deletes'
  if (after !== null && isWorkload(after) && after.replicas === 0) return 'this scales to 0'
  if (isRelabelled(subject) || before === null || after === null || !isWorkload(before) || !isWorkload(after)) return 'this relabels'
  const gone = before.templatePortNames.filter((name) => !after.templatePortNames.includes(name))
  return `would no longer declare container port ${gone.map((name) => `"${name}"`).join(', ')}, which the Service targets`
}

function remedyFor(subject: Subject, gap: Gap): string {
  const { operation, after } = subject
  if (isOfGateway(gap)) return `First let other Pods that its Gateways select become Ready; if this is meant, ${wayOut(subject)}`
  if (operation === 'UPDATE' && after !== null && isWorkload(after) && after.replicas > 0 && !isRelabelled(subject)) {
    return 'First let the Service target the new port name once some Pods declare both, or keep the old name'
  }
  if (hasUnreadyPod(subject, gap)) return `First wait until another Pod of ${destinationName(gap.destination)} is Ready, then do this again`
  if (hasOtherVersion(subject, gap))
    return `First move the requests to another version in ${subject.nameOf(routeOwner(gap))}, then do this again`
  return `No other version can take them: to shut it down, first delete ${serviceName(subject, gap)}, or ${wayOut(subject)}`
}

/** Others are to take over, and are not Ready yet: a new workload's, mostly. */
function hasUnreadyPod({ snapshotAfter }: Subject, { host, destination }: Gap): boolean {
  const name = destination?.host ?? host
  const [service] = snapshotAfter.lookup('serviceByHost', name)
  if (service === undefined || service.selector === null) return false
  const subsets = [...snapshotAfter.lookup('destinationRuleByHost', name)].flatMap((rule) => rule.subsets)
  const labels = subsets.find((subset) => subset.name === destination?.subset)?.labels ?? {}
  return podsSelected(snapshotAfter, service.namespace, { ...service.selector, ...labels }).some(({ deleting }) => !deleting)
}

/** A destination of the host is answered still: there is somewhere to move the requests to. */
function hasOtherVersion({ snapshotAfter, tablesAfter, labelKeys }: Subject, { context, host, source, destination }: Gap): boolean {
  if (source === null) return false
  const name = destination?.host ?? host
  const routed = tablesAfter({ context, host }).flatMap(({ routes }) => routes.flatMap(({ destinations }) => destinations))
  if (routed.some(({ missing, ready }) => missing === null && ready !== 0)) return true
  const [service] = snapshotAfter.lookup('serviceByHost', name)
  if (service === undefined || service.selector === null) return false
  const others = isOfGatewayApi(source) ? otherVersions(snapshotAfter, service, labelKeys.version) : []
  if (others.some(({ namespace, selector }) => hasReadyPod(snapshotAfter, namespace, selector ?? {}))) return true
  const subsets = [...snapshotAfter.lookup('destinationRuleByHost', name)].flatMap((rule) => rule.subsets)
  return subsets.some(({ labels }) => hasReadyPod(snapshotAfter, service.namespace, { ...service.selector, ...labels }))
}

function serviceName({ snapshotBefore, nameOf }: Subject, { host, destination }: Gap): string {
  const [service] = snapshotBefore.lookup('serviceByHost', destination?.host ?? host)
  return service === undefined ? `what sends to ${destination?.host ?? host}` : nameOf(service)
}

function hasReadyPod(snapshot: Snapshot, namespace: string, labels: Labels): boolean {
  return podsSelected(snapshot, namespace, labels).some(takesRequests)
}
