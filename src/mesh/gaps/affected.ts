/** Which hosts a write can affect, and for which contexts: only those are compared before and after it. */

import { type MeshObject, reachOf } from '../../kinds/index.ts'
import type { Reach } from '../../kinds/kind.ts'
import type { Service } from '../../kinds/service.ts'
import { destinationsOf, type VirtualService } from '../../kinds/virtual-service.ts'
import { hostCovers, hostKey, isWildcard } from '../names/hosts.ts'
import { type Labels, selects } from '../names/labels.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
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
    for (const target of targetsOf(snapshot, claimsOf(snapshot, vs))) {
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
  return reachOf(object).flatMap((reach) => claimsThrough(snapshot, reach, object))
}

function claimsThrough(snapshot: Snapshot, reach: Reach, object: MeshObject): Claim[] {
  switch (reach.through) {
    case 'claims':
      return reach.gateways.flatMap((gateway) => claimsAt(snapshot, reach.hosts, gateway, object))
    case 'roots':
      return [...snapshot.lookup('virtualServiceByDelegate', reach.delegate)].flatMap((root) => claimsOf(snapshot, root))
    case 'senders':
      return senders(snapshot, reach.host).flatMap((vs) => claimsOf(snapshot, vs))
    case 'service':
      // Its own host is served by default where no VirtualService takes it.
      return [{ gateway: 'mesh', host: reach.host }, ...senders(snapshot, reach.host).flatMap((vs) => claimsOf(snapshot, vs))]
    case 'pods':
      return claimsBehind(snapshot, reach)
  }
}

function claimsAt(snapshot: Snapshot, named: readonly string[], gateway: string, object: MeshObject): Claim[] {
  snapshot.charge(CLAIM_EFFORT * named.length, object)
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
  snapshot.charge(named.length * served.length, object)
  const hosts = new Set(named.flatMap((host) => served.flatMap((other) => moreSpecific(host, other))))
  return [...hosts].map((host) => ({ gateway, host }))
}

/** The Services that can select the Pods, and of those only the hosts that a VirtualService routes: a plain Service's last Pods may go. */
function claimsBehind(snapshot: Snapshot, { namespace, labels, deployment }: Extract<Reach, { through: 'pods' }>): Claim[] {
  const owned = deployment === '' ? [] : [...snapshot.lookup('podByDeployment', deployment)]
  const sets = new Set([labels, ...owned.map((pod) => pod.labels)])
  const services = new Set([...sets].flatMap((each) => servicesSelecting(snapshot, namespace, each)))
  const routes = new Set([...services].flatMap(({ host }) => senders(snapshot, host)))
  return [...routes].flatMap((vs) => claimsOf(snapshot, vs))
}

/** The Services of a namespace whose selector takes these labels. */
export function servicesSelecting(snapshot: Snapshot, namespace: string, labels: Labels): Service[] {
  return Object.entries(labels).flatMap(([key, value]) =>
    [...snapshot.lookup('serviceBySelector', `${namespace}/${key}=${value}`)].filter(
      ({ selector }) => selector !== null && selects(selector, labels)
    )
  )
}

/** The VirtualServices with a destination or mirror at a host, or at an alias of it (8.4). */
function senders(snapshot: Snapshot, host: string): VirtualService[] {
  if (isWildcard(host)) {
    return [...snapshot.lookup('virtualServiceByDestination', hostKey(host))].filter((vs) => sendsUnder(vs, host))
  }
  return [host, ...aliases(snapshot, host)].flatMap((name) => [...snapshot.lookup('virtualServiceByDestination', name)])
}

function sendsUnder(vs: VirtualService, wildcard: string): boolean {
  return destinationsOf(vs).some((host) => hostCovers(wildcard, host))
}

function aliases(snapshot: Snapshot, host: string): string[] {
  return [...snapshot.lookup('serviceByExternalName', host)].map((service) => service.host)
}

function servicesUnder(snapshot: Snapshot, wildcard: string): string[] {
  const services = [...snapshot.all('Service')].map(({ host }) => host)
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
