/** Which gaps are open, where each shows, and which of them were told. */

import { type ObjectRef, refKey } from '../kinds/index.ts'
import { targetKey } from '../mesh/gaps/affected.ts'
import type { Target } from '../mesh/gaps/gaps.ts'

export interface OpenGap {
  /** Equal for the same gap at any time. */
  readonly key: string
  readonly rule: string
  readonly host: string
  /** At fault; null where the gap is of Istio's own default routes. */
  readonly object: ObjectRef | null
  readonly message: string
}

/** Of one object at fault: more of them are nobody's to read, and the thousands of routes of one object fail at each of its thousands of hosts. */
const MOST_OF_OBJECT = 100

interface Entry {
  readonly gap: OpenGap
  readonly sinceMs: number
  isTold: boolean
  /** Keys of the targets that show it. */
  readonly targets: Set<string>
}

interface Page {
  readonly target: Target
  /** Keys of the gaps that the target shows. */
  readonly gaps: ReadonlySet<string>
}

export class GapBook {
  readonly #entries = new Map<string, Entry>()
  /** By the key of a target that shows a gap. */
  readonly #pages = new Map<string, Page>()
  /** How many gaps of each object show somewhere. */
  readonly #ofObject = new Map<string, number>()

  /** The gaps that were told. */
  told(): OpenGap[] {
    return [...this.#entries.values()].filter(({ isTold }) => isTold).map(({ gap }) => gap)
  }

  /** The targets that show a gap. */
  *targets(): Iterable<Target> {
    for (const { target } of this.#pages.values()) yield target
  }

  /** What a target shows now, in place of what it showed before: of an object that has too many others, none that was not known. */
  record(target: Target, gaps: readonly OpenGap[], nowMs: number): void {
    const key = targetKey(target)
    const found = new Set(gaps.map((gap) => gap.key))
    for (const gone of this.#pages.get(key)?.gaps ?? []) if (!found.has(gone)) this.#leave(gone, key)
    const kept = new Set(gaps.filter((gap) => this.#show(gap, key, nowMs)).map((gap) => gap.key))
    if (kept.size > 0) this.#pages.set(key, { target, gaps: kept })
    else this.#pages.delete(key)
  }

  /** The gaps that show nowhere any more, which are forgotten. */
  closed(): OpenGap[] {
    const closed = [...this.#entries.values()].filter(({ targets }) => targets.size === 0)
    for (const { gap } of closed) this.#entries.delete(gap.key)
    return closed.filter(({ isTold }) => isTold).map(({ gap }) => gap)
  }

  /** The gaps that are open since `sinceMs` or longer and were not told; they are from now on. */
  opened(sinceMs: number): OpenGap[] {
    const opened = [...this.#entries.values()].filter((entry) => !entry.isTold && entry.sinceMs <= sinceMs)
    for (const entry of opened) entry.isTold = true
    return opened.map(({ gap }) => gap)
  }

  hasUntold(): boolean {
    return [...this.#entries.values()].some(({ isTold }) => !isTold)
  }

  /** False where the object at fault has too many others. */
  #show(gap: OpenGap, target: string, nowMs: number): boolean {
    const entry = this.#entries.get(gap.key) ?? { gap, sinceMs: nowMs, isTold: false, targets: new Set<string>() }
    if (entry.targets.size === 0 && !this.#count(gap, 1)) return false
    this.#entries.set(gap.key, entry)
    entry.targets.add(target)
    return true
  }

  #leave(gap: string, target: string): void {
    const entry = this.#entries.get(gap)
    if (entry?.targets.delete(target) && entry.targets.size === 0) this.#count(entry.gap, -1)
  }

  #count({ object, host }: OpenGap, change: 1 | -1): boolean {
    const fault = object === null ? host : refKey(object)
    const count = (this.#ofObject.get(fault) ?? 0) + change
    if (count > MOST_OF_OBJECT) return false
    if (count === 0) this.#ofObject.delete(fault)
    else this.#ofObject.set(fault, count)
    return true
  }
}
