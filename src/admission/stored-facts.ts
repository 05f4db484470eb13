/** What one review has read from the API server, laid over what the watch shows. */

import { type Kind, type MeshObject, type ObjectRef, refKey } from '../kinds/index.ts'
import { selects } from '../mesh/names/labels.ts'
import { changed } from '../mesh/routing/gateway-api/compiled.ts'
import { Moment } from '../mesh/snapshot/moment.ts'
import { isOver, type PendingWrite } from '../mesh/snapshot/pending.ts'
import { isLater } from '../mesh/snapshot/resource-version.ts'
import { isOfMesh } from '../mesh/snapshot/settings.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { ListQuery, State } from '../mesh/snapshot/state.ts'
import type { Doubts } from '../review/doubts.ts'

/** What the API server held under a name; null for nothing. */
interface Fact {
  readonly ref: ObjectRef
  readonly object: MeshObject | null
  /** What the watch showed when it was asked. */
  readonly shown: MeshObject | null
  /** The questions that it answers: a name and lists. */
  readonly questions: readonly string[]
}

/** Told of what a read found that the watch has not shown yet. */
export type News = (shown: MeshObject | null, stored: MeshObject | null) => void

/** Questions that are put in one turn of the event loop: some more than are sent at once, so that what sends them is not idle. */
const MOST_AT_ONCE = 128

/** The API server did not say what it holds. */
export class Unread extends Error {
  override readonly name = 'Unread'
}

export class StoredFacts {
  readonly #state: State
  readonly #onNews: News
  readonly #facts = new Map<string, Fact>()
  readonly #asked = new Set<string>()
  reads = 0
  lists = 0
  /** Facts that were otherwise than the watch showed them. */
  news = 0

  constructor(state: State, onNews: News) {
    this.#state = state
    this.#onNews = onNews
  }

  /** All that is known of the cluster: what was read, where the watch (`shown`) has not shown something newer since. */
  snapshot(shown = this.#state.snapshot()): Snapshot {
    const removed: ObjectRef[] = []
    const added: MeshObject[] = []
    for (const [key, fact] of this.#facts) {
      const now = find(shown, fact.ref)
      if (!isCurrent(fact, now)) {
        this.#facts.delete(key)
        for (const question of fact.questions) this.#asked.delete(question)
      } else if (isConfirmed(fact.object, now)) continue
      else if (fact.object === null) removed.push(fact.ref)
      else added.push(fact.object)
    }
    return changed(shown, { removed, added })
  }

  /** What the watch shows stays for its reader as it is now. */
  moment(): Moment {
    return new Moment(this.#state.snapshot())
  }

  isOutdated(moment: Moment): boolean {
    return moment.isOutdated(this.#state.snapshot())
  }

  /** The pending writes of which no read has shown what became of them; those on `written` are told by the review itself. */
  pending(written: ObjectRef): PendingWrite[] {
    const own = refKey(written)
    return this.#state.pending().filter((write) => {
      const key = refKey(write.ref)
      const fact = this.#facts.get(key)
      return key !== own && (fact === undefined || !isOver(write, fact.object))
    })
  }

  /** Forgets what was read of all other objects: it is to be asked again. */
  keepOnly(refs: readonly ObjectRef[]): void {
    const kept = refs.map(refKey)
    for (const key of this.#facts.keys()) if (!kept.includes(key)) this.#facts.delete(key)
    this.#asked.clear()
  }

  /** Those of the questions that were not asked yet, each once; null where there is none. */
  unasked(doubts: readonly Doubts[]): Doubts | null {
    const reads = new Map(doubts.flatMap((each) => each.reads.map((ref) => [refKey(ref), ref])))
    const lists = new Map(doubts.flatMap((each) => each.lists.map((query) => [textOf(query), query])))
    for (const question of this.#asked) {
      reads.delete(question)
      lists.delete(question)
    }
    return reads.size + lists.size === 0 ? null : { reads: [...reads.values()], lists: [...lists.values()] }
  }

  /** Rejects with Unread where the API server does not answer. */
  async ask({ reads, lists }: Doubts, signal: AbortSignal): Promise<void> {
    this.reads += reads.length
    this.lists += lists.length
    const questions = [...reads.map((ref) => () => this.#read(ref, signal)), ...lists.map((query) => () => this.#list(query, signal))]
    const facts: Fact[] = []
    for (let at = 0; at < questions.length; at += MOST_AT_ONCE) {
      const asked = questions.slice(at, at + MOST_AT_ONCE).map((ask) => ask())
      const answers = await Promise.all(asked).catch((cause: unknown) => {
        throw new Unread('fresh facts could not be read', { cause })
      })
      for (const fact of answers.flat()) facts.push(fact)
    }
    for (const fact of facts) {
      const key = refKey(fact.ref)
      // Whoever asked before is to ask again where the new answer does not hold.
      const before = this.#facts.get(key)?.questions ?? []
      this.#facts.set(key, { ...fact, questions: [...before, ...fact.questions] })
      if (!isConfirmed(fact.object, fact.shown)) this.news += 1
      if (fact.shown?.resourceVersion !== fact.object?.resourceVersion) this.#onNews(fact.shown, fact.object)
    }
  }

  async #read(ref: ObjectRef, signal: AbortSignal): Promise<Fact[]> {
    const question = refKey(ref)
    const shown = find(this.#state.snapshot(), ref)
    this.#asked.add(question)
    const object = await this.#state.facts.read(ref, signal)
    return [{ ref, object: object !== null && isOfMesh(object, this.#state.snapshot()) ? object : null, shown, questions: [question] }]
  }

  /** A list says what is there and, of what the watch shows, what is not. */
  async #list(query: ListQuery, signal: AbortSignal): Promise<Fact[]> {
    const question = textOf(query)
    const shown = new Map(select(query, this.#state.snapshot()).map((object) => [refKey(object), object]))
    this.#asked.add(question)
    const listed = (await this.#state.facts.list(query, signal)).filter((object) => isOfMesh(object, this.#state.snapshot()))
    const found = listed.map((object) => ({ ref: object, object, shown: shown.get(refKey(object)) ?? null, questions: [question] }))
    const names = new Set(listed.map(refKey))
    const gone = [...shown.values()].filter((object) => !names.has(refKey(object)))
    return [
      ...found.filter((fact) => fact.shown?.resourceVersion !== fact.object.resourceVersion),
      ...gone.map((object) => ({ ref: object, object: null, shown: object, questions: [question] }))
    ]
  }
}

/** The watch shows nothing else than when the question was asked, or something that is older than the answer all the same. */
function isCurrent({ object, shown }: Fact, now: MeshObject | null): boolean {
  if (now === shown) return true
  return now !== null && object !== null && isLater(object.resourceVersion, now.resourceVersion) === true
}

/** It is as the watch shows it, of which more is known already. */
function isConfirmed(object: MeshObject | null, shown: MeshObject | null): boolean {
  if (object === shown) return true
  return (
    object !== null &&
    shown !== null &&
    object.uid === shown.uid &&
    object.resourceVersion !== '' &&
    object.resourceVersion === shown.resourceVersion
  )
}

function find(snapshot: Snapshot, { kind, namespace, name }: ObjectRef): MeshObject | null {
  return snapshot.find(kind, namespace, name) ?? null
}

function select({ kind, namespace, selector }: ListQuery, snapshot: Snapshot): MeshObject[] {
  if (kind === 'Pod' && namespace !== null && selector !== null) return podsSelected(snapshot, namespace, selector)
  return [...snapshot.all<Kind>(kind)].filter(
    (object) => (namespace === null || object.namespace === namespace) && (selector === null || selects(selector, object.labels))
  )
}

function textOf(query: ListQuery): string {
  return JSON.stringify(query)
}
