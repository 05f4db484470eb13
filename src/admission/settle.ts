/**
 * Holding a write until the data plane has caught up with the one before it (design, section 3.6). istiod collects changes for its debounce and
 * pushes them together, and within one push Envoy's routes and clusters do not change at the same instant: the right order, written back
 * to back, drops requests (istio-semantics, Propagation).
 */
import type { Arrival, Propagation } from '../mesh/snapshot/propagation.ts'
import type { State } from '../mesh/snapshot/state.ts'
import type { Asker, Decision, Reviewer } from '../review/decision.ts'
import { line, warningText } from '../review/message.ts'
import type { RecentChanges } from './recent-changes.ts'

/** What is left of the API server's patience when a held write is answered all the same. */
const MARGIN_MS = 1000

export interface SettleOptions {
  readonly reviewer: Reviewer
  readonly state: State
  readonly propagation: Propagation
  /** What becomes of a write whose deadline comes before it has settled. */
  readonly onTimeout: () => 'warn' | 'deny'
  readonly recent: RecentChanges
  readonly nowMs: () => number
  readonly onHeld?: (heldMs: number, timedOut: boolean) => void
}

/** A reviewer that holds an admissible write until what it relies on, or takes away, has settled, and then judges it again. */
export function settling(options: SettleOptions): Reviewer {
  const { reviewer, state, propagation, recent, nowMs, onHeld } = options
  return async (change, signal, asker) => {
    const decision = await reviewer(change, signal, asker)
    if (decision.verdict === 'deny' || change.dryRun) return decision
    const unsettled = propagation.onTheirWay(recent.under(change, state.snapshot()))
    const note = () => {
      if (asker?.isBelieved !== false) recent.note(change.before, change.after)
    }
    note()
    if (unsettled.length === 0) return decision
    const patienceMs = Math.max(0, (asker?.remainingMs() ?? Number.POSITIVE_INFINITY) - MARGIN_MS)
    const sinceMs = nowMs()
    const arrival = await held(asker, () => propagation.arrival(unsettled, patienceMs, signal))
    signal.throwIfAborted()
    onHeld?.(nowMs() - sinceMs, !arrival.arrived)
    const again = await reviewer(change, signal, asker)
    // Proxies hear of it from now on, not from when it was first asked.
    if (again.verdict !== 'deny') note()
    return concluded(again, arrival, options.onTimeout())
  }
}

async function held<T>(asker: Asker | undefined, wait: () => Promise<T>): Promise<T> {
  asker?.held(1)
  try {
    return await wait()
  } finally {
    asker?.held(-1)
  }
}

function concluded(decision: Decision, { arrived, notes }: Arrival, onTimeout: 'warn' | 'deny'): Decision {
  if (decision.verdict === 'deny' || (arrived && notes.length === 0)) return decision
  if (arrived || onTimeout === 'warn') {
    return { ...decision, verdict: 'warn', warnings: [...decision.warnings, ...notes.map(warningText)] }
  }
  return { ...decision, verdict: 'deny', message: line(`hitless: ${notes.join('; ')}.`, ' Wait a second, then apply this again. [settle]') }
}
