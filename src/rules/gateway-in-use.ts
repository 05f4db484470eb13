import type { GatewayServer } from '../kinds/gateway.ts'
import { isOfGatewayApi } from '../kinds/index.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { hostCovers } from '../mesh/names/hosts.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import { gapRule } from './gap-rule.ts'
import { closedEntrances, isEntrance } from './gateway-entrances.ts'
import { lostListener } from './lost-listeners.ts'
import type { Draft, Subject } from './rule.ts'
import { loss, wayOut } from './wording.ts'

export const gatewayInUse = gapRule({
  id: 'gateway-in-use',
  on: ['Gateway', 'KubernetesGateway', 'ListenerSet', 'GatewayClass', 'Service'],
  summary:
    'a Gateway of either API no longer serves a host: its hosts, ports, TLS, listeners, class, address or selector change, it is deleted, or no Service leads to its Pods',
  description:
    'A Gateway makes its proxies listen, and lends the VirtualServices that name it the hosts of its servers. Whatever it no longer lists is gone at once, for every application behind it: ' +
    '404 where the port is still served, no listener or a closed connection where it is not. The listeners of a Gateway of the Gateway API, and those that ListenerSets add, are its servers; ' +
    'what Istio has deployed for it goes with it, and so do all Gateways of a GatewayClass that is deleted; of the class `istio` Istio needs no object. Requests come to its Pods through a Service: where that loses the port or the selector, and no other Service leads there, none arrives.',
  remedy: 'Keep the host and the port until nothing is served by them, or bind the routes to another Gateway first.',
  explains: ({ written, opened }) => (written.kind === 'Service' ? opened.filter(isEntrance) : opened),
  besides: (subject) => (subject.opened.some(isEntrance) ? [] : closedEntrances(subject)),
  groupBy: ({ host, port, cause }) => JSON.stringify([host, port, cause]),
  explain: (gap, subject) => {
    if (subject.written.kind === 'Service') return ofEntrance(subject, gap)
    const listener = isOfGatewayApi(subject.written) ? lostListener(subject, gap) : null
    return {
      path: subject.after === null ? [] : ['spec', listener?.field ?? changedField(subject, gap)],
      message: `${loss(gap)}: ${listener?.message ?? lost(subject, gap)}`,
      remedy: listener === null ? remedyFor(subject, gap) : `${listener.first}; if this is meant, ${wayOut(subject)}`
    }
  }
})

/** The Service before a manual Gateway of the Gateway API: its Pods listen where it leads to. */
function ofEntrance(subject: Subject, gap: Gap): Draft {
  const { before, after, written } = subject
  const sameSelector = before?.kind === 'Service' && after?.kind === 'Service' && sameLabels(before.selector ?? {}, after.selector ?? {})
  return {
    // A Service that is deleted is taken down.
    ...(after === null ? { severity: 'warn' as const } : {}),
    path: after === null ? [] : ['spec', sameSelector ? 'ports' : 'selector'],
    message: `${loss(gap)}: ${subject.nameOf(written)} would no longer lead to that port of the Pods behind it`,
    remedy: `First let the Gateway name another Service that leads there, beside this one, and bring its clients to that; if this is meant, ${wayOut(subject)}`
  }
}

function changedField(subject: Subject, { cause }: Gap): string {
  if (isOfGatewayApi(subject.written)) return 'listeners'
  return cause === 'no-listener' && !sameSelector(subject) ? 'selector' : 'servers'
}

function sameSelector({ written, before, after }: Subject): boolean {
  if (before?.kind !== 'Gateway' || after?.kind !== 'Gateway') return isOfGatewayApi(written)
  return JSON.stringify(Object.entries(before.selector).sort()) === JSON.stringify(Object.entries(after.selector).sort())
}

function lost(subject: Subject, gap: Gap): string {
  const name = subject.nameOf(subject.written)
  const server = isOfGatewayApi(subject.written) ? 'listener' : 'server'
  if (subject.after === null) return `this deletes ${name}`
  if (gap.cause === 'no-listener') {
    if (!sameSelector(subject)) return `${name} would no longer select the Pods that serve it`
    const other = serverNow(subject, gap)
    if (other !== undefined) return `${name} would take ${taken(other)} on port ${gap.port}, for which no VirtualService brings a route`
    return `no ${server} of ${name} would have port ${gap.port} any longer`
  }
  if (gap.cause === 'closed') return `no ${server} of ${name} would take such a connection on port ${gap.port} any longer`
  const reserved = namespaceNow(subject, gap)
  if (reserved !== null) return `${name} would take this host from routes of namespace ${reserved} alone`
  return `no ${server} of ${name} would have this host any longer`
}

/** The server that an Istio Gateway has on the port after the write. */
function serverNow({ after }: Subject, { port }: Gap): GatewayServer | undefined {
  return after?.kind === 'Gateway' ? after.servers.find((server) => server.port === port) : undefined
}

function taken({ protocol, tlsMode }: GatewayServer): string {
  return tlsMode === 'PASSTHROUGH' ? 'TLS that it passes through' : protocol
}

/** The namespace to which the Gateway now leaves the host: `namespace/host` in a server. */
function namespaceNow({ after }: Subject, { host, port }: Gap): string | null {
  if (after?.kind !== 'Gateway') return null
  const written = after.servers.filter((server) => server.port === port).flatMap(({ hosts }) => hosts)
  for (const [namespace = '', name = ''] of written.map((each) => each.split('/')))
    if (hostCovers(name.toLowerCase(), host)) return namespace === '.' ? after.namespace : namespace
  return null
}

function remedyFor(subject: Subject, gap: Gap): string {
  const served = gap.servedBy?.source ?? null
  const other = gap.cause === 'no-listener' && sameSelector(subject) ? serverNow(subject, gap) : undefined
  if (other !== undefined && served !== null) {
    return `First give ${subject.nameOf(served)} ${other.tlsMode === 'PASSTHROUGH' ? 'tls' : 'tcp'} routes for the host, or leave the server as it was`
  }
  return `First ${whatFirst(subject, gap)}; if this is meant, ${wayOut(subject)}`
}

function whatFirst(subject: Subject, gap: Gap): string {
  if (subject.after !== null && gap.cause === 'no-listener') {
    return sameSelector(subject)
      ? `keep port ${gap.port} beside the new one and move its clients, then take it away`
      : 'give the Pods of the gateway the labels that the new selector names, then apply this again'
  }
  const served = gap.servedBy?.source ?? null
  const route = served === null ? (isOfGatewayApi(subject.written) ? 'its routes' : 'its VirtualServices') : subject.nameOf(served)
  return `bind ${route} to another Gateway that serves the host, or take the host out there`
}
