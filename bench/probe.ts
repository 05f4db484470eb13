/** Loaded into a process before its own code (`--import`): tells, when asked, how long its event loop was kept and what it took. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { percentile } from './report.ts'

const RESOLUTION_MS = 5

export interface ProbeSample {
  /** Beyond the timer's own period. */
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** CPU time that the event loop's thread took between two turns at which a timer could fire: what other processes take is not in it. */
  readonly workP99Ms: number
  readonly workMaxMs: number
  readonly cpuSeconds: number
  readonly rssMb: number
  readonly heapMb: number
}

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()

let last = process.threadCpuUsage()
let work: number[] = []
setInterval(() => {
  const { user, system } = process.threadCpuUsage(last)
  last = process.threadCpuUsage()
  work.push((user + system) / 1000)
}, RESOLUTION_MS).unref()

process.on('message', (ask) => {
  if (ask !== 'sample' && ask !== 'collect') return
  if (ask === 'collect') globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
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
  work = []
})
// It must not keep a process that has nothing else to do.
process.channel?.unref()
