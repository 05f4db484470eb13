/** The phrases that every finding is made of: share, who asks, which requests, status. */

import { EVERY_REQUEST } from '../kinds/http-rule.ts'
import { homeOf, type ObjectRef } from '../kinds/index.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { own } from '../mesh/names/own.ts'
import { formatPath } from '../mesh/names/path.ts'
import { compareText } from '../mesh/names/text.ts'
import { describeClass, describeLabels } from '../mesh/requests/classes.ts'
import { GATEWAY_NAME } from '../mesh/routing/gateway-api/deployed.ts'
import type { Context, RoutedDestination } from '../mesh/routing/table.ts'
import type { Subject } from './rule.ts'

/** The label of the proxy behind a Gateway that is not known, whose value names that Gateway. No Pod can have it: a label's value has no slash. */
export const GATEWAY_LABEL = 'hitless.io/gateway'

/** `50% of requests to reviews.prod.svc.cluster.local would get 503`. */
export function loss(gap: Gap): string {
  if (gap.protocol === 'tcp') {
    return `${percent(gap.share)} of connections to ${gap.serverName ?? gap.host}:${gap.port}${through(gap.context)} would be closed`
  }
  return `${percent(gap.share)} of ${requests(gap)} would ${fate(gap)}`
}

/** What becomes of the requests as things stand: `get 503`, `are closed`. */
export function isLost(gap: Gap): string {
  if (gap.cause === 'bad-regex') return `get nothing from proxies that start now, for which Envoy refuses all routes of port ${gap.port}`
  const become = gap.protocol === 'tcp' ? 'be closed' : fate(gap)
  return become === 'be closed' ? 'are closed' : become
}

function fate({ status, cause }: Gap): string {
  if (status !== 0) return `get ${status}`
  if (cause === 'no-listener') return 'find nothing listening'
  return cause === 'no-address' ? 'find no address' : 'be closed'
}

/** How to do it all the same, where it is meant: for a write that takes away the last of something. */
export function wayOut({ before, after }: Subject): string {
  const object = after ?? before
  const namespace = object === null ? '' : homeOf(object)
  return namespace === '' ? 'annotate it with hitless.io/allow' : `label namespace ${namespace} hitless.io/mode=warn for the time being`
}

/** `VirtualService prod/reviews http[1]`, the place of a gap. */
export function place({ nameOf }: Subject, gap: Gap): string {
  if (gap.source === null) return gap.destination === null ? 'nothing' : "Istio's default route"
  return `${nameOf(routeOwner(gap))} ${formatPath(gap.path.slice(1, 3))}`.trimEnd()
}

/** `subset "v2" of reviews.prod.svc.cluster.local`, or the host alone. */
export function destinationName(destination: RoutedDestination | null): string {
  if (destination === null) return 'no destination'
  return destination.subset === null ? destination.host : `subset "${destination.subset}" of ${destination.host}`
}

/** `sends weight 50 to`, `sends to`: how a route carries a destination. */
export function sends(gap: Gap): string {
  return gap.share < 1 - 1e-9 ? `sends ${percent(gap.share)} to` : 'sends to'
}

export function percent(share: number): string {
  return `${Math.round(share * 1000) / 10}%`
}

/** The object that holds a gap's route. */
export function routeOwner(gap: Gap): ObjectRef {
  return gap.source ?? { kind: 'VirtualService', namespace: '', name: '' }
}

/** The DestinationRule that stands for a host, or the one to create. */
export function destinationRuleFor({ snapshotAfter, nameOf }: Subject, host: string): string {
  const [rule] = [...snapshotAfter.lookup('destinationRuleByHost', host)].map(nameOf).sort()
  return rule ?? `a DestinationRule for ${host}`
}

/** The most telling gap of several about one thing: the largest share, the widest class. */
export function worst(gaps: readonly Gap[]): Gap | undefined {
  const [first, ...others] = gaps
  return others.reduce<Gap | undefined>((best, gap) => (best !== undefined && isWorse(gap, best) ? gap : best), first)
}

function isWorse(gap: Gap, than: Gap): boolean {
  const order = than.share - gap.share || breadth(gap) - breadth(than)
  return order === 0 ? compareText(describe(gap), describe(than)) < 0 : order < 0
}

function requests(gap: Gap): string {
  return `${describeClass(gap.requestClass, `${gap.host}${port(gap)}`)}${through(gap.context)}`
}

function port({ port: number }: Gap): string {
  return number === 80 || number === 443 ? '' : `:${number}`
}

/** ` through gateway istio-system/ingressgateway`: whose proxies they come through, or the clients that they come from; '' for any client. */
export function through({ kind, namespace, labels }: Context): string {
  if (Object.hasOwn(labels, GATEWAY_LABEL)) return ` through Gateway ${labels[GATEWAY_LABEL]}`
  const deployed = own(labels, GATEWAY_NAME)
  if (kind === 'gateway' && deployed !== undefined) return ` through Gateway ${namespace}/${deployed}`
  if (kind === 'gateway') return ` through gateway ${namespace}/${labels['istio'] ?? describeLabels(labels)}`
  return Object.keys(labels).length === 0 ? '' : ` from Pods ${describeLabels(labels)}`
}

function breadth(gap: Gap): number {
  return gap.requestClass === EVERY_REQUEST ? 0 : 1
}

function describe(gap: Gap): string {
  return `${gap.host} ${gap.port} ${describeClass(gap.requestClass)} ${gap.context.kind} ${gap.context.namespace}`
}
