/** The embedded cluster: a world from manifests that admitted writes change, with Pods for its Deployments. */

import type { Deployment } from '../kinds/deployment.ts'
import { KINDS, type Kind, type MeshObject, type ObjectOf, type ObjectRef, parseAs } from '../kinds/index.ts'
import type { Pod } from '../kinds/pod.ts'
import { sameLabels, selects } from '../mesh/names/labels.ts'
import { type MeshSettings, podsSelected, type Snapshot, World } from '../mesh/snapshot/snapshot.ts'
import type { Facts, Health, ListQuery, State } from '../mesh/snapshot/state.ts'
import { podsOf } from '../mesh/snapshot/workloads.ts'
import type { Write } from '../mesh/snapshot/write.ts'

/** Who is told of what happens in the sandbox. */
export interface SandboxEvents {
  /** A Deployment's Pods wait to become Ready: a kubelet would start them. */
  readonly started?: (deployment: Deployment) => void
  /** An admitted write was made. */
  readonly changed?: (before: MeshObject | null, after: MeshObject | null) => void
}

export class Sandbox implements State {
  readonly facts: Facts
  readonly #world: World
  readonly #events: SandboxEvents
  #version = 0
  /** The youngest object's creation. */
  #newestMs = 0

  constructor(settings?: MeshSettings, events: SandboxEvents = {}) {
    this.#world = new World(settings)
    this.#events = events
    this.facts = {
      read: async <K extends Kind>(ref: ObjectRef & { readonly kind: K }) => this.#world.find<K>(ref.kind, ref.namespace, ref.name) ?? null,
      list: async <K extends Kind>(query: ListQuery & { readonly kind: K }) => this.#list(query)
    }
  }

  snapshot(): Snapshot {
    return this.#world
  }

  /** What it admits is made at once. */
  pending(): readonly [] {
    return []
  }

  health(): Health {
    return { fresh: true, ageMs: {}, reasons: [] }
  }

  /** Stores an object as it stands in a running cluster: a Deployment's Pods are there, Ready as its status says. Loaded later is younger. */
  load(object: MeshObject): void {
    const stored = this.#store(object)
    if (stored.kind !== 'Deployment') return
    this.#dropPods(stored)
    for (const pod of podsOf(stored)) this.#store(pod)
  }

  /** Takes over all that another snapshot holds, Pods as they are. */
  copy(snapshot: Snapshot): void {
    for (const kind of KINDS) for (const object of snapshot.all(kind)) this.#store(object)
  }

  unload(ref: ObjectRef): void {
    this.#remove(ref)
  }

  /** Applies an admitted write. Pods of a new Deployment, or of a new template, are not Ready until `ready` says so. */
  admitted({ ref, after }: Write): void {
    const before = this.#world.find(ref.kind, ref.namespace, ref.name) ?? null
    this.#events.changed?.(before, after)
    if (after === null) {
      this.#remove(ref)
      return
    }
    const stored = this.#store(after)
    if (stored.kind === 'Deployment') this.#scale(stored, before?.kind === 'Deployment' ? before : null)
  }

  /** All replicas of a Deployment become Ready, with the labels of its template. False where there is no such Deployment. */
  ready(namespace: string, name: string): boolean {
    const deployment = this.#world.find('Deployment', namespace, name)
    if (deployment === undefined) return false
    this.#dropPods(deployment)
    for (const pod of podsOf(allReady(deployment))) this.#store(pod)
    return true
  }

  /** A rolling update keeps the Pods of the old template until those of the new one are Ready. */
  #scale(deployment: Deployment, before: Deployment | null): void {
    const owned = this.#podsOf(deployment)
    if (deployment.replicas === 0) {
      this.#dropPods(deployment)
      return
    }
    const kept = owned.slice(0, deployment.replicas)
    for (const pod of owned.slice(deployment.replicas)) this.#world.delete(pod)
    const missing = podsOf(allReady(deployment)).slice(kept.length)
    for (const pod of missing) this.#store({ ...pod, ready: false })
    const moves = before !== null && !sameLabels(before.templateLabels, deployment.templateLabels)
    if (missing.length > 0 || moves) this.#events.started?.(deployment)
  }

  #store<T extends MeshObject>(object: T): T {
    const existing = this.#world.find(object.kind, object.namespace, object.name)
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
    this.#world.delete(ref)
    if (ref.kind === 'Deployment') this.#dropPods(ref)
    if (ref.kind !== 'Namespace') return
    const inside = KINDS.flatMap((kind) => [...this.#world.all(kind)]).filter(({ namespace }) => namespace === ref.name)
    for (const object of inside) this.#world.delete(object)
  }

  #podsOf({ namespace, name }: ObjectRef | Deployment): Pod[] {
    const pods = [...this.#world.lookup('podByDeployment', `${namespace}/${name}`)]
    return pods.sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }))
  }

  #dropPods(ref: ObjectRef | Deployment): void {
    for (const pod of this.#podsOf(ref)) this.#world.delete(pod)
  }

  #list<K extends Kind>({ kind, namespace, selector }: ListQuery & { readonly kind: K }): ObjectOf<K>[] {
    if (kind === 'Pod' && namespace !== null && selector !== null) return podsSelected(this.#world, namespace, selector) as ObjectOf<K>[]
    return [...this.#world.all(kind)].filter(
      (object) => (namespace === null || object.namespace === namespace) && (selector === null || selects(selector, object.labels))
    )
  }
}

function allReady(deployment: Deployment): Deployment {
  const { replicas } = deployment
  return { ...deployment, status: { replicas, readyReplicas: replicas } }
}
