/**
 * The kinds: the only list of them. What the model knows, what is watched, what the webhook judges, where each is found on the API server and
 * by which keys it is looked up is all derived from here; a test holds the chart's webhook rules and RBAC to it.
 */
import { AS_WRITTEN, type Domain } from '../mesh/names/hosts.ts'
import { own } from '../mesh/names/own.ts'
import { daemonSets } from './daemon-set.ts'
import { deployments } from './deployment.ts'
import { destinationRules } from './destination-rule.ts'
import { endpointSlices } from './endpoint-slice.ts'
import { Fields, isRecord } from './fields.ts'
import { gateways } from './gateway.ts'
import { GATEWAY_API } from './gateway-api.ts'
import { gatewayClasses } from './gateway-class.ts'
import { grpcRoutes } from './grpc-route.ts'
import { httpRoutes } from './http-route.ts'
import { parseIdentity } from './identity.ts'
import type { KindModule, Reach } from './kind.ts'
import { kubernetesGateways } from './kubernetes-gateway.ts'
import { listenerSets } from './listener-set.ts'
import { meshConfigs } from './mesh-config.ts'
import { namespaces } from './namespace.ts'
import { peerAuthentications } from './peer-authentication.ts'
import { pods } from './pod.ts'
import { referenceGrants } from './reference-grant.ts'
import { replicaSets } from './replica-set.ts'
import { rollouts } from './rollout.ts'
import { secrets } from './secret.ts'
import { services } from './service.ts'
import { serviceEntries } from './service-entry.ts'
import { sidecars } from './sidecar.ts'
import { statefulSets } from './stateful-set.ts'
import { tcpRoutes } from './tcp-route.ts'
import { tlsRoutes } from './tls-route.ts'
import { virtualServices } from './virtual-service.ts'
import { workloadEntries } from './workload-entry.ts'

/** In the order in which a state is built: what others need comes first. */
const MODULES = {
  MeshConfig: meshConfigs,
  Namespace: namespaces,
  Gateway: gateways,
  Sidecar: sidecars,
  ServiceEntry: serviceEntries,
  WorkloadEntry: workloadEntries,
  Service: services,
  Deployment: deployments,
  StatefulSet: statefulSets,
  DaemonSet: daemonSets,
  ReplicaSet: replicaSets,
  Rollout: rollouts,
  Pod: pods,
  EndpointSlice: endpointSlices,
  PeerAuthentication: peerAuthentications,
  DestinationRule: destinationRules,
  VirtualService: virtualServices,
  GatewayClass: gatewayClasses,
  KubernetesGateway: kubernetesGateways,
  ListenerSet: listenerSets,
  Secret: secrets,
  ReferenceGrant: referenceGrants,
  HTTPRoute: httpRoutes,
  GRPCRoute: grpcRoutes,
  TLSRoute: tlsRoutes,
  TCPRoute: tcpRoutes
}

type Modules = typeof MODULES
export type Kind = keyof Modules
export type ObjectOf<K extends Kind> = ReturnType<Modules[K]['parse']>
export type MeshObject = { [K in Kind]: ObjectOf<K> }[Kind]
export type IndexName = { [K in Kind]: keyof Modules[K]['indexes'] }[Kind]
export type IndexedObject<I extends IndexName> = { [K in Kind]: I extends keyof Modules[K]['indexes'] ? ObjectOf<K> : never }[Kind]

/** Every kind that a snapshot holds, in the order in which a state is built. */
export const KINDS = Object.keys(MODULES) as readonly Kind[]
/** The kinds that the live cluster follows. */
export const WATCHED_KINDS: readonly Kind[] = KINDS.filter((kind) => MODULES[kind].watched)
/** The kinds whose writes are judged. */
export const JUDGED_KINDS: readonly Kind[] = KINDS.filter((kind) => MODULES[kind].judged)

/** An object of the Gateway API. */
export function isOfGatewayApi({ kind }: Pick<ObjectRef, 'kind'>): boolean {
  return kindModule<Kind>(kind).api.group === GATEWAY_API
}

/** A kind that only `routes` and `ask` read: no verdict rests on it yet. */
export function isLookedAtAlone(kind: Kind): boolean {
  return kind === 'Secret'
}

/** The kinds that route requests. */
export const ROUTE_KINDS = ['VirtualService', 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'] as const satisfies readonly Kind[]

export type RouteKind = (typeof ROUTE_KINDS)[number]

export function isRouteKind(kind: Kind): kind is RouteKind {
  return (ROUTE_KINDS as readonly Kind[]).includes(kind)
}

/** The kinds that make Pods of a template. */
export const WORKLOAD_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Rollout'] as const satisfies readonly Kind[]
export type WorkloadKind = (typeof WORKLOAD_KINDS)[number]
export type Workload = ObjectOf<WorkloadKind>

export function isWorkloadKind(kind: Kind): kind is WorkloadKind {
  return (WORKLOAD_KINDS as readonly Kind[]).includes(kind)
}

export function isWorkload(object: MeshObject): object is Workload {
  return WORKLOAD_KINDS.some((kind) => kind === object.kind)
}

/** The name of an object in messages and maps. */
export interface ObjectRef {
  readonly kind: Kind
  readonly namespace: string
  readonly name: string
}

export function isSameRef(one: ObjectRef | null, other: ObjectRef | null): boolean {
  return one?.kind === other?.kind && one?.namespace === other?.namespace && one?.name === other?.name
}

/** `VirtualService prod/reviews`. */
export function formatRef(ref: ObjectRef): string {
  return `${writtenKind(ref.kind)} ${ref.namespace === '' ? '' : `${ref.namespace}/`}${ref.name}`
}

/** As manifests call it; two groups have a `Gateway`. */
export function writtenKind(kind: Kind): string {
  const { group, kind: written } = kindModule<Kind>(kind).api
  if (written === undefined) return kind
  return group === '' ? written : `${written} (${group})`
}

/** The namespace that an object belongs to: of a Namespace its own. */
export function homeOf({ kind, namespace, name }: ObjectRef): string {
  return kind === 'Namespace' ? name : namespace
}

/** One text for one object, whatever its state. */
export function refKey(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace}/${ref.name}`
}

/** Everything about a kind, for whoever treats all kinds alike. */
export function kindModule<K extends Kind>(kind: K): KindModule<ObjectOf<K>, IndexName> {
  return MODULES[kind] as unknown as KindModule<ObjectOf<K>, IndexName>
}

const INDEXES = new Map(KINDS.map((kind) => [kind, Object.keys(MODULES[kind].indexes) as IndexName[]]))
const INDEXED = new Map(KINDS.flatMap((kind) => indexesOf(kind).map((name) => [name, kind] as const)))

export const INDEX_NAMES: readonly IndexName[] = [...INDEXED.keys()]

/** The kind that stands in an index. */
export function indexedKind(name: IndexName): Kind {
  const kind = INDEXED.get(name)
  if (kind === undefined) throw new Error(`no kind has an index ${name}`)
  return kind
}

/** The indexes in which a kind stands. */
export function indexesOf(kind: Kind): readonly IndexName[] {
  return INDEXES.get(kind) ?? []
}

/** The keys under which an object stands in an index. */
export function keysOf(name: IndexName, object: MeshObject): readonly string[] {
  return kindModule<Kind>(object.kind).indexes[name](object)
}

/** The kind that an apiVersion and kind name, or null where the model does not read it. */
export function kindOf(apiVersion: string, kind: string): Kind | null {
  const known = KINDS.find((each) => {
    const { group, versions, kind: written = each } = kindModule<Kind>(each).api
    return written === kind && versions.some((version) => apiVersion === (group === '' ? version : `${group}/${version}`))
  })
  return known ?? null
}

/** Whether the model reads this kind of this API group by other versions, and so knows nothing of what a manifest of this one says. */
export function isOfOtherVersion(apiVersion: string, kind: string): boolean {
  const slash = apiVersion.lastIndexOf('/')
  const group = slash === -1 ? '' : apiVersion.slice(0, slash)
  const isSame = (each: Kind) => {
    const { group: known, kind: written = each } = kindModule<Kind>(each).api
    return known === group && written === kind
  }
  return kindOf(apiVersion, kind) === null && KINDS.some(isSame)
}

/**
 * Parses a manifest. Gives null for a kind that the model does not read; throws `InvalidField` where a field has a type that the API
 * server would refuse.
 */
export function parseObject(raw: unknown, domain: Domain): MeshObject | null {
  const fields = new Fields(raw)
  const kind = kindOfManifest(fields)
  if (kind === null) return null
  const { names } = kindModule<Kind>(kind).api
  return names?.test(fields.child('metadata')?.string('name') ?? '') === false ? null : parseAs(kind, raw, domain)
}

/** What a request says of the object in it: that of a CREATE may leave out its namespace, and its name where it is generated. */
export interface Requested {
  readonly namespace?: string | undefined
  readonly name?: string | undefined
}

/** Parses what is known to be a `kind`, as items of a list are, which name none themselves. */
export function parseAs<K extends Kind>(kind: K, raw: unknown, domain: Domain, requested: Requested = {}): ObjectOf<K> {
  const { api, judged, parse } = kindModule(kind)
  const fields = new Fields(raw)
  const part = (key: string) => fields.child(key) ?? new Fields({}, [key])
  const own = parseIdentity(fields, api.namespaced, judged)
  const identity = { ...own, namespace: requested.namespace ?? own.namespace, name: own.name || (requested.name ?? '') }
  return parse({ raw, fields, spec: part('spec'), status: part('status') }, identity, domain)
}

/** A written object as the API server stores it over the one of its name. */
export function storedOver(written: MeshObject, stored: MeshObject): MeshObject {
  return kindModule<Kind>(written.kind).storedOver?.(written, stored) ?? written
}

/** Why Istio's own webhook would refuse a manifest of a kind that the model reads (2.4), or null. */
export function refusalOf(raw: unknown): string | null {
  const object = parseObject(raw, AS_WRITTEN)
  if (object === null) return null
  const [reason] = kindModule<Kind>(object.kind).refusals?.(object) ?? []
  return reason ?? null
}

/** What a change of an object can alter. */
export function reachOf(object: MeshObject): readonly Reach[] {
  return kindModule<Kind>(object.kind).reach(object)
}

/** istiod may push for this change of an object; null where it is not there. */
export function isPushed(before: MeshObject | null, after: MeshObject | null): boolean {
  return ofChange(before, after)?.pushed(before, after) ?? false
}

/** The change takes away something that a route elsewhere may still send to. */
export function takesAway(before: MeshObject | null, after: MeshObject | null): boolean {
  return ofChange(before, after)?.takesAway(before, after) ?? false
}

/** The change brings or alters something that a route elsewhere relies on. */
export function provides(before: MeshObject | null, after: MeshObject | null): boolean {
  const isDecisive = before === null || after === null || !decideAlike(before, after)
  return isDecisive && (ofChange(before, after)?.provides(before, after) ?? false)
}

function ofChange(before: MeshObject | null, after: MeshObject | null): KindModule<MeshObject, IndexName> | null {
  const object = after ?? before
  return object === null ? null : kindModule<Kind>(object.kind)
}

/** Two states of an object between which nothing that decides about requests differs. */
export function decideAlike(one: MeshObject, other: MeshObject): boolean {
  const decisive = (object: MeshObject) => kindModule<Kind>(object.kind).decides(object)
  return isSame(decisive(one), decisive(other))
}

/** The new state, with every part that the old one has at the same place taken from there: what is known of it is known still. */
export function withPartsOf<O extends MeshObject>(after: O, before: MeshObject): O {
  return withFieldsOf(after, before as unknown as Parts) as unknown as O
}

type Parts = Readonly<Record<string, unknown>>

/** A copy, which the engine lays out as it does what was parsed. */
function withFieldsOf(now: object, old: Parts): Parts {
  const found: Record<string, unknown> = { ...now }
  for (const name in found) found[name] = shared(found[name], own(old, name))
  return found
}

/** The old value where both are the same; else the new one, with whatever of its parts is the same. */
function shared(now: unknown, old: unknown): unknown {
  if (Array.isArray(now)) return Array.isArray(old) ? withEntriesOf(now, old) : now
  if (isSame(now, old)) return old
  const arePlain = [now, old].every((value) => isRecord(value) && !(value instanceof Map))
  return arePlain ? withFieldsOf(now as object, old as Parts) : now
}

function withEntriesOf(now: readonly unknown[], old: readonly unknown[]): readonly unknown[] {
  const entries = now.map((each, at) => shared(each, old[at]))
  return entries.length === old.length && entries.every((each, at) => each === old[at]) ? old : entries
}

/** Of plain data; looks no further than the first difference. */
export function isSame(one: unknown, other: unknown): boolean {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return Object.is(one, other)
  if (one === other) return true
  if (Array.isArray(one)) return Array.isArray(other) && haveSameEntries(one, other)
  if (one instanceof Map) return other instanceof Map && haveSameEntries([...one], [...other])
  return !Array.isArray(other) && haveSameFields(one as Parts, other as Parts)
}

function haveSameEntries(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at] && !isSame(one[at], other[at])) return false
  return true
}

function haveSameFields(one: Parts, other: Parts): boolean {
  let more = 0
  for (const key in one) {
    if (!Object.hasOwn(other, key)) return false
    if (one[key] !== other[key] && !isSame(one[key], other[key])) return false
    more++
  }
  for (const _ in other) more--
  return more === 0
}

/** True where `value` is a manifest: it names an apiVersion and a kind. */
export function isManifest(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && typeof value['apiVersion'] === 'string' && typeof value['kind'] === 'string'
}

function kindOfManifest(fields: Fields): Kind | null {
  return kindOf(fields.string('apiVersion'), fields.string('kind'))
}
