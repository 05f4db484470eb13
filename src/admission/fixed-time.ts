/** Propagation where istiod is not asked: a change is taken to have reached every proxy after a fixed time. */
import type { Propagation } from '../mesh/snapshot/propagation.ts'

export interface FixedTimeOptions {
  readonly settleMs: () => number
  readonly nowMs: () => number
  /** Resolves after so many milliseconds; rejects when the signal ends. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>
}

export function fixedTime({ settleMs, nowMs, sleep }: FixedTimeOptions): Propagation {
  const leftMs = ({ atMs }: { readonly atMs: number }) => atMs + settleMs() - nowMs()
  return {
    horizonMs: settleMs,
    onTheirWay: (changes) => changes.filter((change) => leftMs(change) > 0),
    async arrival(changes, patienceMs, signal) {
      const waitMs = changes.reduce((longest, change) => Math.max(longest, leftMs(change)), 0)
      const heldMs = Math.min(waitMs, patienceMs)
      if (heldMs > 0) await sleep(heldMs, signal)
      return waitMs <= patienceMs
        ? { arrived: true, notes: [] }
        : { arrived: false, notes: ['what this write relies on changed a moment ago, and proxies may not know it yet'] }
    }
  }
}
