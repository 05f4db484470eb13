/**
 * The snapshot: all that is known of the cluster at one moment, with the look-ups that the model needs, each at the cost of what it
 * finds and not of what exists. `World` is the mutable store behind it; `overlay` shows a snapshot as it would be after a change.
 */

import {
  INDEX_NAMES,
  type IndexedObject,
  type IndexName,
  indexedKind,
  indexesOf,
  isRouteKind,
  KINDS,
  type Kind,
  keysOf,
  type MeshObject,
  type ObjectOf,
  type ObjectRef,
  refKey,
  withPartsOf
} from '../../kinds/index.ts'
import type { Pod } from '../../kinds/pod.ts'
import { type Labels, labelKeys, selects } from '../names/labels.ts'
import { own } from '../names/own.ts'
import { byAge } from '../names/visibility.ts'
import { type GivenSettings, isDiscovered, isOfMesh, type MeshSettings, meshConfigRef, settled } from './settings.ts'

export interface Snapshot {
  readonly settings: MeshSettings
  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined
  /** The objects that stand under `key` in an index, in no particular order. */
  lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>>
  /** How many objects stand under `key`, at most: a bound for choosing the smallest of several. */
  countAtMost(index: IndexName, key: string): number
  /** Whether a look-up would find anything. */
  has(index: IndexName, key: string): boolean
  /** The objects of a kind that the cluster holds: not those that Istio makes of the Gateway API's. */
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

/** Told of what stands under a name, null for nothing, when that is about to change. */
export type Follower = (ref: ObjectRef, object: MeshObject | null) => void

/** The most label keys that index the Pods of all namespaces: anybody may write more of them into selectors. */
const MOST_POD_LABELS = 256

/** The index of which a look-up gives a list by age: as many as there may be of one host are not put in order for each who asks. The list stays as it is; when objects come or go there is another. */
const BY_AGE: IndexName = 'virtualServiceByHost'

/** What stands under one key of an index. */
interface Found {
  readonly size: number
  add(object: MeshObject): unknown
  delete(object: MeshObject): boolean
}

class InOrder implements Found {
  #objects: MeshObject[]
  /** Somebody has the list, and it must not change. */
  #isGiven = false

  constructor(objects: MeshObject[]) {
    this.#objects = objects
  }

  get size(): number {
    return this.#objects.length
  }

  list(): readonly MeshObject[] {
    this.#isGiven = true
    return this.#objects
  }

  add(object: MeshObject): void {
    this.#own().splice(placeByAge(this.#objects, object), 0, object)
  }

  delete(object: MeshObject): boolean {
    const place = placeByAge(this.#objects, object)
    if (this.#objects[place] !== object) return false
    this.#own().splice(place, 1)
    return true
  }

  #own(): MeshObject[] {
    if (this.#isGiven) this.#objects = [...this.#objects]
    this.#isGiven = false
    return this.#objects
  }
}

/** The place of the first that is not older. */
function placeByAge(objects: readonly MeshObject[], object: MeshObject): number {
  let [from, to] = [0, objects.length]
  while (from < to) {
    const middle = (from + to) >> 1
    const other = objects[middle]
    if (other !== undefined && byAge(other, object) < 0) from = middle + 1
    else to = middle
  }
  return from
}

/** The mutable store: objects come and go one at a time, and every index follows. */
export class World implements Snapshot {
  readonly #given: GivenSettings
  readonly #meshConfig: ObjectRef
  #settings: MeshSettings
  readonly #objects = new Map<Kind, Map<string, MeshObject>>(KINDS.map((kind) => [kind, new Map()]))
  readonly #indexes = new Map<IndexName, Map<string, Found>>(INDEX_NAMES.map((name) => [name, new Map()]))
  readonly #podsByLabelValue = new Map<string, Map<string, Set<Pod>>>()
  /** What is stored and not there for this mesh, by `refKey`. */
  readonly #unseen = new Map<string, MeshObject>()
  readonly #unknown: Set<Kind>
  readonly #followers = new Set<Follower>()

  /** `unknown`: kinds whose objects are not known yet; `learn` takes a kind off that list. */
  constructor(given: GivenSettings = {}, unknown: Iterable<Kind> = []) {
    this.#given = given
    this.#settings = settled(given, undefined)
    this.#meshConfig = meshConfigRef(this.#settings)
    this.#unknown = new Set(unknown)
  }

  get settings(): MeshSettings {
    return this.#settings
  }

  /** Stores an object in place of the one with its kind, namespace and name: of a route object with the parts that stay as they were, so that what is known of them is known still. */
  set(object: MeshObject): void {
    const old = this.#take(object)
    this.#put(old === undefined || !isRouteKind(object.kind) ? object : withPartsOf(object, old))
    this.#follow(object)
  }

  /** Forgets an object; nothing happens where there is none. */
  delete(ref: ObjectRef): void {
    this.#take(ref)
    this.#follow(ref)
  }

  /** Tells of changes from now on, until the function that it gives is called. */
  follow(follower: Follower): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  protected get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  #put(object: MeshObject): void {
    if (!isOfMesh(object, this)) {
      this.#unseen.set(refKey(object), object)
      return
    }
    for (const follower of this.#followers) follower(object, null)
    this.#kind(object.kind).set(nameOf(object), object)
    if (object.kind === 'Pod') for (const [label, byValue] of this.#podsByLabelValue) this.#indexPod(object, label, byValue)
    this.#reindex(object, (keys, key, name) => {
      const found = keys.get(key)
      if (found === undefined) keys.set(key, name === BY_AGE ? new InOrder([object]) : new Set([object]))
      else found.add(object)
    })
  }

  #take(ref: ObjectRef): MeshObject | undefined {
    if (this.#unseen.size > 0) this.#unseen.delete(refKey(ref))
    const objects = this.#kind(ref.kind)
    const stored = objects.get(nameOf(ref))
    if (stored === undefined) return undefined
    for (const follower of this.#followers) follower(stored, stored)
    objects.delete(nameOf(ref))
    if (stored.kind === 'Pod') for (const [label, byValue] of this.#podsByLabelValue) forgetPod(stored, label, byValue)
    this.#reindex(stored, (keys, key) => {
      const found = keys.get(key)
      found?.delete(stored)
      if (found?.size === 0) keys.delete(key)
    })
    return stored
  }

  /** What of the mesh is settled by an object, and what is there by that. */
  #follow({ kind, namespace, name }: ObjectRef): void {
    if (kind === 'Namespace' && this.#settings.discoverySelectors !== undefined) this.#reassess(name)
    if (refKey({ kind, namespace, name }) !== refKey(this.#meshConfig)) return
    const { discoverySelectors } = this.#settings
    this.#settings = settled(this.#given, this.find('MeshConfig', namespace, name))
    if (JSON.stringify(discoverySelectors) !== JSON.stringify(this.#settings.discoverySelectors)) this.#reassess(null)
  }

  /** Of one namespace, or of all. */
  #reassess(namespace: string | null): void {
    const isThere = (object: MeshObject) => namespace === null || object.namespace === namespace
    const come = [...this.#unseen.values()].filter((object) => isThere(object) && isOfMesh(object, this))
    const isLooked = namespace !== null && isDiscovered({ namespace }, this)
    const gone = isLooked ? [] : KINDS.flatMap((kind) => [...this.all(kind)].filter((object) => isThere(object) && !isOfMesh(object, this)))
    for (const object of [...come, ...gone]) {
      this.#take(object)
      this.#put(object)
    }
  }

  /** What is stored under a name, whether or not it is there for this mesh. */
  stored<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    return this.find(kind, namespace, name) ?? (this.#unseen.get(refKey({ kind, namespace, name })) as ObjectOf<K> | undefined)
  }

  *allStored<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    yield* this.all(kind)
    for (const object of this.#unseen.values()) if (object.kind === kind) yield object as ObjectOf<K>
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
    const objects = this.#kind(kind).values() as Iterable<ObjectOf<K>>
    return MADE_KINDS.has(kind) ? notMade(objects) : objects
  }

  lookup<I extends IndexName>(name: I, key: string): Iterable<IndexedObject<I>> {
    const found = this.#indexes.get(name)?.get(key) ?? []
    return (found instanceof InOrder ? found.list() : found) as Iterable<IndexedObject<I>>
  }

  countAtMost(name: IndexName, key: string): number {
    return this.#indexes.get(name)?.get(key)?.size ?? 0
  }

  has(name: IndexName, key: string): boolean {
    return this.countAtMost(name, key) > 0
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
    const [oldest] = this.#podsByLabelValue.keys()
    if (oldest !== undefined && this.#podsByLabelValue.size >= MOST_POD_LABELS) this.#podsByLabelValue.delete(oldest)
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

  #reindex(object: MeshObject, visit: (keys: Map<string, Found>, key: string, name: IndexName) => void): void {
    for (const name of indexesOf(object.kind)) {
      const keys = this.#indexes.get(name)
      if (keys === undefined) continue
      for (const key of new Set(keysOf(name, object))) visit(keys, key, name)
    }
  }
}

/** `base` as it is after `difference`; `base` is not touched. What is added and not there for the mesh only hides what stood there. */
export function overlay(base: Snapshot, { removed = [], added = [] }: Difference): Snapshot {
  if (removed.length === 0 && added.length === 0) return base
  const [seen, unseen] = [true, false].map((is) => added.filter((object) => isOfMesh(object, base) === is))
  return new Overlay(base, [...removed, ...(unseen ?? [])], seen ?? [])
}

/** The kinds of which objects differ where `after` was made of `before` by overlays; null where it was not. */
export function kindsBetween(before: Snapshot, after: Snapshot): ReadonlySet<Kind> | null {
  const kinds = new Set<Kind>()
  for (let layer = after; layer !== before; layer = layer.base) {
    if (!(layer instanceof Overlay)) return null
    for (const kind of layer.kinds) kinds.add(kind)
  }
  return kinds
}

class Overlay implements Snapshot {
  readonly settings: MeshSettings
  readonly base: Snapshot
  /** Objects of the base that no longer show: what was removed, and the old state of what was updated. */
  readonly #hidden: Set<string>
  readonly #hiddenNames: Set<string>
  readonly #added: ReadonlyMap<string, MeshObject>
  /** A write is of one kind, or two: look-ups of all others go straight to the base. */
  readonly kinds: ReadonlySet<Kind>
  /** The keys of the added objects, found out once: an index is asked for many keys, and few objects are added. */
  readonly #keys = new Map<IndexName, ReadonlyMap<string, readonly MeshObject[]>>()

  constructor(base: Snapshot, removed: readonly ObjectRef[], added: readonly MeshObject[]) {
    this.settings = base.settings
    this.base = base
    this.#hidden = new Set([...removed, ...added].map(refKey))
    this.#hiddenNames = new Set([...removed, ...added].map(({ name }) => name))
    this.#added = new Map(added.map((object) => [refKey(object), object]))
    this.kinds = new Set([...removed, ...added].map(({ kind }) => kind))
  }

  knows(kind: Kind): boolean {
    return this.base.knows(kind)
  }

  charge(steps: number, cause?: MeshObject): void {
    this.base.charge(steps, cause)
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    if (!this.kinds.has(kind)) return this.base.find(kind, namespace, name)
    const key = refKey({ kind, namespace, name })
    if (this.#hidden.has(key)) return this.#added.get(key) as ObjectOf<K> | undefined
    return this.base.find(kind, namespace, name)
  }

  *all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    if (!this.kinds.has(kind)) return yield* this.base.all(kind)
    for (const object of this.base.all(kind)) if (!this.#hides(object)) yield object
    for (const object of this.#added.values()) if (object.kind === kind && !isMade(object)) yield object as ObjectOf<K>
  }

  lookup<I extends IndexName>(name: I, key: string): Iterable<IndexedObject<I>> {
    if (!this.kinds.has(indexedKind(name))) return this.base.lookup(name, key)
    const below = this.base.lookup(name, key)
    const added = this.#addedBy(name).get(key) ?? []
    const found: IndexedObject<I>[] = []
    for (const object of below) if (!this.#hides(object)) found.push(object)
    if (Array.isArray(below) && added.length === 0 && found.length === below.length) return below
    for (const object of added) found.splice(name === BY_AGE ? placeByAge(found, object) : found.length, 0, object as IndexedObject<I>)
    return found
  }

  /** Few objects share a name with one that is hidden: of all others no text is made. */
  #hides(object: MeshObject): boolean {
    return this.#hiddenNames.has(object.name) && this.#hidden.has(refKey(object))
  }

  #addedBy(name: IndexName): ReadonlyMap<string, readonly MeshObject[]> {
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const byKey = new Map<string, MeshObject[]>()
    for (const object of this.#added.values()) {
      if (object.kind !== indexedKind(name)) continue
      for (const key of new Set(keysOf(name, object))) {
        const found = byKey.get(key)
        if (found === undefined) byKey.set(key, [object])
        else found.push(object)
      }
    }
    this.#keys.set(name, byKey)
    return byKey
  }

  countAtMost(name: IndexName, key: string): number {
    const added = this.kinds.has(indexedKind(name)) ? (this.#addedBy(name).get(key)?.length ?? 0) : 0
    return this.base.countAtMost(name, key) + added
  }

  has(name: IndexName, key: string): boolean {
    return this.kinds.has(indexedKind(name)) ? !isEmpty(this.lookup(name, key)) : this.base.has(name, key)
  }

  *podsAnywhere(selector: Labels): Iterable<Pod> {
    if (Object.keys(selector).length === 0) return
    if (!this.kinds.has('Pod')) return yield* this.base.podsAnywhere(selector)
    for (const pod of this.base.podsAnywhere(selector)) if (!this.#hides(pod)) yield pod
    for (const object of this.#added.values()) if (object.kind === 'Pod' && selects(selector, object.labels)) yield object
  }
}

function* notMade<T extends MeshObject>(objects: Iterable<T>): Iterable<T> {
  for (const object of objects) if (!isMade(object)) yield object
}

const MADE_KINDS: ReadonlySet<Kind> = new Set(['VirtualService', 'Gateway'])

/** It is no object of the cluster: Istio makes it of those of the Gateway API. */
export function isMade(object: MeshObject): boolean {
  return (object.kind === 'VirtualService' && object.madeFor !== null) || (object.kind === 'Gateway' && object.madeOf !== null)
}

/** Labels compared in one step of work. */
const LABELS_A_STEP = 8

/** The Pods of a namespace that a selector takes, by the rarest of its pairs. An empty selector takes none here: Kubernetes' Services say so. */
export function podsSelected(snapshot: Snapshot, namespace: string, selector: Labels): Pod[] {
  let rarest: string | null = null
  let fewest = Infinity
  for (const key of labelKeys(namespace, selector)) {
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

export function isEmpty(objects: Iterable<unknown>): boolean {
  for (const _ of objects) return false
  return true
}

/** Values come and go with the Pods: each hash of a template is one. */
function forgetPod(pod: Pod, label: string, byValue: Map<string, Set<Pod>>): void {
  const value = own(pod.labels, label) ?? ''
  const pods = byValue.get(value)
  pods?.delete(pod)
  if (pods?.size === 0) byValue.delete(value)
}

function nameOf({ namespace, name }: ObjectRef): string {
  return `${namespace}/${name}`
}
