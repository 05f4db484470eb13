/** One kind of the cluster, kept in the World: what the stream tells, in its order, with only what the model reads. */
import { InvalidField, isRecord } from '../kinds/fields.ts'
import { type Kind, kindModule, type MeshObject, parseAs } from '../kinds/index.ts'
import { isLater } from '../mesh/snapshot/resource-version.ts'
import type { World } from '../mesh/snapshot/snapshot.ts'
import type { Interned } from './intern.ts'
import type { Observe } from './observe.ts'

/** What every object of the API says about itself. */
export interface Metadata {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
}

interface Collected {
  /** Objects of the World that are in the new state as they are; most are, and are told from others without their names. */
  readonly same: Set<MeshObject>
  /** All others of the new state, by name. */
  readonly other: Map<string, MeshObject>
}

/** Thrown where something is no object of the API: the stream cannot be trusted then. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}

export class Mirror {
  readonly kind: Kind
  readonly #world: World
  readonly #interned: Interned
  readonly #observe: Observe
  /** Objects that the server has and the model cannot read, by name: they stand for no drift. */
  readonly #unreadable = new Set<string>()
  /** The new state while it is being listed: the old one shows until it is whole. */
  #collected: Collected | null = null
  #size = 0

  constructor(kind: Kind, world: World, interned: Interned, observe: Observe) {
    this.kind = kind
    this.#world = world
    this.#interned = interned
    this.#observe = observe
  }

  get size(): number {
    return this.#size
  }

  /** From now on `upsert` and `remove` tell of a whole new state, which `commit` puts in place of the old one. */
  collect(): void {
    this.#collected = { same: new Set(), other: new Map() }
    this.#unreadable.clear()
  }

  upsert(raw: unknown, metadata: Metadata = readMetadata(raw)): void {
    const stored = this.#world.stored(this.kind, metadata.namespace, metadata.name)
    const object = isSame(stored, metadata) ? stored : this.#parse(raw)
    if (object === null) {
      this.skip(metadata, 'unreadable')
      return
    }
    this.#unreadable.delete(nameOf(metadata))
    if (this.#collected !== null) {
      this.#collect(this.#collected, object, stored)
      return
    }
    if (object === stored || (stored !== undefined && this.#isLate(stored, metadata))) return
    this.#put(object)
  }

  /** The object is there, and nothing else is known of it: what it was before says nothing of what it is. */
  skip(metadata: Metadata, why: 'unreadable' | 'too-long'): void {
    const stored = this.#world.stored(this.kind, metadata.namespace, metadata.name)
    if (this.#collected === null && stored !== undefined && this.#isLate(stored, metadata)) return
    this.#unreadable.add(nameOf(metadata))
    this.#observe({ type: 'skipped', kind: this.kind, why })
    if (!kindModule(this.kind).keepsReadable) this.#drop(metadata)
    else if (stored !== undefined) this.#collected?.same.add(stored)
  }

  remove(metadata: Metadata): void {
    this.#unreadable.delete(nameOf(metadata))
    const stored = this.#world.stored(this.kind, metadata.namespace, metadata.name)
    if (this.#collected === null && stored !== undefined && this.#isLate(stored, metadata)) return
    this.#drop(metadata)
  }

  /** What was collected is all there is: the World becomes that, in one turn, by as few changes as it takes. */
  commit(): void {
    const { same, other } = this.#collected ?? { same: new Set(), other: new Map<string, MeshObject>() }
    this.#collected = null
    // Where all that is stored is in the new state, as after a first list, there is nothing to look for.
    const isKept = (stored: MeshObject) => same.has(stored) || other.has(nameOf(stored))
    if (same.size < this.#size) for (const stored of this.#world.allStored(this.kind)) if (!isKept(stored)) this.#delete(stored)
    for (const object of other.values()) this.#put(object)
    this.#world.learn(this.kind)
  }

  /** The cluster does not serve this kind: nothing of it is there, and nothing is known of it. */
  vanish(): void {
    this.#collected = null
    this.#world.forget(this.kind)
    for (const stored of this.#world.allStored(this.kind)) this.#delete(stored)
  }

  /** Whether the World shows this state of an object, or a later one. */
  shows({ namespace, name, uid, resourceVersion }: Metadata): boolean {
    if (this.#unreadable.has(nameOf({ namespace, name }))) return true
    const stored = this.#world.stored(this.kind, namespace, name)
    if (stored === undefined) return false
    return (stored.uid === uid && stored.resourceVersion === resourceVersion) || isLater(stored.resourceVersion, resourceVersion) === true
  }

  all(): Iterable<MeshObject> {
    return this.#world.allStored(this.kind)
  }

  find(namespace: string, name: string): MeshObject | undefined {
    return this.#world.stored(this.kind, namespace, name)
  }

  #parse(raw: unknown): MeshObject | null {
    try {
      return shared(parseAs(this.kind, raw, this.#world.settings.domain), this.#interned)
    } catch (error) {
      if (error instanceof InvalidField) return null
      throw error
    }
  }

  /** A later state is stored than this one: a server behind another one told it. */
  #isLate(stored: MeshObject, { resourceVersion }: Metadata): boolean {
    const late = isLater(stored.resourceVersion, resourceVersion) === true
    if (late) this.#observe({ type: 'skipped', kind: this.kind, why: 'out-of-order' })
    return late
  }

  #collect({ same, other }: Collected, object: MeshObject, stored: MeshObject | undefined): void {
    if (stored !== undefined) same.delete(stored)
    other.delete(nameOf(object))
    if (object === stored) same.add(object)
    else if (this.#world.knows(this.kind)) other.set(nameOf(object), object)
    else {
      // Nobody relies on a kind before it is known, so that its first state need not be put in place in one long step.
      this.#put(object)
      same.add(object)
    }
  }

  #drop(metadata: Metadata): void {
    const stored = this.#world.stored(this.kind, metadata.namespace, metadata.name)
    this.#collected?.other.delete(nameOf(metadata))
    if (stored === undefined) return
    this.#collected?.same.delete(stored)
    if (this.#collected === null || !this.#world.knows(this.kind)) this.#delete(stored)
  }

  #put(object: MeshObject): void {
    const before = this.#world.stored(this.kind, object.namespace, object.name) ?? null
    this.#world.set(object)
    if (before === null) this.#size += 1
    this.#observe({ type: 'changed', before, after: object })
  }

  #delete(stored: MeshObject): void {
    this.#world.delete(stored)
    this.#size -= 1
    this.#observe({ type: 'changed', before: stored, after: null })
  }
}

export function readMetadata(raw: unknown): Metadata {
  const { namespace = '', name, uid, resourceVersion } = isRecord(raw) && isRecord(raw['metadata']) ? raw['metadata'] : {}
  if (typeof name !== 'string' || typeof namespace !== 'string' || typeof uid !== 'string' || typeof resourceVersion !== 'string') {
    throw new Malformed('an object without a name, uid or resourceVersion')
  }
  return { namespace, name, uid, resourceVersion }
}

function isSame(stored: MeshObject | undefined, { uid, resourceVersion }: Metadata): stored is MeshObject {
  return stored !== undefined && stored.uid === uid && stored.resourceVersion === resourceVersion
}

/** The same object with the values that many have in common held once: of 100,000 Pods few labels, nodes or namespaces differ. */
function shared(object: MeshObject, interned: Interned): MeshObject {
  const common = {
    namespace: interned.share(object.namespace),
    labels: interned.share(object.labels),
    annotations: interned.share(object.annotations)
  }
  if (object.kind !== 'Pod') return { ...object, ...common }
  return {
    ...object,
    ...common,
    node: interned.share(object.node),
    portNames: interned.share(object.portNames)
  }
}

function nameOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`
}
