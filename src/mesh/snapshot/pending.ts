/**
 * Writes that were admitted, and of which nobody knows yet whether they will be made: the API server asks all webhooks at once, so another
 * one may refuse them, or a quota, or the client has gone. They are supposed made, or not, and never believed.
 */
import {
  type IndexedObject,
  type IndexName,
  indexedKind,
  type Kind,
  type MeshObject,
  type ObjectOf,
  type ObjectRef,
  refKey
} from '../../kinds/index.ts'
import type { Pod } from '../../kinds/pod.ts'
import type { Labels } from '../names/labels.ts'
import { isLater } from './resource-version.ts'
import { isOfMesh } from './settings.ts'
import { isEmpty, type Snapshot, World } from './snapshot.ts'
import type { Write } from './write.ts'

export interface PendingWrite extends Write {
  /** The state that the write replaces; it says nothing of whether the write was made. */
  readonly replaced: { readonly uid: string; readonly resourceVersion: string } | null
}

/**
 * Whether the object as the server holds it shows that nothing more will come of the write: it was made, or another one in its place.
 * The API server stores a write only on the very state that its webhooks were shown.
 */
export function isOver({ before, after, replaced }: PendingWrite, found: MeshObject | null): boolean {
  if (found === null) return after === null || before !== null
  if (replaced === null || found.uid !== replaced.uid) return true
  return isLater(found.resourceVersion, replaced.resourceVersion) ?? found.resourceVersion !== replaced.resourceVersion
}

/** What else comes of a write: which other objects it takes away and brings. */
export type Consequences = (
  write: Write,
  base: Snapshot
) => { readonly removed: readonly MeshObject[]; readonly added: readonly MeshObject[] }

/** What one write makes of one object; null for nothing. */
interface Effect {
  readonly write: PendingWrite
  readonly object: MeshObject | null
}

/** A snapshot with some of the pending writes supposed made; whoever reads it leans on those whose effect, made or not, it comes across. */
export class Suppositions {
  readonly #base: Snapshot
  readonly #effects = new Map<string, Effect[]>()
  /** Every object that a write would bring; of several of one name, each in a World of its own. */
  readonly #brought: World[] = []
  readonly #writeOf = new Map<MeshObject, PendingWrite>()
  readonly #kinds = new Set<Kind>()

  constructor(base: Snapshot, pending: readonly PendingWrite[], consequencesOf: Consequences) {
    this.#base = base
    for (const write of pending) {
      const { removed, added } = consequencesOf(write, base)
      this.#add(write, write.ref, write.after)
      for (const object of removed) this.#add(write, object, null)
      for (const object of added) this.#add(write, object, object)
    }
  }

  /** `leans` is told of a write whenever the reader comes across what it changes. */
  with(made: ReadonlySet<PendingWrite>, leans: (write: PendingWrite) => void): Snapshot {
    return new Supposed({
      base: this.#base,
      effects: this.#effects,
      brought: this.#brought,
      writeOf: this.#writeOf,
      kinds: this.#kinds,
      made,
      leans
    })
  }

  #add(write: PendingWrite, { kind, namespace, name }: ObjectRef, brought: MeshObject | null): void {
    const object = brought !== null && isOfMesh(brought, this.#base) ? brought : null
    const key = refKey({ kind, namespace, name })
    const effects = this.#effects.get(key)
    if (effects === undefined) this.#effects.set(key, [{ write, object }])
    else effects.push({ write, object })
    this.#kinds.add(kind)
    if (object === null) return
    this.#writeOf.set(object, write)
    this.#worldWithout({ kind, namespace, name }).set(object)
  }

  #worldWithout({ kind, namespace, name }: ObjectRef): World {
    const free = this.#brought.find((world) => world.find(kind, namespace, name) === undefined)
    if (free !== undefined) return free
    const world = new World(this.#base.settings)
    this.#brought.push(world)
    return world
  }
}

interface SupposedOptions {
  readonly base: Snapshot
  readonly effects: ReadonlyMap<string, readonly Effect[]>
  readonly brought: readonly World[]
  readonly writeOf: ReadonlyMap<MeshObject, PendingWrite>
  readonly kinds: ReadonlySet<Kind>
  readonly made: ReadonlySet<PendingWrite>
  readonly leans: (write: PendingWrite) => void
}

class Supposed implements Snapshot {
  readonly settings: Snapshot['settings']
  readonly #options: SupposedOptions

  constructor(options: SupposedOptions) {
    this.settings = options.base.settings
    this.#options = options
  }

  knows(kind: Kind): boolean {
    return this.#options.base.knows(kind)
  }

  charge(steps: number, cause?: MeshObject): void {
    this.#options.base.charge(steps, cause)
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    const { base, kinds } = this.#options
    const effect = kinds.has(kind) ? this.#effectOn({ kind, namespace, name }) : null
    return effect === null ? base.find(kind, namespace, name) : ((effect.object ?? undefined) as ObjectOf<K> | undefined)
  }

  lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>> {
    const { base, brought, kinds } = this.#options
    if (!kinds.has(indexedKind(index))) return base.lookup(index, key)
    return [...this.#left(base.lookup(index, key)), ...brought.flatMap((world) => [...this.#made(world.lookup(index, key))])]
  }

  countAtMost(index: IndexName, key: string): number {
    const { base, brought } = this.#options
    return brought.reduce((count, world) => count + world.countAtMost(index, key), base.countAtMost(index, key))
  }

  has(index: IndexName, key: string): boolean {
    const { base, kinds } = this.#options
    return kinds.has(indexedKind(index)) ? !isEmpty(this.lookup(index, key)) : base.has(index, key)
  }

  *all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    const { base, brought, kinds } = this.#options
    if (!kinds.has(kind)) return yield* base.all(kind)
    yield* this.#left(base.all(kind))
    for (const world of brought) yield* this.#made(world.all(kind))
  }

  *podsAnywhere(selector: Labels): Iterable<Pod> {
    const { base, brought, kinds } = this.#options
    if (!kinds.has('Pod')) return yield* base.podsAnywhere(selector)
    yield* this.#left(base.podsAnywhere(selector))
    for (const world of brought) yield* this.#made(world.podsAnywhere(selector))
  }

  /** Of what the base shows, what no write that is supposed made has changed. */
  *#left<T extends MeshObject>(objects: Iterable<T>): Iterable<T> {
    for (const object of objects) if (this.#effectOn(object) === null) yield object
  }

  /** Of what writes would bring, what those bring that are supposed made. */
  *#made<T extends MeshObject>(objects: Iterable<T>): Iterable<T> {
    const { made, leans, writeOf } = this.#options
    for (const object of objects) {
      const write = writeOf.get(object)
      if (write === undefined) continue
      leans(write)
      if (made.has(write)) yield object
    }
  }

  #effectOn(ref: ObjectRef): Effect | null {
    const { effects, made, leans } = this.#options
    let shown: Effect | null = null
    for (const effect of effects.get(refKey(ref)) ?? []) {
      leans(effect.write)
      if (made.has(effect.write)) shown = effect
    }
    return shown
  }
}
