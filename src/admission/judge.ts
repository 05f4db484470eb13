/** The reviewer: judges a change by what is known, reads what its decision rests on, waits for what it leans on, and judges again (docs/architecture.md). */
import { setTimeout as timeout } from 'node:timers/promises'
import { HitlessError } from '../errors.ts'
import { formatRef, isWorkload } from '../kinds/index.ts'
import { sameTemplate } from '../kinds/workload.ts'
import { TooMuchWork } from '../mesh/snapshot/metered.ts'
import type { PendingWrite } from '../mesh/snapshot/pending.ts'
import type { Propagation, RecentChange } from '../mesh/snapshot/propagation.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { State } from '../mesh/snapshot/state.ts'
import { alwaysAdmitted, isCollected, isNoOp } from '../review/always-admitted.ts'
import type { Change } from '../review/change.ts'
import { ADMITTED, type Judged, judgeInParts, nameFor } from '../review/decide.ts'
import type { Asker, Decision, Reviewer } from '../review/decision.ts'
import type { Doubts } from '../review/doubts.ts'
import { warningText } from '../review/message.ts'
import { observed } from '../review/observe.ts'
import type { Policy } from '../review/policy.ts'
import { Access, type AccessOptions } from './access.ts'
import type { RecentChanges } from './recent-changes.ts'
import { held, patienceMs, settled, timedOut } from './settle.ts'
import { type News, StoredFacts, Unread } from './stored-facts.ts'
import { isRefused, type Weighed } from './weigh.ts'
import { type Leisure, Weighing } from './weighing.ts'

/** A look can raise a new doubt: a listed VirtualService has destinations, whose Pods may be gone. More than that means a moving target. */
const MOST_ROUNDS = 5
/** A write is stored within a few milliseconds of its last webhook's answer; one that is not may take as long as that webhook. */
const FIRST_LOOK_MS = 25
const LAST_LOOK_MS = 400

export interface ReviewerOptions extends AccessOptions {
  readonly state: State
  readonly nowMs: () => number
  /** How a judgement that takes long lets others have their turn; absent where it need not. */
  readonly leisure?: Leisure
  /** Resolves after so many milliseconds; rejects when the signal ends. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
  readonly onNews?: News
  /** Told of the reads that a review made, for metrics. */
  readonly onReads?: (change: Change, reads: number, lists: number, changedVerdict: boolean) => void
  /** Absent where there are no proxies: then nothing is held for them. */
  readonly settle?: Settling
  /** What becomes of a write whose deadline comes before what it leans on is known; a warning where absent. */
  readonly onTimeout?: () => 'warn' | 'deny'
  /** Told of each write that waited, for metrics. */
  readonly onHeld?: (heldMs: number) => void
}

export interface Settling {
  readonly propagation: Propagation
  readonly recent: RecentChanges
}

/** Rejects where no judgement could be made and the policy asks for an error then; with HITLESS_TOO_COMPLEX where one would take too long. */
export function createReviewer(options: ReviewerOptions): Reviewer {
  return async (change, signal, asker) => {
    try {
      return await new Review(options, change, signal, asker).answer()
    } catch (cause) {
      if (!(cause instanceof TooMuchWork)) throw cause
      throw new HitlessError('HITLESS_TOO_COMPLEX', `${formatRef(change.ref)} takes ${cause.message} to judge: make several of it`, {
        cause
      })
    }
  }
}

/** A decision, and the changes on their way to the proxies for which it has to wait before it is given. */
interface Attempt {
  readonly decision: Decision
  readonly unsettled: readonly RecentChange[]
}

class Review {
  readonly #options: ReviewerOptions
  readonly #asked: Change
  readonly #signal: AbortSignal
  readonly #asker: Asker | undefined

  constructor(options: ReviewerOptions, asked: Change, signal: AbortSignal, asker: Asker | undefined) {
    this.#options = options
    this.#asked = asked
    this.#signal = signal
    this.#asker = asker
  }

  /** An admissible write that leans on changes which are on their way to the proxies is held until they have arrived, and judged again. */
  async answer(): Promise<Decision> {
    const { settle, nowMs, onHeld, onTimeout } = this.#options
    const first = await this.#attempt((judged, snapshot) => unsettledUnder(this.#asked, judged, snapshot, settle))
    if (settle === undefined || first.unsettled.length === 0) return first.decision
    const sinceMs = nowMs()
    const arrival = await held(this.#asker, () => settle.propagation.arrival(first.unsettled, patienceMs(this.#asker), this.#signal))
    this.#signal.throwIfAborted()
    onHeld?.(nowMs() - sinceMs)
    const again = await this.#attempt(() => [])
    return settled(again.decision, arrival, onTimeout?.() ?? 'warn')
  }

  /** `unsettled` says for what an admissible write has to wait; where for nothing, it is admitted in the same turn as it was judged. */
  async #attempt(unsettled: (judged: Judged, snapshot: Snapshot) => readonly RecentChange[]): Promise<Attempt> {
    const { state, policy, onReads, onHeld, onNews = () => undefined } = this.#options
    const stale = staleness(state, policy())
    if (stale !== null && needsJudgement(this.#asked, state, policy())) return this.#unjudged(stale)
    const facts = new StoredFacts(state, onNews)
    let inquiry: Inquiry | null = null
    try {
      const change = await withStoredTemplate(this.#asked, facts, this.#signal)
      inquiry = new Inquiry(this.#options, change, facts, this.#signal, this.#asker)
      let next = inquiry.next()
      while (typeof next === 'function') {
        await next()
        next = inquiry.next()
      }
      const weighed = next
      if (inquiry.waitedMs > 0) onHeld?.(inquiry.waitedMs)
      // From here to the admission nothing waits: of two writes in flight together one is judged with the other in mind.
      if (facts.reads + facts.lists > 0) onReads?.(change, facts.reads, facts.lists, inquiry.wasRefused !== isRefused(weighed.stored))
      const decision = observed(inquiry.conclude(weighed), policy())
      const waiting = decision.verdict === 'deny' || !mayBeHeld(change, policy()) ? [] : unsettled(weighed.stored, facts.snapshot())
      if (waiting.length === 0) this.#admit(change, decision)
      return { decision, unsettled: waiting }
    } catch (error) {
      if (error instanceof Unread) return this.#unjudged(error)
      throw error
    } finally {
      inquiry?.end()
    }
  }

  #unjudged(reason: Error): Attempt {
    const policy = this.#options.policy()
    const decision = observed(unjudged(policy, this.#asked, reason), policy)
    this.#admit(this.#asked, decision)
    return { decision, unsettled: [] }
  }

  /** A dry run is never made, and whether a stranger's review is of a write at all is not known: neither leaves anything behind. */
  #admit(change: Change, { verdict }: Decision): void {
    if (verdict === 'deny' || change.dryRun || this.#asker?.isBelieved === false) return
    this.#options.state.admitted(change)
    // Its watch may tell of it later than the next write comes.
    this.#options.settle?.recent.note(change.before, change.after)
  }
}

/** What is asked before one decision is made. */
class Inquiry {
  readonly #options: ReviewerOptions
  readonly #change: Change
  readonly #facts: StoredFacts
  readonly #signal: AbortSignal
  readonly #asker: Asker | undefined
  readonly #access: Access
  readonly #weighing: Weighing
  /** Spent waiting for what became of pending writes. */
  waitedMs = 0
  /** Whether the write was refused before anything was read; null until it was judged once. */
  wasRefused: boolean | null = null
  #rounds = 0
  #looks = 0

  constructor(options: ReviewerOptions, change: Change, facts: StoredFacts, signal: AbortSignal, asker: Asker | undefined) {
    this.#options = options
    this.#change = change
    this.#facts = facts
    this.#signal = signal
    this.#asker = asker
    this.#access = new Access(options, change)
    const { policy, nowMs, leisure } = options
    this.#weighing = new Weighing({
      change,
      facts,
      judge: (snapshot) => judgeInParts(change, snapshot, policy(), nowMs(), this.#access.mayExempt),
      signal,
      asker,
      leisure,
      mayAsk: () => this.#mayAsk(),
      over: (writes) => {
        facts.keepOnly(writes.map(({ ref }) => ref))
        this.#rounds = 0
      }
    })
  }

  /** The change weighed by all that is known now, where nothing is left to do; else what has to be done before it is weighed again. */
  next(): Weighed | (() => Promise<void>) {
    const considered = this.#weighing.now()
    if (considered === null) return () => this.#weighing.inTurns()
    const { stored, supposed, deciding } = considered.weighed
    this.wasRefused ??= isRefused(stored)
    const doubts = this.#mayAsk() ? this.#facts.unasked(considered.doubts) : null
    if (doubts !== null) return () => this.#read(doubts)
    const claims = this.#access.unasked([stored, ...supposed].flatMap(({ decision }) => decision.claims))
    if (claims.length > 0) return () => this.#askAccess(claims)
    return deciding.length > 0 && this.#mayLook() ? () => this.#look(deciding) : considered.weighed
  }

  end(): void {
    this.#weighing.forget()
  }

  /** What is stored decides in the end. A write that was admitted and may still come only adds a warning, or a denial where that is asked for. */
  conclude({ stored: { decision }, deciding }: Weighed): Decision {
    const [write] = deciding
    if (write === undefined || decision.verdict === 'deny') return decision
    const { policy, onTimeout } = this.#options
    const name = nameFor(write.ref, this.#change.ref.namespace, policy())
    return timedOut(decision, onTimeout?.() ?? 'warn', [
      `${name} was admitted a moment ago and may yet change: this write would be refused then`
    ])
  }

  async #askAccess(claims: readonly string[]): Promise<void> {
    this.#weighing.forget()
    await this.#access.ask(claims, this.#signal)
  }

  async #read(doubts: Doubts): Promise<void> {
    this.#rounds += 1
    await this.#facts.ask(doubts, this.#signal)
  }

  /** Reads by name what decides, again and again until it shows the write, or nothing is expected of that any more. */
  async #look(deciding: readonly PendingWrite[]): Promise<void> {
    const { nowMs, sleep = systemSleep } = this.#options
    if (this.#looks > 0) {
      const sinceMs = nowMs()
      await held(this.#asker, () => sleep(this.#nextLookMs(), this.#signal))
      this.waitedMs += nowMs() - sinceMs
    }
    this.#looks += 1
    await this.#facts.ask({ reads: deciding.map(({ ref }) => ref), lists: [] }, this.#signal)
  }

  #mayAsk(): boolean {
    return this.#options.state.isExact !== true && this.#rounds < MOST_ROUNDS
  }

  #mayLook(): boolean {
    return this.#looks === 0 || (mayBeHeld(this.#change, this.#options.policy()) && patienceMs(this.#asker) > 0)
  }

  #nextLookMs(): number {
    return Math.min(FIRST_LOOK_MS * 2 ** (this.#looks - 1), LAST_LOOK_MS, patienceMs(this.#asker))
  }
}

const systemSleep = (ms: number, signal: AbortSignal): Promise<void> => timeout(ms, undefined, { signal })

/** A dry run is not, nor anything where hitless only observes. */
function mayBeHeld({ dryRun }: Change, { mode }: Policy): boolean {
  return !dryRun && mode === 'enforce'
}

/**
 * What was admitted whatever it does, and what changes nothing, waits for nobody. But Kubernetes' controllers delete what a write left without an
 * owner or a namespace in the same moment: they are never stopped, and have time.
 */
function unsettledUnder(asked: Change, { judgement }: Judged, snapshot: Snapshot, settle: Settling | undefined): readonly RecentChange[] {
  const change = judgement?.change ?? (isCollected(asked) ? asked : null)
  return change === null || settle === undefined ? [] : settle.propagation.onTheirWay(settle.recent.under(change, snapshot))
}

/** A Scale tells no labels, and the cached workload, by which they are known, may be an old one, or none is kept: a scale to 0 is judged by the stored one. */
async function withStoredTemplate(change: Change, facts: StoredFacts, signal: AbortSignal): Promise<Change> {
  const { ref, before, after } = change
  if (before === null || after === null || !isWorkload(before) || !isWorkload(after)) return change
  if (before.replicas === 0 || after.replicas > 0 || !sameTemplate(before, after)) return change
  await facts.ask({ reads: [ref], lists: [] }, signal)
  const stored = facts.snapshot().find(ref.kind, ref.namespace, ref.name)
  if (stored === undefined || !isWorkload(stored)) return change
  return { ...change, before: { ...stored, replicas: before.replicas }, after: { ...stored, replicas: 0 } }
}

/** What is admitted whatever is known of the cluster is admitted where little is known: namespaces go on being deleted. */
function needsJudgement(change: Change, state: State, policy: Policy): boolean {
  return !isNoOp(change) && alwaysAdmitted(change, state.snapshot(), policy) === null
}

function staleness(state: State, { whenStale }: Policy): Error | null {
  const { fresh, reasons } = state.health()
  return fresh ? null : new Error(`the state of the cluster is not known (${reasons.join('; ')}); whenStale: ${whenStale}`)
}

/** The answer where nothing could be judged: never as if objects did not exist. */
function unjudged({ whenStale }: Policy, { ref }: Change, reason: Error): Decision {
  if (whenStale === 'error') throw reason
  const text = `${ref.kind} ${ref.name} was not judged: ${reason.message}`
  const unread = { ...ADMITTED, outcome: 'unjudged', auditAnnotations: { stale: reason.message } } as const
  if (whenStale === 'deny') return { ...unread, verdict: 'deny', message: `hitless: ${text}. Try again.` }
  return { ...unread, verdict: 'warn', warnings: [warningText(text)] }
}
