/** A bound on work: what strangers write may be as large as the API server takes, and comparing its parts with each other costs more than that. */
import type { IndexedObject, IndexName, Kind, MeshObject, ObjectOf } from '../../kinds/index.ts'
import type { Pod } from '../../kinds/pod.ts'
import type { Labels } from '../names/labels.ts'
import type { MeshSettings } from './settings.ts'
import type { Snapshot } from './snapshot.ts'

/** More steps were asked for than were granted. */
export class TooMuchWork extends Error {
  /** Which objects the work was for, where that was told: the steps of each. */
  readonly causes: ReadonlyMap<MeshObject, number>

  constructor(granted: number, causes: ReadonlyMap<MeshObject, number>) {
    super(`more than ${granted} steps of work`)
    this.name = 'TooMuchWork'
    this.causes = causes
  }
}

/** Counts down from what was granted; throws `TooMuchWork` below 0, and again at every charge from then on. */
export class Meter {
  #granted: number
  #left: number
  #spent = 0
  #causes = new Map<MeshObject, number>()

  constructor(granted: number) {
    this.#granted = granted
    this.#left = granted
  }

  /** `cause` is the object that the work is for. */
  charge(steps: number, cause?: MeshObject): void {
    this.#left -= steps
    this.#spent += steps
    if (cause !== undefined) this.#causes.set(cause, (this.#causes.get(cause) ?? 0) + steps)
    if (this.#left < 0) throw new TooMuchWork(this.#granted, this.#causes)
  }

  /** All steps that were charged, whatever was granted anew. */
  get spent(): number {
    return this.#spent
  }

  /** Steps that were charged since they were granted. */
  get used(): number {
    return this.#granted - this.#left
  }

  /** Grants so much for the next piece of work, whatever is left. */
  renew(granted = this.#granted): void {
    this.#granted = granted
    this.#left = granted
    if (this.#causes.size > 0) this.#causes = new Map()
  }
}

/** `base`, of which every look-up costs a step and one for each object found, and whose readers' own work is charged to the meter; what `base` charges itself comes on top. */
export function metered(base: Snapshot, meter: Meter): Snapshot {
  return new Metered(base, meter)
}

/** The index behind it may have to be made, by a walk over all Pods. */
const PODS_ANYWHERE = 500

class Metered implements Snapshot {
  readonly settings: MeshSettings
  readonly #base: Snapshot
  readonly #meter: Meter

  constructor(base: Snapshot, meter: Meter) {
    this.settings = base.settings
    this.#base = base
    this.#meter = meter
  }

  knows(kind: Kind): boolean {
    return this.#base.knows(kind)
  }

  charge(steps: number, cause?: MeshObject): void {
    this.#meter.charge(steps, cause)
    this.#base.charge(steps, cause)
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    this.#meter.charge(1)
    return this.#base.find(kind, namespace, name)
  }

  lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>> {
    const found = this.#base.lookup(index, key)
    const count = Array.isArray(found) ? found.length : found instanceof Set ? found.size : this.#base.countAtMost(index, key)
    this.#meter.charge(1 + count)
    return found
  }

  countAtMost(index: IndexName, key: string): number {
    return this.#base.countAtMost(index, key)
  }

  has(index: IndexName, key: string): boolean {
    this.#meter.charge(1)
    return this.#base.has(index, key)
  }

  all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#walked(this.#base.all(kind))
  }

  podsAnywhere(selector: Labels): Iterable<Pod> {
    this.#meter.charge(PODS_ANYWHERE)
    return this.#walked(this.#base.podsAnywhere(selector))
  }

  /** A walk costs a step for each object. */
  *#walked<T>(objects: Iterable<T>): Iterable<T> {
    for (const object of objects) {
      this.#meter.charge(1)
      yield object
    }
  }
}
