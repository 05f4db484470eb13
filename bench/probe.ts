/** Loaded into a process before its own code (`--import`): tells, when asked, how long its event loop was kept and what it took. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { percentile } from './report.ts'
import { Turns } from './turns.ts'

const RESOLUTION_MS = 5

export interface ProbeSample {
  /** Beyond the timer's own period. */
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** CPU time between two turns of the event loop. */
  readonly workP99Ms: number
  readonly workMaxMs: number
  readonly cpuSeconds: number
  readonly rssMb: number
  readonly heapMb: number
}

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()

const turns = new Turns()

process.on('message', (ask) => {
  if (ask !== 'sample' && ask !== 'collect') return
  if (ask === 'collect') globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const work = turns.take()
  const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
  const sample: ProbeSample = {
    delayP99Ms: beyond(delay.percentile(99)),
    delayMaxMs: beyond(delay.max),
    workP99Ms: percentile(work, 0.99),
    workMaxMs: percentile(work, 1),
    cpuSeconds: (user + system) / 1e6,
    rssMb: rss / 1e6,
    heapMb: heapUsed / 1e6
  }
  process.send?.(sample)
  // Counted anew from one question to the next.
  delay.reset()
})
// It must not keep a process that has nothing else to do.
process.channel?.unref()
