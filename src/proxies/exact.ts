/**
 * Propagation by what istiod says: in which push a change went out, and which proxies have acknowledged that push. Nothing is asked while
 * nothing is held; where nothing can be learned, the fixed time decides as it would without.
 */
import type { Arrival, Propagation, RecentChange } from '../mesh/snapshot/propagation.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { type Sight, sightsOf } from './expectation.ts'
import type { Quiet } from './quiet.ts'
import type { Replica } from './replica.ts'
import { type Standing, standing } from './standing.ts'
import type { View } from './view.ts'

/** istiod waits for quiet at most 10 s (PILOT_DEBOUNCE_MAX), and then has to reach everybody. */
const HORIZON_MS = 30_000
/** From the acknowledgement until every worker of an Envoy serves by what was acknowledged; docs/proof.md has what was measured. */
const MARGIN_MS = 50
const PAUSE_MS = 20
/** An istiod that does not answer for so long is taken to be gone. */
const SILENCE_MS = 3_000
/** An answer may come so long after the last moment at which a write is to be held: half of what a review keeps for itself. */
const GRACE_MS = 500
/** An istiod that could not be asked is not asked again for so long. */
const REST_MS = 30_000
/** Broken streams that one watch puts up with: a replica may just be replaced. */
const MOST_FAILURES = 2

export interface ExactOptions {
  readonly fixed: Propagation
  readonly snapshot: () => Snapshot
  /** Loads what asking needs, which takes 0.3 s of CPU once: on a busy machine many times that, in which istiod is not silent. */
  readonly ready: () => Promise<unknown>
  /** A stream to each replica of istiod; of one that failed, a new one. */
  readonly replicas: (signal: AbortSignal) => Promise<readonly Replica[]>
  /** The fixed time. */
  readonly settleMs: () => number
  readonly quiet: Pick<Quiet, 'since'>
  readonly nowMs: () => number
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
  /** Told whether istiod could be asked: null, or why not. */
  readonly onAsked: (problem: unknown) => void
}

export function exactPropagation(options: ExactOptions): Propagation {
  return new Exact(options)
}

/** istiod was asked, and its answers do not tell of the change. */
class Untold extends Error {
  override readonly name = 'Untold'
}

type Told = ReadonlyMap<RecentChange, readonly Sight[]>

class Exact implements Propagation {
  readonly #options: ExactOptions
  /** Changes that every proxy has. */
  readonly #arrived = new WeakSet<RecentChange>()
  #restsUntilMs = 0

  constructor(options: ExactOptions) {
    this.#options = options
  }

  horizonMs(): number {
    const fixedMs = this.#options.fixed.horizonMs()
    return fixedMs === 0 ? 0 : Math.max(fixedMs, HORIZON_MS)
  }

  onTheirWay(changes: readonly RecentChange[]): readonly RecentChange[] {
    const open = changes.filter((change) => !this.#arrived.has(change))
    const told = this.#told(open)
    const untold = new Set(this.#options.fixed.onTheirWay(open.filter((change) => !told.has(change))))
    return open.filter((change) => told.has(change) || untold.has(change))
  }

  async arrival(changes: readonly RecentChange[], patienceMs: number, signal: AbortSignal): Promise<Arrival> {
    const { fixed, nowMs } = this.#options
    const untilMs = nowMs() + patienceMs
    const told = this.#told(changes)
    const untold = changes.filter((change) => !told.has(change))
    const [seen, waited] = await Promise.all([
      this.#seen(told, untilMs, signal),
      untold.length === 0 ? null : fixed.arrival(untold, patienceMs, signal)
    ])
    return merged(seen, waited)
  }

  /** What istiod's answers must show of each change of which they tell; empty while istiod is not asked. */
  #told(changes: readonly RecentChange[]): Told {
    const { nowMs, snapshot } = this.#options
    if (nowMs() < this.#restsUntilMs) return new Map()
    const shown = snapshot()
    return new Map(
      changes.flatMap((change) => {
        const sights = sightsOf(change, shown)
        return sights === null ? [] : [[change, sights] as const]
      })
    )
  }

  async #seen(told: Told, untilMs: number, signal: AbortSignal): Promise<Arrival> {
    const { fixed, nowMs, onAsked } = this.#options
    if (told.size === 0) return ARRIVED
    try {
      const arrival = await new Watch(told, this.#options, signal).arrival(untilMs)
      onAsked(null)
      if (arrival.arrived) for (const change of told.keys()) this.#arrived.add(change)
      return arrival
    } catch (problem) {
      signal.throwIfAborted()
      if (!(problem instanceof Untold)) {
        this.#restsUntilMs = nowMs() + REST_MS
        onAsked(problem)
      }
      return fixed.arrival([...told.keys()], Math.max(0, untilMs - nowMs()), signal)
    }
  }
}

const ARRIVED: Arrival = { arrived: true, notes: [] }

/** One held write's watch for what it waits for. */
class Watch {
  readonly #sights: readonly Sight[]
  readonly #changedMs: number
  readonly #options: ExactOptions
  readonly #signal: AbortSignal
  readonly #sinceMs: number
  /** Pushes that each had shown when it first answered in this watch. */
  readonly #pushesBefore = new Map<Replica, number>()
  /** Those that were asked last. */
  #replicas: readonly Replica[] = []
  #failures = 0

  constructor(told: Told, options: ExactOptions, signal: AbortSignal) {
    this.#sights = [...told.values()].flat()
    this.#changedMs = [...told.keys()].reduce((latest, { atMs }) => Math.max(latest, atMs), 0)
    this.#options = options
    this.#signal = signal
    this.#sinceMs = options.nowMs()
  }

  /** Rejects where nothing can be learned. */
  async arrival(untilMs: number): Promise<Arrival> {
    const { nowMs, ready } = this.#options
    let known = UNTOLD
    if ((await this.#inTime(ready(), untilMs, new Untold('what asks istiod is not loaded yet'))) === 'late') return known
    for (;;) {
      const isLast = nowMs() >= untilMs
      const sinceMs = nowMs()
      const standings = await this.#inTime(this.#look(), untilMs, new Error('istiod does not answer'))
      if (standings === 'late') return known
      known = standings === null ? UNSENT : concluded(standings)
      if (standings?.every(({ late }) => late.length === 0)) {
        await this.#sleep(Math.min(MARGIN_MS, untilMs - nowMs()))
        return known
      }
      if (isLast) return known
      // Half of the time at most goes into asking.
      await this.#sleep(Math.min(Math.max(PAUSE_MS, nowMs() - sinceMs), untilMs - nowMs()))
    }
  }

  /** Where the proxies of each replica stand; null while one has not pushed the change. */
  async #look(): Promise<readonly Standing[] | null> {
    // Most streams break between two looks, and whoever asks for replicas then gets a new one in place of each that failed.
    const failure = this.#replicas.find((replica) => replica.failure !== null)?.failure
    if (failure && ++this.#failures > MOST_FAILURES) throw failure
    const replicas = await this.#options.replicas(this.#signal)
    this.#replicas = replicas
    for (const replica of replicas) {
      if (!this.#pushesBefore.has(replica) && replica.view.pushes > 0) this.#pushesBefore.set(replica, replica.view.pushes)
      replica.watch(this.#sights)
    }
    const standings = await Promise.all(replicas.map((replica) => this.#standing(replica)))
    return standings.every((each) => each !== null) ? standings : null
  }

  /** null where the stream broke, too. */
  async #standing(replica: Replica): Promise<Standing | null> {
    const { nowMs, settleMs, quiet } = this.#options
    const needs = replica.view.needs(this.#sights)
    if (needs === null) {
      if (replica.failure === null) this.#requireHope(replica.view, this.#pushesBefore.get(replica) ?? Number.POSITIVE_INFINITY)
      return null
    }
    const isOverdue = needs.isUnsure ? quiet.since(this.#changedMs) : nowMs() - needs.sinceMs >= settleMs()
    const proxies = await replica.proxies().catch((problem) => {
      if (replica.failure === null) throw problem
      return null
    })
    return proxies === null ? null : standing(proxies, needs, isOverdue)
  }

  /**
   * Quiet for long enough, or three pushes: one that was being made, one that has it, and the next, before which all of that has come. What has
   * not shown by then never does, such as a rule that another overrides.
   */
  #requireHope(view: View, pushesBefore: number): void {
    const { nowMs, settleMs, quiet } = this.#options
    if (view.lastPush === 0) {
      if (nowMs() - this.#sinceMs > SILENCE_MS) throw new Error('istiod does not answer')
      return
    }
    const isPushed = view.pushes - pushesBefore > 2 && nowMs() - this.#changedMs > settleMs()
    if (isPushed || quiet.since(this.#changedMs)) throw new Untold('istiod shows nothing of it')
  }

  /** Rejects after too long a silence; `late` where the write can be held no longer. */
  async #inTime<T>(looking: Promise<T>, untilMs: number, silent: Error): Promise<T | 'late'> {
    const { nowMs, sleep } = this.#options
    const over = new AbortController()
    const leftMs = Math.max(0, untilMs - nowMs()) + GRACE_MS
    const silence = sleep(Math.min(SILENCE_MS, leftMs), AbortSignal.any([this.#signal, over.signal])).then(() => {
      if (leftMs >= SILENCE_MS) throw silent
      return 'late' as const
    })
    try {
      return await Promise.race([looking, silence])
    } finally {
      over.abort()
    }
  }

  #sleep(ms: number): Promise<void> {
    return ms <= 0 ? Promise.resolve() : this.#options.sleep(ms, this.#signal)
  }
}

const UNTOLD: Arrival = { arrived: false, notes: ['istiod has not told yet whether proxies have what this write relies on'] }
const UNSENT: Arrival = { arrived: false, notes: ['istiod has not sent out yet what this write relies on'] }

function concluded(standings: readonly Standing[]): Arrival {
  const late = standings.flatMap((each) => each.late)
  const rejected = standings.flatMap((each) => each.rejected)
  const proxies = standings.reduce((sum, each) => sum + each.proxies, 0)
  const lateNote = `${late.length} of ${proxies} proxies lack what this needs: ${late.slice(0, 10).join(', ')}`
  const notes = rejected.slice(0, 3).map(({ proxy, error }) => `${proxy} rejected what this needs: ${error}`)
  return { arrived: late.length + rejected.length === 0, notes: [...(late.length === 0 ? [] : [lateNote]), ...notes] }
}

function merged(one: Arrival, other: Arrival | null): Arrival {
  return other === null ? one : { arrived: one.arrived && other.arrived, notes: [...one.notes, ...other.notes] }
}
