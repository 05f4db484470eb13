/** The embedded cluster: a world from manifests that admitted writes change, with Pods for its workloads. */

import {
  isWorkload,
  KINDS,
  type Kind,
  type MeshObject,
  type ObjectOf,
  type ObjectRef,
  parseAs,
  WORKLOAD_KINDS,
  type Workload
} from '../kinds/index.ts'
import type { Pod } from '../kinds/pod.ts'
import type { PodTemplate } from '../kinds/workload.ts'
import { sameLabels, selects } from '../mesh/names/labels.ts'
import { compareText } from '../mesh/names/text.ts'
import { MeshWorld } from '../mesh/routing/gateway-api/compiled.ts'
import { deployedFor } from '../mesh/routing/gateway-api/deployed.ts'
import type { GivenSettings } from '../mesh/snapshot/settings.ts'
import { podsSelected, type Snapshot, type World } from '../mesh/snapshot/snapshot.ts'
import type { Facts, Health, ListQuery, State } from '../mesh/snapshot/state.ts'
import { podsMade, podsOf, podsOwned } from '../mesh/snapshot/workloads.ts'
import type { Write } from '../mesh/snapshot/write.ts'

/** Who is told of what happens in the sandbox. */
export interface SandboxEvents {
  /** A workload's Pods wait to become Ready: a kubelet would start them. */
  readonly started?: (workload: Workload) => void
  /** An admitted write was made. */
  readonly changed?: (before: MeshObject | null, after: MeshObject | null) => void
}

export class Sandbox implements State {
  readonly facts: Facts
  readonly isExact = true
  readonly #world: World
  readonly #events: SandboxEvents
  /** What stands for the deployments of Gateways, by namespace. */
  readonly #deployed = new Map<string, readonly MeshObject[]>()
  #version = 0
  /** The youngest object's creation. */
  #newestMs = 0

  constructor(settings?: GivenSettings, events: SandboxEvents = {}) {
    this.#world = new MeshWorld(settings)
    this.#events = events
    this.facts = {
      read: async <K extends Kind>(ref: ObjectRef & { readonly kind: K }) => this.stored(ref),
      list: async <K extends Kind>(query: ListQuery & { readonly kind: K }) => this.#list(query)
    }
  }

  snapshot(): Snapshot {
    return this.#world
  }

  /** The object of that name, whether or not it is there for the mesh. */
  stored<K extends Kind>(ref: ObjectRef & { readonly kind: K }): ObjectOf<K> | null {
    return this.#world.stored<K>(ref.kind, ref.namespace, ref.name) ?? null
  }

  /** What it admits is made at once. */
  pending(): readonly [] {
    return []
  }

  health(): Health {
    return { fresh: true, ageMs: {}, reasons: [] }
  }

  /** Stores an object as it stands in a running cluster: a workload's Pods are there, Ready as its status says. Loaded later is younger. */
  load(object: MeshObject): void {
    const stored = this.#store(object)
    if (stored.kind === 'Pod') this.#standsFor(stored)
    if (isWorkload(stored) && !this.#podsOf(stored).some(isReal)) this.#haveThePods(stored)
    this.#takeTemplate(stored)
    this.#deployGateways(stored)
  }

  /** One that begins as a snapshot is. */
  static of(snapshot: Snapshot): Sandbox {
    const sandbox = new Sandbox(snapshot.settings)
    sandbox.copy(snapshot)
    return sandbox
  }

  /** Takes over all that another snapshot holds, Pods as they are. */
  copy(snapshot: Snapshot): void {
    for (const kind of KINDS) for (const object of snapshot.all(kind)) this.#store(object)
  }

  unload(ref: ObjectRef): void {
    this.#remove(ref)
    this.#deployGateways(ref)
  }

  /** Applies an admitted write. Pods of a new workload, or of a new template, are not Ready until `ready` says so. */
  admitted({ ref, after }: Write): void {
    const before = this.#world.find(ref.kind, ref.namespace, ref.name) ?? null
    this.#events.changed?.(before, after)
    if (after === null) {
      this.unload(ref)
      return
    }
    const stored = this.#store(after)
    if (isWorkload(stored)) this.#scale(stored, before !== null && isWorkload(before) ? before : null)
    this.#takeTemplate(stored)
    this.#deployGateways(stored)
  }

  /** All replicas of a workload become Ready, with the labels of its template. False where there is no such workload, of any kind where none is named. */
  ready(namespace: string, name: string, kind?: Kind): boolean {
    const found = this.workloads(namespace, name, kind)
    for (const workload of found) this.#haveThePods(allReady(workload))
    const pod = kind === undefined || kind === 'Pod' ? this.#world.find('Pod', namespace, name) : undefined
    if (pod !== undefined) this.#store({ ...pod, ready: true })
    return found.length > 0 || pod !== undefined
  }

  /** The workloads of a name, of any kind where none is named. */
  workloads(namespace: string, name: string, kind?: Kind): Workload[] {
    return WORKLOAD_KINDS.filter((each) => kind === undefined || kind === each).flatMap(
      (each) => this.#world.find(each, namespace, name) ?? []
    )
  }

  /** A rolling update keeps the Pods of the old template until those of the new one are Ready. */
  #scale(workload: Workload, before: Workload | null): void {
    // What owns a ReplicaSet makes its Pods, which leave with it all the same.
    if (workload.kind === 'ReplicaSet' && workload.owned) {
      if (workload.replicas === 0) for (const pod of podsMade(this.#world, workload)) this.#world.delete(pod)
      return
    }
    const made = podsOf(allReady(workload), this.#templateOf(workload))
    const owned = this.#podsOf(workload)
    const kept = owned.slice(0, made.length)
    for (const pod of owned.slice(made.length)) this.#world.delete(pod)
    const missing = made.slice(kept.length)
    for (const pod of missing) this.#store({ ...pod, ready: false })
    const moves = made.length > 0 && before !== null && !sameLabels(before.templateLabels, workload.templateLabels)
    if (missing.length > 0 || moves) this.#events.started?.(workload)
  }

  /** A Pod of a real cluster comes in place of those that its workload stood for. */
  #standsFor(pod: Pod): void {
    if (!isReal(pod)) return
    const [kind, name = ''] = pod.workload.split('/')
    for (const workload of this.workloads(pod.namespace, name)) {
      if (workload.kind !== kind) continue
      for (const other of this.#podsOf(workload)) if (!isReal(other)) this.#world.delete(other)
    }
  }

  /** Its Pods, and no others. */
  #haveThePods(workload: Workload): void {
    this.#dropPods(workload)
    for (const pod of podsOf(workload, this.#templateOf(workload))) this.#store(pod)
  }

  /** That of a Rollout may be another workload's, which need not be there yet. */
  #templateOf(workload: Workload): PodTemplate {
    if (workload.kind !== 'Rollout' || workload.templateOf === null) return workload
    const { kind, name } = workload.templateOf
    const known = WORKLOAD_KINDS.find((each) => each === kind)
    return (known === undefined ? undefined : this.#world.find(known, workload.namespace, name)) ?? workload
  }

  /** The Rollouts that take the template of a workload that is there now. */
  #takeTemplate({ kind, namespace, name }: MeshObject): void {
    for (const rollout of this.#world.all('Rollout')) {
      const { templateOf } = rollout
      if (templateOf?.kind !== kind || templateOf.name !== name || rollout.namespace !== namespace) continue
      const ready = this.#podsOf(rollout).filter((pod) => pod.ready).length
      this.#haveThePods({ ...rollout, status: { replicas: rollout.replicas, readyReplicas: Math.min(ready, rollout.replicas) } })
    }
  }

  /** Istio's controller: the Service and Pods of the Gateways that an object may concern, as far as nobody else has brought them. */
  #deployGateways({ kind, namespace }: ObjectRef): void {
    const isForAll = kind === 'GatewayClass' || kind === 'ListenerSet' || kind === 'Namespace'
    const namespaces = isForAll ? new Set([...this.#world.all('KubernetesGateway')].map((gateway) => gateway.namespace)) : [namespace]
    for (const each of namespaces) {
      for (const object of this.#deployed.get(each) ?? []) {
        if (this.#world.find(object.kind, object.namespace, object.name) === object) this.#world.delete(object)
      }
      const deployed = [...this.#world.lookup('kubernetesGatewayByNamespace', each)].flatMap((gateway) => deployedFor(this.#world, gateway))
      for (const object of deployed) this.#world.set(object)
      if (deployed.length === 0) this.#deployed.delete(each)
      else this.#deployed.set(each, deployed)
    }
  }

  #store<T extends MeshObject>(object: T): T {
    const existing = this.#world.stored(object.kind, object.namespace, object.name)
    // Age decides which of two VirtualServices holds a host (3.3), so what is written now must be younger than all that was loaded.
    const createdMs = existing?.createdMs ?? (object.createdMs || this.#newestMs + 1000)
    this.#newestMs = Math.max(this.#newestMs, createdMs)
    const stored = { ...object, resourceVersion: String(++this.#version), createdMs }
    this.#world.set(stored)
    this.#ensureNamespace(object.namespace)
    return stored
  }

  /** Manifests often leave out the namespaces that they stand in. */
  #ensureNamespace(name: string): void {
    if (name === '' || this.#world.find('Namespace', '', name) !== undefined) return
    this.#world.set(parseAs('Namespace', { metadata: { name } }, this.#world.settings.domain))
  }

  #remove(ref: ObjectRef): void {
    const workload = this.#world.find(ref.kind, ref.namespace, ref.name)
    this.#world.delete(ref)
    const pods = workload !== undefined && isWorkload(workload) ? podsMade(this.#world, workload) : this.#podsOf(ref)
    for (const pod of pods) this.#world.delete(pod)
    if (ref.kind !== 'Namespace') return
    const inside = KINDS.flatMap((kind) => [...this.#world.allStored(kind)]).filter(({ namespace }) => namespace === ref.name)
    for (const object of inside) this.#world.delete(object)
  }

  #podsOf(ref: ObjectRef): Pod[] {
    return podsOwned(this.#world, ref).sort(byNumber)
  }

  #dropPods(ref: ObjectRef): void {
    for (const pod of this.#podsOf(ref)) this.#world.delete(pod)
  }

  #list<K extends Kind>({ kind, namespace, selector }: ListQuery & { readonly kind: K }): ObjectOf<K>[] {
    if (kind === 'Pod' && namespace !== null && selector !== null) return podsSelected(this.#world, namespace, selector) as ObjectOf<K>[]
    return [...this.#world.allStored(kind)].filter(
      (object) => (namespace === null || object.namespace === namespace) && (selector === null || selects(selector, object.labels))
    )
  }
}

/** Names of one workload's Pods differ in how they end: `web.2` comes before `web.10`. A collator of Intl takes 10 ms to make. */
function byNumber({ name: one }: Pod, { name: other }: Pod): number {
  return one.length - other.length || compareText(one, other)
}

function isReal({ uid }: Pod): boolean {
  return uid !== ''
}

function allReady(workload: Workload): Workload {
  const { replicas } = workload
  return { ...workload, status: { replicas, readyReplicas: replicas } }
}
