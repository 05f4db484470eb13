/** This replica's admitted writes whose fate the cluster has yet to show: the one place that says what is pending. */
import { type MeshObject, type ObjectRef, refKey } from '../kinds/index.ts'
import { isOver, type PendingWrite } from '../mesh/snapshot/pending.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Write } from '../mesh/snapshot/write.ts'

/** Writes in flight through one replica; a stream that lags for seconds under load shows hundreds late. */
const MOST_WRITES = 1_000
/** Letters in all of them together. etcd stores no object above 1.5 MiB; what is larger is not kept, since it cannot be made. */
const MOST_LETTERS = 16 << 20
const LARGEST = 1_536 << 10

interface Entry extends PendingWrite {
  readonly letters: number
}

export class Ledger {
  readonly #shown: Snapshot
  readonly #entries = new Map<string, Entry[]>()
  #letters = 0
  #list: readonly Entry[] | null = null

  /** `shown` is what the stream has shown. */
  constructor(shown: Snapshot) {
    this.#shown = shown
  }

  /** Oldest first. */
  list(): readonly PendingWrite[] {
    this.#list ??= [...this.#entries.values()].flat()
    return this.#list
  }

  /** null where the write can never be made. What is beyond the bounds is let go, oldest first: it only made others careful. */
  add({ ref, before, after }: Write): PendingWrite | null {
    const written = lettersOf(after, LARGEST)
    if (written > LARGEST) return null
    const letters = written + lettersOf(before, LARGEST)
    // The server creates what does not exist there: what stands under that name here is gone, and the stream has not told yet.
    const replaced = before ?? this.#shown.find(ref.kind, ref.namespace, ref.name) ?? null
    const entry: Entry = { ref: { kind: ref.kind, namespace: ref.namespace, name: ref.name }, before, after, replaced, letters }
    const key = refKey(ref)
    const entries = this.#entries.get(key) ?? []
    this.#entries.delete(key)
    this.#entries.set(key, [...entries, entry])
    this.#letters += letters
    this.#list = null
    for (const oldest of this.list().slice(0, -1)) {
      if (this.list().length <= MOST_WRITES && this.#letters <= MOST_LETTERS) break
      this.forget(oldest)
    }
    return entry
  }

  isPending(write: PendingWrite): boolean {
    return this.#entries.get(refKey(write.ref))?.some((entry) => entry === write) ?? false
  }

  forget(write: PendingWrite): void {
    this.#keep(refKey(write.ref), (entry) => entry !== write)
  }

  /** The object as the server holds or held it: shown by the stream, or read. */
  seen(ref: ObjectRef, object: MeshObject | null): void {
    if (this.#entries.size > 0) this.#keep(refKey(ref), (entry) => !isOver(entry, object))
  }

  #keep(key: string, isKept: (entry: Entry) => boolean): void {
    const entries = this.#entries.get(key)
    if (entries === undefined) return
    const kept = entries.filter(isKept)
    if (kept.length === entries.length) return
    this.#letters -= sumOf(entries) - sumOf(kept)
    if (kept.length === 0) this.#entries.delete(key)
    else this.#entries.set(key, kept)
    this.#list = null
  }
}

function sumOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { letters }) => sum + letters, 0)
}

/** The letters of all texts and keys in a value; counts no further than `most`. */
function lettersOf(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 1
  let letters = 1
  for (const [key, each] of Object.entries(value)) {
    letters += key.length + lettersOf(each, most - letters)
    if (letters > most) break
  }
  return letters
}
