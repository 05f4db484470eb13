/** A World as it was at one moment, for a reader that takes several turns of the event loop while the World goes on. */
import {
  type IndexedObject,
  type IndexName,
  indexedKind,
  indexesOf,
  isSame,
  KINDS,
  type Kind,
  keysOf,
  type MeshObject,
  type ObjectOf,
  type ObjectRef,
  refKey
} from '../../kinds/index.ts'
import type { Pod } from '../../kinds/pod.ts'
import { type Labels, selects } from '../names/labels.ts'
import { byAge } from '../names/visibility.ts'
import type { MeshSettings } from './settings.ts'
import { isMade, type Snapshot, World } from './snapshot.ts'

/** Questions that are remembered one by one; of a reader who asks more, whatever changes concerns him. */
const MOST_QUESTIONS = 200_000

/**
 * Shows what was there when it was made, and knows the questions that it was asked, so that it can tell whether the answer to one is another by now. It costs
 * its reader some of his time, and the World a little of each change, until its end.
 */
export class Moment implements Snapshot {
  readonly settings: MeshSettings
  readonly #base: Snapshot
  readonly #unknown: ReadonlySet<Kind>
  readonly #stopFollowing: () => void
  /** What stood under the names that have changed since; null for nothing. */
  readonly #past = new Map<string, { readonly ref: ObjectRef; readonly object: MeshObject | null }>()
  readonly #changedKinds = new Set<Kind>()
  readonly #names = new Set<string>()
  readonly #keys = new Map<IndexName, Set<string>>()
  #questions = 0
  readonly #walked = new Set<Kind>()
  readonly #selectors: Labels[] = []

  /** Of any other snapshot than a World it is taken that it does not change. */
  constructor(base: Snapshot) {
    this.#base = base
    this.#stopFollowing = base instanceof World ? base.follow((ref, object) => this.#changes(ref, object)) : () => undefined
    this.settings = base.settings
    this.#unknown = new Set(KINDS.filter((kind) => !base.knows(kind)))
  }

  end(): void {
    this.#stopFollowing()
  }

  /** An answer that the reader was given is another in `now`, which is the World itself or stands in its place. */
  isOutdated(now: Snapshot): boolean {
    if (now !== this.#base) return true
    if (now.settings !== this.settings || KINDS.some((kind) => now.knows(kind) === this.#unknown.has(kind))) return true
    for (const { ref, object } of this.#past.values()) {
      const current = now.find(ref.kind, ref.namespace, ref.name) ?? null
      if (!isAlike(object, current) && this.concerns([object, current].filter((state) => state !== null))) return true
    }
    return false
  }

  /** The reader would have come across one of these objects, had it been there. */
  concerns(objects: readonly MeshObject[]): boolean {
    return objects.some((object) => this.#isAsked(object))
  }

  knows(kind: Kind): boolean {
    return !this.#unknown.has(kind)
  }

  charge(): void {
    // Whoever reads the store itself may work for as long as it takes.
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    const key = refKey({ kind, namespace, name })
    this.#note(this.#names, key)
    // What the World finds is found first: of the Gateway API some is made only then, which changes it.
    const found = this.#base.find(kind, namespace, name)
    const past = this.#past.get(key)
    return past === undefined ? found : ((past.object ?? undefined) as ObjectOf<K> | undefined)
  }

  lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>> {
    const asked = this.#keys.get(index) ?? new Set<string>()
    this.#keys.set(index, asked)
    this.#note(asked, key)
    // A copy, for the reader may keep it over a pause.
    const found = [...this.#base.lookup(index, key)]
    const kind = indexedKind(index)
    if (!this.#changedKinds.has(kind)) return found
    // What has changed stands where it stood: route objects of one host are merged by age.
    return [...found.filter((object) => !this.#past.has(refKey(object))), ...this.#pastUnder(index, key)].sort(byAge)
  }

  countAtMost(index: IndexName, key: string): number {
    return this.#base.countAtMost(index, key) + (this.#changedKinds.has(indexedKind(index)) ? this.#past.size : 0)
  }

  has(index: IndexName, key: string): boolean {
    for (const _ of this.lookup(index, key)) return true
    return false
  }

  *all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    this.#walked.add(kind)
    const found = this.#base.all(kind)
    if (!this.#changedKinds.has(kind)) return yield* found
    for (const object of found) if (!this.#past.has(refKey(object))) yield object
    for (const object of this.#pastOf(kind)) if (!isMade(object)) yield object as ObjectOf<K>
  }

  *podsAnywhere(selector: Labels): Iterable<Pod> {
    this.#selectors.push(selector)
    for (const pod of this.#base.podsAnywhere(selector)) if (!this.#past.has(refKey(pod))) yield pod
    for (const object of this.#pastOf('Pod')) if (object.kind === 'Pod' && takes(selector, object)) yield object
  }

  *#pastOf(kind: Kind): Iterable<MeshObject> {
    for (const { object } of this.#past.values()) if (object?.kind === kind) yield object
  }

  *#pastUnder<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>> {
    for (const object of this.#pastOf(indexedKind(index))) if (keysOf(index, object).includes(key)) yield object as IndexedObject<I>
  }

  #changes(ref: ObjectRef, object: MeshObject | null): void {
    const key = refKey(ref)
    if (this.#past.has(key)) return
    this.#past.set(key, { ref, object })
    this.#changedKinds.add(ref.kind)
  }

  #note(asked: Set<string>, question: string): void {
    if (this.#questions >= MOST_QUESTIONS) return
    const known = asked.size
    asked.add(question)
    this.#questions += asked.size - known
  }

  #isAsked(object: MeshObject): boolean {
    if (this.#questions >= MOST_QUESTIONS) return true
    if (this.#walked.has(object.kind) || this.#names.has(refKey(object))) return true
    if (object.kind === 'Pod' && this.#selectors.some((selector) => takes(selector, object))) return true
    return indexesOf(object.kind).some((index) => keysOf(index, object).some((key) => this.#keys.get(index)?.has(key) === true))
  }
}

/** Written again as it was, it has another version. */
function isAlike(one: MeshObject | null, other: MeshObject | null): boolean {
  if (one === null || other === null) return one === other
  return isSame({ ...one, resourceVersion: '' }, { ...other, resourceVersion: '' })
}

function takes(selector: Labels, { labels }: Pod): boolean {
  return Object.keys(selector).length > 0 && selects(selector, labels)
}
