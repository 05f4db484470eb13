/** One change weighed by what is known, anew whenever more is: in one turn of the event loop, or where that would hold up others in several (docs/architecture.md). */
import { refKey } from '../kinds/index.ts'
import { consequencesOf } from '../mesh/routing/gateway-api/compiled.ts'
import { type InParts, type Pace, paced, unlessDue, whole } from '../mesh/snapshot/in-parts.ts'
import type { Moment } from '../mesh/snapshot/moment.ts'
import type { PendingWrite } from '../mesh/snapshot/pending.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from '../review/change.ts'
import type { Asker } from '../review/decision.ts'
import { type Doubts, doubtsInParts } from '../review/doubts.ts'
import { held } from './settle.ts'
import type { StoredFacts } from './stored-facts.ts'
import { type Judge, type Weighed, weigh } from './weigh.ts'

/** Where the cluster does not stand still for so many judgements, the last one is taken as one on a cache that lags by as long. */
const MOST_REPEATS = 3

/** How the event loop is shared by those who work for long. */
export interface Leisure {
  readonly pace: () => Pace
  /** Resolves with what gives the place back once there is one, for each of several who ask in turn; rejects with the signal's reason where that ends before. */
  readonly take: (signal: AbortSignal, asker: string) => Promise<() => void>
}

/** A judgement with its suppositions, and what has to be read before its decision may be given. */
export interface Considered {
  readonly weighed: Weighed
  readonly doubts: readonly Doubts[]
}

export interface WeighingOptions {
  readonly change: Change
  readonly facts: StoredFacts
  readonly judge: Judge
  readonly signal: AbortSignal
  readonly asker: Asker | undefined
  /** Where absent, all is done in one turn. */
  readonly leisure: Leisure | undefined
  /** Whether anything would be read. */
  readonly mayAsk: () => boolean
  /** Told of pending writes that the change leaned on and that are none any more: what was read before one was made may not hold. */
  readonly over: (writes: readonly PendingWrite[]) => void
}

/** What took several turns, and what was known when it began. */
interface Kept {
  readonly considered: Considered
  readonly moment: Moment
  readonly pending: readonly PendingWrite[]
  /** Of the facts. */
  readonly news: number
}

export class Weighing {
  readonly #options: WeighingOptions
  #leaning: ReadonlySet<PendingWrite> = new Set()
  #kept: Kept | null = null
  #isLong = false
  #repeats = 0

  constructor(options: WeighingOptions) {
    this.#options = options
  }

  /** By what is known in this turn; null where it takes several, and `inTurns` is to be awaited first. */
  now(): Considered | null {
    const { change, facts, over } = this.#options
    const pending = facts.pending(change.ref)
    const ended = [...this.#leaning].filter((write) => !pending.includes(write))
    if (ended.length > 0) over(ended)
    const considered = this.#isLong ? this.#keptUnlessOutdated(pending) : this.#inThisTurn(pending)
    if (considered !== null) this.#leaning = considered.weighed.leaning
    return considered
  }

  /** On a moment that is kept for it. One change at a time: those that take one turn pass by. */
  async inTurns(): Promise<void> {
    const { change, facts, signal, asker, leisure } = this.#options
    if (leisure === undefined) throw new Error('nothing says how long a turn may take')
    // Who waits takes no part in the limit of what is judged at a time.
    const giveBack = await held(asker, () => leisure.take(signal, change.ref.namespace))
    const moment = facts.moment()
    try {
      const { news } = facts
      const pending = facts.pending(change.ref)
      const considered = await paced(this.#consider(facts.snapshot(moment), pending), leisure.pace(), signal)
      this.#kept = { considered, moment, pending, news }
      this.#leaning = considered.weighed.leaning
    } finally {
      if (this.#kept === null) moment.end()
      giveBack()
    }
  }

  /** What took several turns is not to be had any more: something else than the snapshot is otherwise, or nobody asks again. */
  forget(): void {
    this.#kept?.moment.end()
    this.#kept = null
  }

  #inThisTurn(pending: readonly PendingWrite[]): Considered | null {
    const { facts, leisure } = this.#options
    const work = this.#consider(facts.snapshot(), pending)
    if (leisure === undefined) return whole(work)
    const done = unlessDue(work, leisure.pace())
    this.#isLong = done === null
    return done?.value ?? null
  }

  *#consider(snapshot: Snapshot, pending: readonly PendingWrite[]): InParts<Considered> {
    const weighed = yield* weigh(snapshot, pending, this.#options.judge)
    const doubts: Doubts[] = []
    if (!this.#options.mayAsk()) return { weighed, doubts }
    for (const judged of [weighed.stored, ...weighed.supposed]) doubts.push(yield* doubtsInParts(judged))
    return { weighed, doubts }
  }

  /** What reads have confirmed need not be judged again; what has changed under it, or was read to be otherwise, is. */
  #keptUnlessOutdated(pending: readonly PendingWrite[]): Considered | null {
    const kept = this.#kept
    if (kept === null) return null
    const isRead = kept.news !== this.#options.facts.news
    const isOvertaken = this.#options.facts.isOutdated(kept.moment) || this.#isJoined(kept, pending)
    if (!isRead && (!isOvertaken || ++this.#repeats >= MOST_REPEATS)) return kept.considered
    this.forget()
    return null
  }

  /** Since it began a write was admitted that it would have leaned on, or one that it leans on is pending no longer. */
  #isJoined({ considered, moment, pending: before }: Kept, pending: readonly PendingWrite[]): boolean {
    const leaning = [...considered.weighed.leaning]
    if (leaning.some((write) => !pending.includes(write))) return true
    const names = new Set(leaning.map(({ ref }) => refKey(ref)))
    return pending.some((write) => {
      if (before.includes(write)) return false
      const { removed, added } = consequencesOf(write, this.#options.facts.snapshot())
      const states = [write.before, write.after].filter((state) => state !== null)
      return names.has(refKey(write.ref)) || moment.concerns([...states, ...removed, ...added])
    })
  }
}
