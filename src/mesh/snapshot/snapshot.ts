/**
 * The snapshot: all that is known of the cluster at one moment, with the look-ups that the model needs, each at the cost of what it
 * finds and not of what exists. `World` is the mutable store behind it; `overlay` shows a snapshot as it would be after a change.
 */
import { hostKey, resolveHost, resolveVirtualServiceHost, serviceHost, wildcardsOver } from '../names/hosts.ts'
import { selects } from '../names/labels.ts'
import { own } from '../names/own.ts'
import { protocolOfEntryPort, protocolOfPort } from '../names/ports.ts'
import type { Kind, Labels, MeshObject, ObjectOf, ObjectRef, Pod, VirtualService } from './objects.ts'

export interface MeshSettings {
  /** `rootNamespace` of the mesh configuration. */
  readonly rootNamespace: string
  /** The cluster's DNS domain. */
  readonly domain: string
  /** Hosts that a client does not know are passed on to their address; REGISTRY_ONLY refuses them. */
  readonly outboundTrafficPolicy?: OutboundTrafficPolicy
}

export type OutboundTrafficPolicy = 'ALLOW_ANY' | 'REGISTRY_ONLY'

export const DEFAULT_SETTINGS: MeshSettings = { rootNamespace: 'istio-system', domain: 'cluster.local' }

/** Every kind that a snapshot holds. */
export const KINDS = [
  'Namespace',
  'Service',
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'ServiceEntry',
  'WorkloadEntry',
  'Sidecar',
  'Deployment',
  'Pod',
  'EndpointSlice'
] as const satisfies readonly Kind[]

/** For each index, the keys under which an object stands. Keys of labels are `namespace/key=value`. */
const INDEXES = {
  /** VirtualServices by the `hostKey` of each of their hosts, completed and lower-cased. */
  virtualServiceByHost: index('VirtualService', (vs, { domain }) =>
    vs.hosts.map((host) => hostKey(resolveVirtualServiceHost(host, vs.namespace, domain)))
  ),
  /** VirtualServices by each host that one of their routes or mirrors names, and by every wildcard that can cover it. */
  virtualServiceByDestination: index('VirtualService', (vs, { domain }) =>
    [...new Set(destinationsOf(vs))].flatMap((written) => {
      const host = resolveHost(written, vs.namespace, domain)
      return [host, ...wildcardsOver(host)]
    })
  ),
  /** VirtualServices by the `namespace/name` of the VirtualServices they delegate to. */
  virtualServiceByDelegate: index('VirtualService', (vs) =>
    vs.http.flatMap(({ delegate }) => (delegate === null ? [] : [`${delegate.namespace || vs.namespace}/${delegate.name}`]))
  ),
  /** VirtualServices by `mesh` or the `namespace/name` of the Gateways they name (1.6). */
  virtualServiceByGateway: index('VirtualService', (vs) => boundGateways(vs)),
  /** DestinationRules by the `hostKey` of their completed host. */
  destinationRuleByHost: index('DestinationRule', (dr, { domain }) => [hostKey(resolveHost(dr.host, dr.namespace, domain))]),
  serviceByHost: index('Service', (service, { domain }) => [serviceHost(service.namespace, service.name, domain)]),
  /** Services with a selector, by its first pair in key order: a Pod's labels lead to every Service that can select it. */
  serviceBySelector: index('Service', (service) => firstPair(service.namespace, service.selector)),
  serviceByExternalName: index('Service', (service) => (service.externalName === null ? [] : [service.externalName])),
  /** Services by the ports on which they declare HTTP, so that their clients listen there (3.6); an alias opens none (8.4). */
  serviceByHttpPort: index('Service', ({ ports, externalName }) =>
    externalName === null ? ports.filter((port) => protocolOfPort(port) === 'http').map(({ port }) => String(port)) : []
  ),
  /** ServiceEntries by the `hostKey` of each host. */
  serviceEntryByHost: index('ServiceEntry', (entry) => entry.hosts.map(hostKey)),
  serviceEntryByHttpPort: index('ServiceEntry', ({ ports }) =>
    ports.filter((port) => protocolOfEntryPort(port) === 'http').map(({ number }) => String(number))
  ),
  /** Gateways by the first pair of their selector; those without one, which every gateway proxy uses, under ''. */
  gatewayBySelector: index('Gateway', ({ selector }) => (Object.keys(selector).length === 0 ? [''] : firstPair('', selector))),
  workloadEntryByLabel: index('WorkloadEntry', (entry) => pairs(entry.namespace, { ...entry.labels, ...entry.workloadLabels })),
  sidecarByNamespace: index('Sidecar', (sidecar) => [sidecar.namespace]),
  deploymentByLabel: index('Deployment', (deployment) => pairs(deployment.namespace, deployment.templateLabels)),
  podByLabel: index('Pod', (pod) => pairs(pod.namespace, pod.labels)),
  podByDeployment: index('Pod', (pod) => (pod.deployment === '' ? [] : [`${pod.namespace}/${pod.deployment}`])),
  endpointSliceByService: index('EndpointSlice', (slice) => [`${slice.namespace}/${slice.service}`])
} as const

type Indexes = typeof INDEXES
export type IndexName = keyof Indexes
export type IndexedObject<I extends IndexName> = Indexes[I] extends Index<infer K> ? ObjectOf<K> : never

interface Index<K extends Kind> {
  readonly kind: K
  readonly keysOf: (object: ObjectOf<K>, settings: MeshSettings) => readonly string[]
}

function index<K extends Kind>(kind: K, keysOf: Index<K>['keysOf']): Index<K> {
  return { kind, keysOf }
}

export interface Snapshot {
  readonly settings: MeshSettings
  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined
  /** The objects that stand under `key` in an index, in no particular order. */
  lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>>
  /** How many objects stand under `key`, at most: a bound for choosing the smallest of several. */
  countAtMost(index: IndexName, key: string): number
  all<K extends Kind>(kind: K): Iterable<ObjectOf<K>>
  /** The Pods of every namespace that a selector takes, as a Gateway's selector does (6.1). An empty selector takes none. */
  podsAnywhere(selector: Labels): Iterable<Pod>
  /** False where the kind is not known (its watch is not synced): its objects are then unknown, never absent. */
  knows(kind: Kind): boolean
  /** Counts steps of work that whoever reads the snapshot is about to do on what it found there, for `cause` where that is one object; see `metered`. */
  charge(steps: number, cause?: MeshObject): void
}

/** What a change takes out of a snapshot and puts in. An updated object needs no entry in `removed`. */
export interface Difference {
  readonly removed?: readonly ObjectRef[]
  readonly added?: readonly MeshObject[]
}

/** The mutable store: objects come and go one at a time, and every index follows. */
export class World implements Snapshot {
  readonly settings: MeshSettings
  readonly #objects = new Map<Kind, Map<string, MeshObject>>(KINDS.map((kind) => [kind, new Map()]))
  readonly #indexes = new Map<IndexName, Map<string, Set<MeshObject>>>(INDEX_NAMES.map((name) => [name, new Map()]))
  readonly #podsByLabelValue = new Map<string, Map<string, Set<Pod>>>()
  readonly #unknown: Set<Kind>

  /** `unknown`: kinds whose objects are not known yet; `learn` takes a kind off that list. */
  constructor(settings: MeshSettings = DEFAULT_SETTINGS, unknown: Iterable<Kind> = []) {
    this.settings = settings
    this.#unknown = new Set(unknown)
  }

  /** Stores an object in place of the one with its kind, namespace and name. */
  set(object: MeshObject): void {
    this.delete(object)
    this.#kind(object.kind).set(nameOf(object), object)
    if (object.kind === 'Pod') for (const [label, byValue] of this.#podsByLabelValue) this.#indexPod(object, label, byValue)
    this.#reindex(object, (keys, key) => {
      const found = keys.get(key)
      if (found === undefined) keys.set(key, new Set([object]))
      else found.add(object)
    })
  }

  /** Forgets an object; nothing happens where there is none. */
  delete(ref: ObjectRef): void {
    const objects = this.#kind(ref.kind)
    const stored = objects.get(nameOf(ref))
    if (stored === undefined) return
    objects.delete(nameOf(ref))
    if (stored.kind === 'Pod')
      for (const [label, byValue] of this.#podsByLabelValue) byValue.get(own(stored.labels, label) ?? '')?.delete(stored)
    this.#reindex(stored, (keys, key) => {
      const found = keys.get(key)
      found?.delete(stored)
      if (found?.size === 0) keys.delete(key)
    })
  }

  learn(kind: Kind): void {
    this.#unknown.delete(kind)
  }

  forget(kind: Kind): void {
    this.#unknown.add(kind)
  }

  knows(kind: Kind): boolean {
    return !this.#unknown.has(kind)
  }

  charge(): void {
    // Whoever reads the store itself may work for as long as it takes.
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    return this.#kind(kind).get(`${namespace}/${name}`) as ObjectOf<K> | undefined
  }

  all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#kind(kind).values() as Iterable<ObjectOf<K>>
  }

  lookup<I extends IndexName>(name: I, key: string): Iterable<IndexedObject<I>> {
    return (this.#indexes.get(name)?.get(key) ?? []) as Iterable<IndexedObject<I>>
  }

  countAtMost(name: IndexName, key: string): number {
    return this.#indexes.get(name)?.get(key)?.size ?? 0
  }

  *podsAnywhere(selector: Labels): Iterable<Pod> {
    const [label] = Object.keys(selector).sort()
    if (label === undefined) return
    for (const pod of this.#podsByValue(label).get(own(selector, label) ?? '') ?? []) if (selects(selector, pod.labels)) yield pod
  }

  /** Few label keys stand in Gateways' selectors, so an index across namespaces is made for a key when it is first asked for. */
  #podsByValue(label: string): Map<string, Set<Pod>> {
    const known = this.#podsByLabelValue.get(label)
    if (known !== undefined) return known
    const byValue = new Map<string, Set<Pod>>()
    this.#podsByLabelValue.set(label, byValue)
    for (const pod of this.all('Pod')) this.#indexPod(pod, label, byValue)
    return byValue
  }

  #indexPod(pod: Pod, label: string, byValue: Map<string, Set<Pod>>): void {
    const value = own(pod.labels, label)
    if (value === undefined) return
    const pods = byValue.get(value)
    if (pods === undefined) byValue.set(value, new Set([pod]))
    else pods.add(pod)
  }

  #kind(kind: Kind): Map<string, MeshObject> {
    const objects = this.#objects.get(kind)
    if (objects === undefined) throw new Error(`no store for kind ${kind}`)
    return objects
  }

  #reindex(object: MeshObject, visit: (keys: Map<string, Set<MeshObject>>, key: string) => void): void {
    for (const name of INDEXES_OF[object.kind]) {
      const keys = this.#indexes.get(name)
      if (keys === undefined) continue
      for (const key of new Set(keysOf(name, object, this.settings))) visit(keys, key)
    }
  }
}

/** `base` as it is after `difference`; `base` is not touched. */
export function overlay(base: Snapshot, { removed = [], added = [] }: Difference): Snapshot {
  if (removed.length === 0 && added.length === 0) return base
  return new Overlay(base, removed, added)
}

class Overlay implements Snapshot {
  readonly settings: MeshSettings
  readonly #base: Snapshot
  /** Objects of the base that no longer show: what was removed, and the old state of what was updated. */
  readonly #hidden: Set<string>
  readonly #added: ReadonlyMap<string, MeshObject>
  /** A write is of one kind, or two: look-ups of all others go straight to the base. */
  readonly #kinds: ReadonlySet<Kind>
  /** The keys of the added objects, found out once: an index is asked for many keys, and few objects are added. */
  readonly #keys = new Map<IndexName, ReadonlyMap<MeshObject, ReadonlySet<string>>>()

  constructor(base: Snapshot, removed: readonly ObjectRef[], added: readonly MeshObject[]) {
    this.settings = base.settings
    this.#base = base
    this.#hidden = new Set([...removed, ...added].map(refKey))
    this.#added = new Map(added.map((object) => [refKey(object), object]))
    this.#kinds = new Set([...removed, ...added].map(({ kind }) => kind))
  }

  knows(kind: Kind): boolean {
    return this.#base.knows(kind)
  }

  charge(steps: number, cause?: MeshObject): void {
    this.#base.charge(steps, cause)
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    if (!this.#kinds.has(kind)) return this.#base.find(kind, namespace, name)
    const key = refKey({ kind, namespace, name })
    if (this.#hidden.has(key)) return this.#added.get(key) as ObjectOf<K> | undefined
    return this.#base.find(kind, namespace, name)
  }

  *all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    for (const object of this.#base.all(kind)) if (!this.#hidden.has(refKey(object))) yield object
    for (const object of this.#added.values()) if (object.kind === kind) yield object as ObjectOf<K>
  }

  lookup<I extends IndexName>(name: I, key: string): Iterable<IndexedObject<I>> {
    if (!this.#kinds.has(INDEXES[name].kind)) return this.#base.lookup(name, key)
    const found: IndexedObject<I>[] = []
    for (const object of this.#base.lookup(name, key)) if (!this.#hidden.has(refKey(object))) found.push(object)
    for (const [object, keys] of this.#keysOfAdded(name)) if (keys.has(key)) found.push(object as IndexedObject<I>)
    return found
  }

  #keysOfAdded(name: IndexName): ReadonlyMap<MeshObject, ReadonlySet<string>> {
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const ofKind = [...this.#added.values()].filter(({ kind }) => INDEXES[name].kind === kind)
    const keys = new Map(ofKind.map((object) => [object, new Set(keysOf(name, object, this.settings))]))
    this.#keys.set(name, keys)
    return keys
  }

  countAtMost(name: IndexName, key: string): number {
    return this.#base.countAtMost(name, key) + (this.#kinds.has(INDEXES[name].kind) ? this.#added.size : 0)
  }

  *podsAnywhere(selector: Labels): Iterable<Pod> {
    if (Object.keys(selector).length === 0) return
    for (const pod of this.#base.podsAnywhere(selector)) if (!this.#hidden.has(refKey(pod))) yield pod
    for (const object of this.#added.values()) if (object.kind === 'Pod' && selects(selector, object.labels)) yield object
  }
}

/** So many labels are compared in a step. */
const LABELS_A_STEP = 8

/** The Pods of a namespace that a selector takes, by the rarest of its pairs. An empty selector takes none here: Kubernetes' Services say so. */
export function podsSelected(snapshot: Snapshot, namespace: string, selector: Labels): Pod[] {
  let rarest: string | null = null
  let fewest = Infinity
  for (const key of pairs(namespace, selector)) {
    const count = snapshot.countAtMost('podByLabel', key)
    if (count >= fewest) continue
    rarest = key
    fewest = count
  }
  const pods: Pod[] = []
  const labels = Object.keys(selector).length
  snapshot.charge(labels + (rarest === null ? 0 : (fewest * labels) / LABELS_A_STEP))
  if (rarest !== null) for (const pod of snapshot.lookup('podByLabel', rarest)) if (selects(selector, pod.labels)) pods.push(pod)
  return pods
}

/** `mesh`, or `namespace/name` for each Gateway that a VirtualService names (1.6); no gateways means the mesh (3.1). */
export function boundGateways(vs: VirtualService): string[] {
  return vs.gateways.length === 0 ? ['mesh'] : vs.gateways.map((name) => resolveGateway(name, vs.namespace))
}

/** A Gateway's name in a VirtualService as `namespace/name` (1.6). `resolveGatewayName`, pilot/pkg/model/config.go. */
export function resolveGateway(name: string, namespace: string): string {
  if (name === 'mesh') return name
  if (name.includes('/')) return name.startsWith('./') ? `${namespace}/${name.slice(2)}` : name
  const [gateway, ofNamespace] = name.split('.')
  return ofNamespace === undefined ? `${namespace}/${name}` : `${ofNamespace}/${gateway}`
}

/** Every host that a VirtualService sends or mirrors to, as written. */
export function destinationsOf(vs: VirtualService): string[] {
  return [
    ...vs.http.flatMap((rule) => [...rule.route, ...rule.mirrors]),
    ...vs.tls.flatMap((rule) => rule.route),
    ...vs.tcp.flatMap((rule) => rule.route)
  ].map(({ host }) => host)
}

export function refKey(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace}/${ref.name}`
}

function nameOf({ namespace, name }: ObjectRef): string {
  return `${namespace}/${name}`
}

function pairs(namespace: string, labels: Labels): string[] {
  return Object.entries(labels).map(([key, value]) => `${namespace}/${key}=${value}`)
}

function firstPair(namespace: string, labels: Labels | null): string[] {
  return pairs(namespace, labels ?? {})
    .sort()
    .slice(0, 1)
}

function keysOf(name: IndexName, object: MeshObject, settings: MeshSettings): readonly string[] {
  const { keysOf: keys } = INDEXES[name] as unknown as Index<Kind>
  return keys(object, settings)
}

const INDEX_NAMES = Object.keys(INDEXES) as IndexName[]
const INDEXES_OF = Object.fromEntries(KINDS.map((kind) => [kind, INDEX_NAMES.filter((name) => INDEXES[name].kind === kind)])) as Record<
  Kind,
  IndexName[]
>
