/** Which hosts a write can affect, and for which contexts: only those are compared before and after it. */

import { hostCovers, hostKey, isWildcard, resolveHost, resolveVirtualServiceHost, serviceHost } from '../names/hosts.ts'
import { selects } from '../names/labels.ts'
import type { Deployment, DestinationRule, Labels, MeshObject, Service, VirtualService } from '../snapshot/objects.ts'
import { boundGateways, destinationsOf, type Snapshot } from '../snapshot/snapshot.ts'
import { gatewayContexts, meshContexts } from './contexts.ts'
import type { Target } from './gaps.ts'

/**
 * Every (context, host) whose answers can differ between the two snapshots, where `objects` are the states of the written object before
 * and after. Kinds whose writes hitless does not judge affect nothing here.
 */
export function affectedTargets(before: Snapshot, after: Snapshot, objects: readonly MeshObject[]): Target[] {
  const found = new Map<string, Target>()
  for (const snapshot of [before, after]) {
    const claims = objects.flatMap((object) => claimsOf(snapshot, object))
    for (const target of targetsOf(snapshot, claims)) found.set(targetKey(target), target)
  }
  return [...found.values()]
}

/** Every (context, host) that a VirtualService of the snapshot takes, found as it is asked for. */
export function* everyTarget(snapshot: Snapshot): Iterable<Target> {
  const known = new Set<string>()
  for (const vs of snapshot.all('VirtualService')) {
    for (const target of targetsOf(snapshot, ofVirtualService(snapshot, vs))) {
      const key = targetKey(target)
      if (known.has(key)) continue
      known.add(key)
      yield target
    }
  }
}

/** What a claim costs to make and to keep, in steps. */
const CLAIM_EFFORT = 8

/** A host at a Gateway, by its `namespace/name`, or on the `mesh`. */
interface Claim {
  readonly gateway: string
  readonly host: string
}

/** Who asks for a claim's host is found out once, by however many objects it is claimed. */
function targetsOf(snapshot: Snapshot, claims: readonly Claim[]): Target[] {
  const unique = new Map(claims.map((claim) => [`${claim.gateway} ${claim.host}`, claim]))
  return [...unique.values()].flatMap(({ gateway, host }) => {
    const contexts = gateway === 'mesh' ? meshContexts(snapshot, host) : gatewayContexts(snapshot, gateway)
    return contexts.map((context) => ({ context, host }))
  })
}

function claimsOf(snapshot: Snapshot, object: MeshObject): Claim[] {
  switch (object.kind) {
    case 'VirtualService':
      return ofVirtualService(snapshot, object)
    case 'DestinationRule':
      return ofDestinationRule(snapshot, object)
    case 'Service':
      return ofService(snapshot, object)
    case 'Deployment':
      return ofDeployment(snapshot, object)
    default:
      return []
  }
}

function ofVirtualService(snapshot: Snapshot, vs: VirtualService): Claim[] {
  const roots = vs.hosts.length > 0 ? [vs] : [...snapshot.lookup('virtualServiceByDelegate', `${vs.namespace}/${vs.name}`)]
  return roots.flatMap((root) => boundGateways(root).flatMap((gateway) => ofRoot(snapshot, root, gateway)))
}

function ofRoot(snapshot: Snapshot, vs: VirtualService, gateway: string): Claim[] {
  const { domain } = snapshot.settings
  snapshot.charge(CLAIM_EFFORT * vs.hosts.length, vs)
  const named = vs.hosts.map((host) => resolveVirtualServiceHost(host, vs.namespace, domain))
  if (gateway === 'mesh') {
    const hosts = new Set(
      named.flatMap((host) => [host, ...aliases(snapshot, host), ...(isWildcard(host) ? servicesUnder(snapshot, host) : [])])
    )
    return [...hosts].map((host) => ({ gateway, host }))
  }
  const [namespace = '', name = ''] = gateway.split('/')
  const servers = snapshot.find('Gateway', namespace, name)?.servers ?? []
  snapshot.charge(servers.reduce((sum, server) => sum + 1 + server.hosts.length, 0))
  const served = servers.flatMap((server) => server.hosts).map((host) => host.slice(host.indexOf('/') + 1))
  snapshot.charge(named.length * served.length, vs)
  const hosts = new Set(named.flatMap((host) => served.flatMap((other) => moreSpecific(host, other))))
  return [...hosts].map((host) => ({ gateway, host }))
}

/** A DestinationRule decides for whoever sends to its host; a wildcard, for all that send to a host under it. */
function ofDestinationRule(snapshot: Snapshot, rule: DestinationRule): Claim[] {
  const host = resolveHost(rule.host, rule.namespace, snapshot.settings.domain)
  return senders(snapshot, host).flatMap((vs) => ofVirtualService(snapshot, vs))
}

/** Judged are the hosts that send to the Service, and its own, which Istio serves by default where no VirtualService takes it. */
function ofService(snapshot: Snapshot, service: Service): Claim[] {
  const host = serviceHost(service.namespace, service.name, snapshot.settings.domain)
  return [{ gateway: 'mesh', host }, ...senders(snapshot, host).flatMap((vs) => ofVirtualService(snapshot, vs))]
}

/** The Services that can select its Pods, and of those only the hosts that a VirtualService routes: a plain Service's last Pods may go. */
function ofDeployment(snapshot: Snapshot, deployment: Deployment): Claim[] {
  const { domain } = snapshot.settings
  const labels = [deployment.templateLabels, ...podLabels(snapshot, deployment)]
  const services = new Set(labels.flatMap((each) => servicesSelecting(snapshot, deployment.namespace, each)))
  const routes = [...services].flatMap((service) => senders(snapshot, serviceHost(service.namespace, service.name, domain)))
  return [...new Set(routes)].flatMap((vs) => ofVirtualService(snapshot, vs))
}

/** The Services of a namespace whose selector takes these labels. */
export function servicesSelecting(snapshot: Snapshot, namespace: string, labels: Labels): Service[] {
  return Object.entries(labels).flatMap(([key, value]) =>
    [...snapshot.lookup('serviceBySelector', `${namespace}/${key}=${value}`)].filter(
      ({ selector }) => selector !== null && selects(selector, labels)
    )
  )
}

/** The different labels of the Pods that a Deployment owns. */
function podLabels(snapshot: Snapshot, { namespace, name }: Deployment): Labels[] {
  return [...new Set([...snapshot.lookup('podByDeployment', `${namespace}/${name}`)].map(({ labels }) => labels))]
}

/** The VirtualServices with a destination or mirror at a host, or at an alias of it (8.4). */
function senders(snapshot: Snapshot, host: string): VirtualService[] {
  if (isWildcard(host)) {
    return [...snapshot.lookup('virtualServiceByDestination', hostKey(host))].filter((vs) => sendsUnder(snapshot, vs, host))
  }
  return [host, ...aliases(snapshot, host)].flatMap((name) => [...snapshot.lookup('virtualServiceByDestination', name)])
}

function sendsUnder({ settings }: Snapshot, vs: VirtualService, wildcard: string): boolean {
  return destinationsOf(vs).some((host) => hostCovers(wildcard, resolveHost(host, vs.namespace, settings.domain)))
}

function aliases(snapshot: Snapshot, host: string): string[] {
  return [...snapshot.lookup('serviceByExternalName', host)].map(({ namespace, name }) =>
    serviceHost(namespace, name, snapshot.settings.domain)
  )
}

function servicesUnder(snapshot: Snapshot, wildcard: string): string[] {
  const services = [...snapshot.all('Service')].map(({ namespace, name }) => serviceHost(namespace, name, snapshot.settings.domain))
  const entries = [...snapshot.all('ServiceEntry')].flatMap(({ hosts }) => {
    snapshot.charge(hosts.length)
    return hosts
  })
  return [...services, ...entries].filter((host) => hostCovers(wildcard, host))
}

/** The virtual host of a gateway for a VirtualService's host and a server's: the narrower of the two (6.2). */
function moreSpecific(one: string, other: string): string[] {
  if (hostCovers(other, one)) return [one]
  return hostCovers(one, other) ? [other] : []
}

/** One text for equal targets. */
export function targetKey({ context, host }: Target): string {
  return JSON.stringify([context.kind, context.namespace, Object.entries(context.labels).sort(), host])
}
