/** Which gaps are open, where each shows, and which of them were told. */

import type { ObjectRef } from '../kinds/index.ts'
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

  /** The gaps that were told. */
  told(): OpenGap[] {
    return [...this.#entries.values()].filter(({ isTold }) => isTold).map(({ gap }) => gap)
  }

  /** The targets that show a gap. */
  *targets(): Iterable<Target> {
    for (const { target } of this.#pages.values()) yield target
  }

  /** What a target shows now, in place of what it showed before. */
  record(target: Target, gaps: readonly OpenGap[], nowMs: number): void {
    const key = targetKey(target)
    const found = new Map(gaps.map((gap) => [gap.key, gap]))
    for (const gone of this.#pages.get(key)?.gaps ?? []) if (!found.has(gone)) this.#entries.get(gone)?.targets.delete(key)
    for (const gap of found.values()) this.#entryOf(gap, nowMs).targets.add(key)
    if (found.size > 0) this.#pages.set(key, { target, gaps: new Set(found.keys()) })
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

  #entryOf(gap: OpenGap, nowMs: number): Entry {
    const known = this.#entries.get(gap.key)
    if (known !== undefined) return known
    const entry: Entry = { gap, sinceMs: nowMs, isTold: false, targets: new Set() }
    this.#entries.set(gap.key, entry)
    return entry
  }
}
