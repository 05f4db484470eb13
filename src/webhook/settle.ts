/** What writes may have to wait for: what changed of late, and how its way to the proxies is known. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fixedTime } from '../admission/fixed-time.ts'
import type { Settling } from '../admission/judge.ts'
import { RecentChanges } from '../admission/recent-changes.ts'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import type { Config } from '../config.ts'
import type { Propagation } from '../mesh/snapshot/propagation.ts'
import type { Io } from '../output/io.ts'
import { askedPropagation } from '../proxies/asked.ts'
import { Quiet } from '../proxies/quiet.ts'
import type { Telling } from './telling.ts'

export interface Settle extends Settling {
  /** From now on istiod is asked, where the configuration says so. */
  readonly follow: (cluster: LiveCluster) => void
  /** Told of whatever changes. */
  readonly heard: Quiet['heard']
}

/** `onAsked` is told whether istiod could be asked: null, or why not. */
export function settleOf(
  config: () => Pick<Config, 'settle'>,
  onAsked: (problem: unknown) => void,
  io: Pick<Io, 'nowMs' | 'signal'>
): Settle {
  const pause = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal })
  const fixed = fixedTime({ settleMs: () => config().settle.milliseconds, nowMs: io.nowMs, sleep: pause })
  const quiet = new Quiet(() => 2 * config().settle.milliseconds, io.nowMs)
  let exact: Propagation | null = null
  const current = () => (exact !== null && config().settle.mode === 'exact' ? exact : fixed)
  const propagation: Propagation = {
    horizonMs: () => current().horizonMs(),
    onTheirWay: (changes) => current().onTheirWay(changes),
    arrival: (...asked) => current().arrival(...asked)
  }
  const follow = (cluster: LiveCluster) => {
    exact = askedPropagation(
      {
        connection: cluster.connection,
        snapshot: () => cluster.snapshot(),
        serviceAccount: config().settle.serviceAccount,
        fixed,
        settleMs: () => config().settle.milliseconds,
        quiet,
        nowMs: io.nowMs,
        onAsked
      },
      io.signal
    )
  }
  const recent = new RecentChanges(propagation, io.nowMs)
  return { propagation, recent, follow, heard: (before, after) => quiet.heard(before, after) }
}

/** Says it once when istiod can be asked no more, and once when it can again. */
export function tellMode({ log, metrics }: Telling): (problem: unknown) => void {
  let wasAsked = true
  return (problem) => {
    const isAsked = problem === null
    metrics.settledBy(isAsked ? 'exact' : 'fixed')
    if (!isAsked && wasAsked) log.warn({ err: problem }, 'istiod cannot be asked: writes are held for the fixed time')
    if (isAsked && !wasAsked) log.info('istiod can be asked again: writes are held until the proxies know')
    wasAsked = isAsked
  }
}
