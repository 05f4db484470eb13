/** Which hosts a write can affect, and for which contexts: only those are compared before and after it. */

import { type Kind, type MeshObject, ROUTE_KINDS, reachOf } from '../../kinds/index.ts'
import type { Reach } from '../../kinds/kind.ts'
import type { Service } from '../../kinds/service.ts'
import type { ServiceEntry } from '../../kinds/service-entry.ts'
import { destinationsOf, type VirtualService } from '../../kinds/virtual-service.ts'
import { hostCovers, hostKey, isWildcard } from '../names/hosts.ts'
import { type Labels, labelKeys, selects } from '../names/labels.ts'
import { everyVirtualService, madeBetween } from '../routing/gateway-api/compiled.ts'
import { gatewaysOf, gatewaysSelecting } from '../routing/gateways.ts'
import { scopeOf } from '../routing/scope.ts'
import { allowsAnyHost } from '../routing/sidecars.ts'
import { type Context, contextKey } from '../routing/table.ts'
import { gatheredInParts, type InParts, whole } from '../snapshot/in-parts.ts'
import { TooMuchWork } from '../snapshot/metered.ts'
import { kindsBetween, type Snapshot } from '../snapshot/snapshot.ts'
import { Allowance, isSelected, type TellUnjudged } from './allowance.ts'
import { clientContexts, gatewayContexts, meshContexts, type TellCut } from './contexts.ts'
import type { Target } from './gaps.ts'

/**
 * Every (context, host) whose answers can differ between the two snapshots, where `objects` are the states of the written object before
 * and after. Kinds whose writes hitless does not judge affect nothing here.
 */
export function affectedTargets(before: Snapshot, after: Snapshot, objects: readonly MeshObject[], tell?: TellUnjudged): Target[] {
  return whole(affectedTargetsInParts(before, after, objects, tell))
}

export function* affectedTargetsInParts(
  before: Snapshot,
  after: Snapshot,
  objects: readonly MeshObject[],
  tell?: TellUnjudged
): InParts<Target[]> {
  const found = new Map<string, Target>()
  const own = objects[0]?.namespace ?? ''
  const { gone, come } = madeBetween(before, after, objects)
  const concerned = [...objects, ...gone, ...come]
  const snapshots = [...new Set([before, after])]
  const clients = new Map<string, Context[]>()
  for (const snapshot of looksAlike(before, after) ? [after] : snapshots) {
    const survey = surveyOf(snapshot, snapshots, clients, tell, own)
    const claims = yield* claimsOfEach(survey, concerned)
    for (const target of targetsOf(survey, inTurn(claims, own))) {
      const key = targetKey(target)
      if (!found.has(key)) found.set(key, target)
      yield
    }
  }
  // Anybody's Pods may be told apart by their labels, and there may be many: they come last.
  const targets = [...found.values()]
  return [...targets.filter(({ context }) => !isSelected(context)), ...targets.filter(({ context }) => isSelected(context))]
}

/** What a change of these alone reaches is found in either snapshot: who asks for a host is asked of both, and no other object is another. */
const TELLING_THEMSELVES: readonly Kind[] = [...ROUTE_KINDS, 'DestinationRule', 'PeerAuthentication']

function looksAlike(before: Snapshot, after: Snapshot): boolean {
  const kinds = kindsBetween(before, after)
  return kinds !== null && [...kinds].every((kind) => TELLING_THEMSELVES.includes(kind))
}

/** Every (context, host) that a route object of the snapshot takes, found as it is asked for; past the first hundred thousand one may come twice. */
export function* everyTarget(snapshot: Snapshot, tell?: TellUnjudged): Iterable<Target> {
  const known = new Set<string>()
  const survey = surveyOf(snapshot, [snapshot], new Map(), tell)
  for (const vs of everyVirtualService(snapshot)) {
    for (const target of targetsOf(survey, whole(claimsOf(survey, vs)))) {
      const key = targetKey(target)
      if (known.has(key)) continue
      if (known.size < MOST_KNOWN) known.add(key)
      yield target
    }
  }
}

/** Targets that are remembered, so that none is looked at twice. */
const MOST_KNOWN = 100_000

/** A snapshot, in which what one VirtualService or host costs is bounded. */
interface Survey {
  readonly snapshot: Snapshot
  readonly allowance: Allowance
  /** The snapshot within an allowance. */
  readonly bounded: Snapshot
  /** This snapshot and those that it is compared with, within the allowance. */
  readonly compared: readonly Snapshot[]
  /** Of each host on the mesh those of all these, found out once for the surveys of a change. */
  readonly clients: Map<string, Context[]>
}

function surveyOf(
  snapshot: Snapshot,
  compared: readonly Snapshot[],
  clients: Survey['clients'],
  tell: TellUnjudged = () => undefined,
  own: string | null = null
): Survey {
  const allowance = new Allowance(tell, own)
  const bound = (each: Snapshot) => allowance.bound(each)
  return { snapshot, allowance, bounded: bound(snapshot), compared: compared.map(bound), clients }
}

/** What a claim costs to make and to keep, in steps. */
const CLAIM_EFFORT = 8
/** What a target costs to make and to keep, in steps. */
const TARGET_EFFORT = 16

/** A host at a Gateway, by its `namespace/name`, or on the `mesh`; and the namespace of what claims it. */
interface Claim {
  readonly namespace: string
  readonly gateway: string
  readonly host: string
  /** Only for clients of this namespace, or of those that its Sidecar stands for. */
  readonly clients?: string
}

/** Those of the own namespace first, then of those namespaces that have the fewest: where there are too many, whose are that many is cut. */
function inTurn(claims: readonly Claim[], own: string): Claim[] {
  const byNamespace = [...Map.groupBy(claims, ({ namespace }) => namespace)]
  const rank = ([namespace, each]: readonly [string, Claim[]]) => (namespace === own ? 0 : each.length)
  return byNamespace.sort((one, other) => rank(one) - rank(other)).flatMap(([, each]) => each)
}

/** Who asks for a claim's host is found out once, by however many objects it is claimed. */
function* targetsOf(survey: Survey, claims: readonly Claim[]): Iterable<Target> {
  const { bounded, allowance } = survey
  const unique = new Map<string, Claim>()
  for (const claim of claims) {
    const key = `${claim.gateway} ${claim.host} ${claim.clients ?? ''}`
    if (!unique.has(key)) unique.set(key, claim)
  }
  const proxies = new Map<string, Context[]>()
  const found = (claim: Claim) => {
    const cut = () => allowance.tell({ host: claim.host, clients: 'some', error: new TooMuchWork(0, new Map()) })
    const contexts = proxies.get(claim.gateway) ?? contextsOf(survey, claim, cut)
    if (claim.gateway !== 'mesh') proxies.set(claim.gateway, contexts)
    bounded.charge(TARGET_EFFORT * contexts.length)
    return contexts
  }
  for (const claim of unique.values()) {
    const contexts = allowance.for(claim, () => found(claim)) ?? []
    for (const context of contexts) yield { context, host: claim.host, namespace: claim.namespace }
  }
}

function contextsOf({ bounded, compared, clients: known }: Survey, { gateway, host, clients }: Claim, cut: TellCut): Context[] {
  if (gateway !== 'mesh') return gatewayContexts(bounded, gateway, cut)
  if (clients !== undefined) return clientContexts(bounded, host, clients, cut)
  const contexts = known.get(host) ?? meshContexts(compared, host, cut)
  if (compared.length > 1) known.set(host, contexts)
  return contexts
}

function claimsOf(survey: Survey, object: MeshObject): InParts<Claim[]> {
  return gatheredInParts(reachOf(object), (reach) => claimsThrough(survey, reach, object))
}

function claimsOfEach(survey: Survey, objects: readonly MeshObject[]): InParts<Claim[]> {
  return gatheredInParts(objects, (object) => claimsOf(survey, object))
}

function* claimsThrough(survey: Survey, reach: Reach, object: MeshObject): InParts<Claim[]> {
  const { snapshot, allowance, bounded } = survey
  const { namespace } = object
  switch (reach.through) {
    case 'claims': {
      const claims = () => reach.gateways.flatMap((gateway) => claimsAt(bounded, reach.hosts, gateway, object))
      return allowance.for({ host: reach.hosts[0] ?? '', namespace }, claims) ?? []
    }
    case 'roots':
      // A delegate that delegates again takes nothing (7.5), and may even delegate to itself.
      return yield* claimsOfEach(
        survey,
        [...snapshot.lookup('virtualServiceByDelegate', reach.delegate)].filter(({ hosts }) => hosts.length > 0)
      )
    case 'senders':
      return yield* claimsOfEach(survey, senders(survey, reach.host))
    case 'service':
      // Its own host is served by default where no VirtualService takes it.
      return [{ namespace, gateway: 'mesh', host: reach.host }, ...(yield* claimsOfEach(survey, senders(survey, reach.host)))]
    case 'bytes': {
      const sharing = [...snapshot.lookup('serviceEntryByBytesPort', String(reach.port))]
      return sharing.flatMap((entry) => entry.hosts.map((host) => ({ namespace: entry.namespace, gateway: 'mesh', host })))
    }
    case 'workloads':
      return yield* claimsBehind(survey, reach)
    case 'gateway':
      return claimsOfProxies(survey, reach.gateway)
    case 'clients':
      return claimsOfClients(survey, reach.namespace)
  }
}

function claimsAt(snapshot: Snapshot, named: readonly string[], gateway: string, object: MeshObject): Claim[] {
  snapshot.charge(CLAIM_EFFORT * named.length, object)
  if (gateway === 'mesh') {
    const hosts = new Set(
      named.flatMap((host) => [host, ...aliases(snapshot, host), ...(isWildcard(host) ? servicesUnder(snapshot, host) : [])])
    )
    return [...hosts].map((host) => ({ namespace: object.namespace, gateway, host }))
  }
  const [namespace = '', name = ''] = gateway.split('/')
  const servers = snapshot.find('Gateway', namespace, name)?.servers ?? []
  snapshot.charge(servers.reduce((sum, server) => sum + 1 + server.hosts.length, 0))
  const served = servers.flatMap((server) => server.hosts).map((host) => host.slice(host.indexOf('/') + 1))
  snapshot.charge(named.length * served.length, object)
  const hosts = new Set(named.flatMap((host) => served.flatMap((other) => moreSpecific(host, other))))
  return [...hosts].map((host) => ({ namespace: object.namespace, gateway, host }))
}

/** Every service that can select the workloads, and whatever they serve as the proxies of Gateways. */
function* claimsBehind(survey: Survey, { namespace, labels, owner }: Extract<Reach, { through: 'workloads' }>): InParts<Claim[]> {
  const { snapshot } = survey
  const owned = owner === '' ? [] : [...snapshot.lookup('podByWorkload', owner)]
  const sets = [...new Set([labels, ...owned.map((pod) => pod.labels)])]
  const hosts = sets.flatMap((each) => [
    ...servicesSelecting(snapshot, namespace, each).map(({ host }) => host),
    ...entriesSelecting(snapshot, namespace, each).flatMap((entry) => entry.hosts)
  ])
  const gateways = sets
    .flatMap((each) => gatewaysSelecting(snapshot, each))
    // One without a selector is every proxy's, and whether these are proxies nobody tells.
    .filter(({ selector }) => Object.keys(selector).length > 0)
    .map((gateway) => `${gateway.namespace}/${gateway.name}`)
  const ofHosts = yield* gatheredInParts(new Set(hosts), (host) => claimsOfSenders(survey, host, namespace))
  return [...ofHosts, ...[...new Set(gateways)].flatMap((gateway) => claimsAtGateway(survey, gateway))]
}

/** Whoever routes to the host decides how many Pods it needs; its own clients do where nobody routes to it. */
function* claimsOfSenders(survey: Survey, host: string, namespace: string): InParts<Claim[]> {
  const routed = yield* claimsOfEach(survey, senders(survey, host))
  return routed.length > 0 ? routed : [{ namespace, gateway: 'mesh', host }]
}

function claimsAtGateway({ snapshot, bounded, allowance }: Survey, gateway: string): Claim[] {
  return [...snapshot.lookup('virtualServiceByGateway', gateway)].flatMap(
    (vs) => allowance.for({ host: vs.hosts[0] ?? '', namespace: vs.namespace }, () => claimsAt(bounded, vs.hosts, gateway, vs)) ?? []
  )
}

/** Gateways of one proxy share its ports: a change of one can give or take those of another (6.1). */
function claimsOfProxies(survey: Survey, gateway: string): Claim[] {
  const { snapshot } = survey
  const names = new Set([
    gateway,
    ...gatewayContexts(snapshot, gateway).flatMap((context) =>
      gatewaysOf(scopeOf(snapshot, context)).map(({ namespace, name }) => `${namespace}/${name}`)
    )
  ])
  return [...names].flatMap((name) => claimsAtGateway(survey, name))
}

/** Every host that a client of the mesh can reach by a VirtualService, and where unknown hosts are refused every service. */
function claimsOfClients(survey: Survey, namespace: string): Claim[] {
  const { snapshot } = survey
  const routed = claimsAtGateway(survey, 'mesh')
  const services = refusesUnknownHosts(snapshot, namespace) ? everyHost(snapshot).map((host) => ({ namespace, gateway: 'mesh', host })) : []
  return [...routed, ...services].map((claim) => ({ ...claim, clients: namespace }))
}

function refusesUnknownHosts(snapshot: Snapshot, namespace: string): boolean {
  const sidecars = [...snapshot.lookup('sidecarByNamespace', namespace)]
  const labels: Labels[] = [{}, ...sidecars.flatMap(({ workloadSelector }) => (workloadSelector === null ? [] : [workloadSelector]))]
  return labels.some((each) => !allowsAnyHost(snapshot, { kind: 'mesh', namespace, labels: each }))
}

function everyHost(snapshot: Snapshot): string[] {
  const services = [...snapshot.all('Service')].map(({ host }) => host)
  const entries = [...snapshot.all('ServiceEntry')].flatMap(({ hosts }) => {
    snapshot.charge(hosts.length)
    return hosts
  })
  return [...services, ...entries]
}

/** The ServiceEntries of a namespace whose selector takes these labels. */
function entriesSelecting(snapshot: Snapshot, namespace: string, labels: Labels): ServiceEntry[] {
  return labelKeys(namespace, labels).flatMap((key) =>
    [...snapshot.lookup('serviceEntryBySelector', key)].filter(
      ({ workloadSelector }) => workloadSelector !== null && selects(workloadSelector, labels)
    )
  )
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
function senders({ snapshot, allowance, bounded }: Survey, host: string): VirtualService[] {
  if (isWildcard(host)) {
    const mayBe = [...snapshot.lookup('virtualServiceByDestination', hostKey(host))]
    return mayBe.filter((vs) => allowance.for({ host, namespace: vs.namespace }, () => sendsUnder(bounded, vs, host)) === true)
  }
  return [host, ...aliases(snapshot, host)].flatMap((name) => [...snapshot.lookup('virtualServiceByDestination', name)])
}

function sendsUnder(snapshot: Snapshot, vs: VirtualService, wildcard: string): boolean {
  const destinations = destinationsOf(vs)
  snapshot.charge(destinations.length, vs)
  return destinations.some((host) => hostCovers(wildcard, host))
}

function aliases(snapshot: Snapshot, host: string): string[] {
  return [...snapshot.lookup('serviceByExternalName', host)].map((service) => service.host)
}

function servicesUnder(snapshot: Snapshot, wildcard: string): string[] {
  return everyHost(snapshot).filter((host) => hostCovers(wildcard, host))
}

/** The virtual host of a gateway for a VirtualService's host and a server's: the narrower of the two (6.2). */
function moreSpecific(one: string, other: string): string[] {
  if (hostCovers(other, one)) return [one]
  return hostCovers(one, other) ? [other] : []
}

/** One text for equal targets. */
export function targetKey({ context, host }: Target): string {
  return `${host} ${contextKey(context)}`
}
