import { GATEWAY_API, type ParentRef, parentKey } from '../kinds/gateway-api.ts'
import { formatRef, isOfGatewayApi, isSameRef, type ObjectOf, type ObjectRef, ROUTE_KINDS, type RouteKind, refKey } from '../kinds/index.ts'
import type { Cause, Gap } from '../mesh/gaps/gaps.ts'
import { formatPath } from '../mesh/names/path.ts'
import { exportsOf, isExported } from '../mesh/names/visibility.ts'
import { newlyDetached, newlyRefused, routeOf } from './attachment.ts'
import { byRoute, gapRule, severityOf } from './gap-rule.ts'
import type { Draft, Severity, Subject } from './rule.ts'
import { GATEWAY_LABEL, loss, percent, place, routeOwner, through, wayOut } from './wording.ts'

export const missingFallback = gapRule({
  id: 'missing-fallback',
  on: ROUTE_KINDS,
  summary: 'a request class of the host is matched by no route and gets 404',
  description:
    'A VirtualService replaces the default route of its host entirely. A request that none of its routes matches gets 404, even though the ' +
    'Service behind it is healthy. A fallback is any last route that takes every request: one without match, or with uri prefix "/". ' +
    'At a gateway the fallback may stand in another VirtualService for the same host, and of host "*", the names that nobody has, none ' +
    'is asked; on the mesh it may not, since Istio uses one VirtualService a host. Rules of the Gateway API for one host are merged everywhere. ' +
    'One regular expression that is no RE2 in a route of the Gateway API has Envoy refuse all routes of its port; in a VirtualService Istio does not let it through.',
  remedy: 'Add a last http route without match that sends all other requests to a live destination.',
  explains: unmatched,
  groupBy: (gap, subject) => `${byRoute(gap)}${severityKey(subject, gap)}`,
  explain
})

type Routed = Subject<RouteKind>

/** What a route object alone decides about: whether anything takes the request. What becomes of it then, other rules say. */
const NOTHING_TAKES_IT: readonly Cause[] = [
  'no-route',
  'no-action',
  'bad-regex',
  'no-virtual-host',
  'no-listener',
  'closed',
  'blocked',
  'no-address'
]
const BROUGHT: readonly Cause[] = ['no-route', 'no-action', 'bad-regex']

/** What the write opens; and what a new or changed VirtualService brings, served before or not: it is wrong in any state. */
function unmatched({ operation, after, gaps, opened, fallbackAtGateways }: Routed): Gap[] {
  // Behind `*` are the names that nobody has, of which 404 is the answer: nobody is to bring a fallback for them.
  const isTold = ({ context, host }: Gap) =>
    context.kind !== 'gateway' || fallbackAtGateways === 'deny' || (fallbackAtGateways === 'warn' && host !== '*')
  // What a root lacks is not its delegate's fault.
  const isDelegate = after?.kind === 'VirtualService' && after.hosts.length === 0
  const brought =
    operation === 'DELETE' || isDelegate
      ? []
      : gaps.filter((gap) => gap.share > gap.shareBefore && BROUGHT.includes(gap.cause) && isTold(gap))
  return [...new Set([...opened, ...brought])].filter(({ cause }) => NOTHING_TAKES_IT.includes(cause))
}

function explain(gap: Gap, subject: Routed): Draft {
  if (gap.source === null) return explainUnbound(gap, subject)
  if (gap.cause === 'no-action') {
    return {
      severity: 'deny',
      object: routeOwner(gap),
      path: gap.path,
      message: `Envoy would refuse its whole configuration: ${place(subject, gap)} redirects with a code that it does not know`,
      remedy: 'Use redirectCode 301, 302, 303, 307 or 308'
    }
  }
  if (gap.cause === 'bad-regex') {
    const where = `${subject.nameOf(routeOwner(gap))} ${formatPath(gap.path.slice(1))}`
    return {
      severity: 'deny',
      object: routeOwner(gap),
      path: gap.path,
      message: `Envoy would refuse all routes of port ${gap.port}${through(gap.context)}, those of other hosts too: ${where} has a regular expression that is no RE2. Proxies keep what they have, and new ones get none`,
      remedy: 'Write it without look-around and back-references, or match by an exact value or a prefix'
    }
  }
  return {
    severity: severityOfUnmatched(subject, gap),
    object: routeOwner(gap),
    path: gap.path,
    message: `${unmatchedRequests(gap)} would get 404: ${subject.nameOf(routeOwner(gap))} has no fallback route that takes them${servedBefore(subject, gap)}`,
    remedy: remedyFor(subject, gap)
  }
}

/** What is refused and what is warned of are two findings. */
function severityKey(subject: Routed, gap: Gap): Severity {
  return gap.source === null ? severityOf(subject, gap) : severityOfUnmatched(subject, gap)
}

/** Where several objects make the routes of a host, others may bring the rest of one that nobody has served so far. */
function severityOfUnmatched(subject: Routed, gap: Gap): Severity {
  if (subject.isOpened(gap)) return severityOf(subject, gap)
  const isShared = gap.context.kind === 'gateway' || isOfGatewayApi(routeOwner(gap))
  return isShared && subject.fallbackAtGateways !== 'deny' ? 'warn' : 'deny'
}

/** Which other object answered these requests so far: its routes can be copied. */
function servedBefore(subject: Routed, gap: Gap): string {
  const server = serverBefore(gap)
  return server === null ? '' : `; so far ${subject.nameOf(server)} answers them`
}

function serverBefore({ servedBy, source }: Gap): ObjectRef | null {
  return servedBy === null || isSameRef(servedBy.source, source) ? null : servedBy.source
}

function remedyFor(subject: Routed, gap: Gap): string {
  const server = serverBefore(gap)
  const delegate = missingDelegate(subject, routeOwner(gap))
  if (delegate !== null) return delegate.remedy
  if (server !== null && subject.operation !== 'DELETE')
    return `First copy the routes of ${subject.nameOf(server)} that take them, then apply this again`
  const meant = subject.operation === 'UPDATE' && gap.servedBy?.isFallback === false ? `; if this is meant, ${wayOut(subject)}` : ''
  const fallback = isOfGatewayApi(routeOwner(gap))
    ? 'a rule without matches, to a backend'
    : 'a last http route without match, to a destination'
  if (subject.operation === 'DELETE') return `First add to ${subject.nameOf(routeOwner(gap))} ${fallback} that is live, then delete this`
  return `First add ${fallback} that is live, then apply this again${meant}`
}

/** A rule whose delegate is not there takes nothing (7.2). */
function missingDelegate({ operation, before, after, snapshotAfter, nameOf }: Routed, root: ObjectRef): Told | null {
  const rules = snapshotAfter.find('VirtualService', root.namespace, root.name)?.http ?? []
  for (const { delegate, path } of rules) {
    if (delegate === null || snapshotAfter.find('VirtualService', delegate.namespace, delegate.name) !== undefined) continue
    const ref: ObjectRef = { kind: 'VirtualService', ...delegate }
    const from = `${nameOf(root)} ${formatPath(path.slice(1))}`
    if (operation === 'DELETE' && before !== null && refKey(before) === refKey(ref)) {
      return { message: `${from} still delegates to it`, remedy: `First take the delegate out of ${from}, then delete this` }
    }
    const remedy = `First apply the delegate ${nameOf(ref)}, then apply this again`
    if (after !== null) return { message: `${from} delegates to ${nameOf(ref)}, which does not exist`, remedy }
  }
  return null
}

interface Told {
  readonly message: string
  readonly remedy: string
}

function unmatchedRequests(gap: Gap): string {
  const text = loss(gap).replace(/ would get 404$/, '')
  return Object.keys(gap.requestClass.headers).length === 0 && gap.requestClass.uri === null
    ? `${percent(gap.share)} of requests to ${gap.host}${gap.context.kind === 'mesh' ? through(gap.context) : ''} that match none of its routes`
    : text
}

/** No VirtualService serves the host, or the connection, any longer: a wish when the VirtualService is deleted, a gap when it is only edited. */
function explainUnbound(gap: Gap, subject: Routed): Draft {
  const { message, remedy } = whyUnbound(subject, gap)
  return { path: [], message: `${loss(gap)}: ${message}`, remedy }
}

function whyUnbound(subject: Routed, gap: Gap): Told {
  const { after, nameOf } = subject
  const delegate = lostDelegate(subject)
  if (delegate !== null) return delegate
  const missing = unknownGateway(subject) ?? unknownParent(subject)
  if (missing !== null && after !== null) {
    const message = `Gateway ${missing}, which ${nameOf(after)} names instead, does not exist`
    return { message, remedy: 'Name a Gateway that exists, as namespace/name, or create it first' }
  }
  const [detached] = [...newlyRefused(subject), ...newlyDetached(subject)]
  if (detached !== undefined) return detached
  if (after !== null && isNewlyHidden(subject, gap)) {
    const message = `exportTo hides ${nameOf(after)} from namespace ${gap.context.namespace}, where the gateway runs`
    return { message, remedy: 'Leave the namespace of the gateway in spec.exportTo' }
  }
  if (after !== null && subject.excuseOf(gap) === 'moved') {
    return { message: `${nameOf(after)} leaves it for a gateway that goes on answering`, remedy: 'First let its clients call that gateway' }
  }
  const left = leftParent(subject)
  if (left !== null) return left
  const nobody =
    gap.cause === 'closed' || gap.cause === 'no-listener'
      ? 'no tls or tcp route would take them any longer'
      : `no ${subject.written.kind} would serve this host any longer`
  return {
    message: nobody,
    remedy: `First let another ${subject.written.kind} serve it, or move its clients to another host; if this is meant, ${wayOut(subject)}`
  }
}

/** All of a root's delegates are missing, the last one goes, or the object becomes a delegate that nobody has. */
function lostDelegate(subject: Routed): Told | null {
  const { before, after, snapshotAfter, nameOf } = subject
  const written = after ?? before
  if (written?.kind !== 'VirtualService') return null
  const roots = [written, ...snapshotAfter.lookup('virtualServiceByDelegate', `${written.namespace}/${written.name}`)]
  for (const root of roots) {
    const missing = missingDelegate(subject, root)
    if (missing !== null) return missing
  }
  if (before?.kind !== 'VirtualService' || after === null || before.hosts.length === 0 || written.hosts.length > 0 || roots.length > 1)
    return null
  return {
    message: `${nameOf(after)} has no hosts any longer, and no VirtualService delegates to it`,
    remedy: 'First apply the VirtualService that has the hosts and delegates to it, then apply this again'
  }
}

/** The Gateway or listener that a route no longer names. */
function leftParent(subject: Routed): Told | null {
  const [old, route] = [routeOf(subject.before), routeOf(subject.after)]
  if (old === null || route === null) return null
  const isNamed = (parent: ParentRef) => route.parents.some((other) => JSON.stringify(other) === JSON.stringify(parent))
  const left = old.parents.find((parent) => parent.group === GATEWAY_API && !isNamed(parent))
  if (left === undefined) return null
  const { kind, namespace, name } = left
  const parent = formatRef({ kind: kind === 'ListenerSet' ? 'ListenerSet' : 'KubernetesGateway', namespace, name })
  const same = route.parents.find((other) => parentKey(other) === parentKey(left))
  const instead =
    same === undefined ? `no longer name ${parent} as its parent` : `name ${listenersOf(same)} of ${parent} instead of ${listenersOf(left)}`
  return {
    message: `${formatRef(route)} would ${instead}`,
    remedy: `First name the old parent beside the new one, and take it out once its clients call that; if this is meant, ${wayOut(subject)}`
  }
}

function listenersOf({ sectionName, port }: ParentRef): string {
  if (sectionName !== '') return `listener "${sectionName}"`
  return port === null ? 'all listeners' : `those on port ${port}`
}

/** A Gateway that the write newly names and that nobody knows: a slip of the pen. */
function unknownGateway({ before, after, snapshotAfter }: Routed): string | null {
  if (before?.kind !== 'VirtualService' || after?.kind !== 'VirtualService') return null
  const isKnown = (gateway: string) => {
    const [namespace = '', name = ''] = gateway.split('/')
    const found = snapshotAfter.find('Gateway', namespace, name)
    return found !== undefined && !Object.hasOwn(found.selector, GATEWAY_LABEL)
  }
  return after.gateways.find((name) => name !== 'mesh' && !before.gateways.includes(name) && !isKnown(name)) ?? null
}

/** The same of a Gateway of the Gateway API. */
function unknownParent({ before, after, snapshotAfter }: Routed): string | null {
  const [was, is] = [parentsOf(before), parentsOf(after)].map((parents) => parents.filter(isGateway))
  const isNew = (parent: ParentRef) => !was?.some((other) => parentKey(other) === parentKey(parent))
  const missing = is?.find(
    (parent) => isNew(parent) && snapshotAfter.find('KubernetesGateway', parent.namespace, parent.name) === undefined
  )
  return missing === undefined ? null : `${missing.namespace}/${missing.name}`
}

function parentsOf(object: ObjectOf<RouteKind> | null): readonly ParentRef[] {
  return routeOf(object)?.parents ?? []
}

function isGateway({ group, kind }: ParentRef): boolean {
  return group === GATEWAY_API && kind === 'Gateway'
}

function isNewlyHidden({ before, after, snapshotAfter }: Routed, { context }: Gap): boolean {
  if (before?.kind !== 'VirtualService' || after?.kind !== 'VirtualService') return false
  const exportTo = exportsOf(after, snapshotAfter.settings.defaultVirtualServiceExportTo)
  return before.exportTo.join() !== after.exportTo.join() && !isExported(exportTo, after.namespace, context.namespace)
}
