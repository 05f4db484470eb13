/**
 * Holding a write until the data plane has caught up with the one before it (docs/architecture.md). istiod collects changes for its debounce and
 * pushes them together, and within one push Envoy's routes and clusters do not change at the same instant: the right order, written back
 * to back, drops requests (docs/proof.md).
 */
import type { Arrival } from '../mesh/snapshot/propagation.ts'
import type { Asker, Decision } from '../review/decision.ts'
import { line, warningText } from '../review/message.ts'

/** What is left of the API server's patience when a held write is answered all the same. */
const MARGIN_MS = 1000

/** For how long a write may still be held. */
export function patienceMs(asker: Asker | undefined): number {
  return Math.max(0, (asker?.remainingMs() ?? Number.POSITIVE_INFINITY) - MARGIN_MS)
}

export async function held<T>(asker: Asker | undefined, wait: () => Promise<T>): Promise<T> {
  asker?.held(1)
  try {
    return await wait()
  } finally {
    asker?.held(-1)
  }
}

/** The decision on a write that was held, with what its writer should know of the proxies. What is admitted whatever it does stays so. */
export function settled(decision: Decision, { arrived, notes }: Arrival, onTimeout: 'warn' | 'deny'): Decision {
  return timedOut(decision, arrived || decision.outcome === 'bypassed' ? 'warn' : onTimeout, notes)
}

/** The decision on a write for which there is no more time; a denial stays as it is. */
export function timedOut(decision: Decision, onTimeout: 'warn' | 'deny', notes: readonly string[]): Decision {
  if (decision.verdict === 'deny' || notes.length === 0) return decision
  if (onTimeout === 'warn') return { ...decision, verdict: 'warn', warnings: [...decision.warnings, ...notes.map(warningText)] }
  return { ...decision, verdict: 'deny', message: line(`hitless: ${notes.join('; ')}.`, ' Wait a second, then apply this again. [settle]') }
}
