/**
 * The cost of a decision by pure code, in a small world and a large one that stand side by side in one process, so that their ratio means
 * something on any machine. `node --expose-gc bench/decision.ts [--json] [hosts of the small world] [hosts of the large one]`.
 */
import { everyTarget } from '../src/mesh/affected.ts'
import { routeTables } from '../src/mesh/routes.ts'
import type { World } from '../src/mesh/snapshot.ts'
import { audit } from '../src/review/audit.ts'
import { decide } from '../src/review/decide.ts'
import { DEFAULT_POLICY } from '../src/review/policy.ts'
import { WRITES, type Write, worldOfHosts } from './worlds.ts'

const ROUNDS = 4000
const ROUNDS_OF_WIDE = 40
/** Before the measured rounds, a share of as many in which the engine compiles what is hot. */
const WARM_UP = 0.25
/** Steps through the hosts without order; a prime, so that every host has its turn. */
const STRIDE = 7919

interface Cost {
  readonly p50: number
  readonly p99: number
}

interface Row {
  readonly write: string
  readonly small: Cost
  readonly large: Cost
  readonly ratio: Cost
}

interface Measured<T> {
  readonly value: T
  readonly seconds: number
  readonly megabytes: number
}

const options = process.argv.slice(2)
const [smallSize = 100, largeSize = 10_000] = options.filter((option) => !option.startsWith('-')).map(Number)

const small = worldOfHosts(smallSize)
const built = measured(() => worldOfHosts(largeSize))
const large = built.value
const rows = WRITES.map((write) => compare(write))
const audited = measured(() => audit(large, DEFAULT_POLICY))
const routed = measured(() => everyTarget(large).map(({ context, host }) => routeTables(large, context, host)))

const whole = {
  build: cost(built),
  audit: { ...cost(audited), gaps: audited.value.gaps.length, findings: audited.value.findings.length },
  routes: { ...cost(routed), tables: routed.value.flat().length }
}
process.stdout.write(options.includes('--json') ? `${JSON.stringify({ smallSize, largeSize, rows, whole }, null, 2)}\n` : text())

/** The two worlds take turns, so that whatever else the machine does meets both alike. */
function compare(write: Write): Row {
  const times = { small: [] as number[], large: [] as number[] }
  const rounds = write.wide === true ? ROUNDS_OF_WIDE : ROUNDS
  const warmUp = rounds * WARM_UP
  for (let round = 0; round < warmUp + rounds; round++) {
    const ofSmall = timed(write, small, (round * STRIDE) % smallSize)
    const ofLarge = timed(write, large, (round * STRIDE) % largeSize)
    if (round < warmUp) continue
    times.small.push(ofSmall)
    times.large.push(ofLarge)
  }
  const costs = { small: costOf(times.small), large: costOf(times.large) }
  return { write: write.name, ...costs, ratio: { p50: costs.large.p50 / costs.small.p50, p99: costs.large.p99 / costs.small.p99 } }
}

/** Microseconds of one decision; a wrong one is no measurement. */
function timed(write: Write, world: World, host: number): number {
  const change = write.change(world, host)
  const start = process.hrtime.bigint()
  const { verdict, message } = decide(change, world, DEFAULT_POLICY, 0)
  const microseconds = Number(process.hrtime.bigint() - start) / 1000
  if (verdict !== write.verdict) throw new Error(`${write.name}: ${verdict} instead of ${write.verdict}: ${message}`)
  return microseconds
}

function costOf(times: readonly number[]): Cost {
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}

function measured<T>(work: () => T): Measured<T> {
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  const start = performance.now()
  const value = work()
  const seconds = (performance.now() - start) / 1000
  globalThis.gc?.()
  return { value, seconds, megabytes: (process.memoryUsage.rss() - before) / 1e6 }
}

function cost({ seconds, megabytes }: Measured<unknown>): { seconds: number; megabytes: number } {
  return { seconds, megabytes }
}

function text(): string {
  const head = [
    'decision',
    `p50 at ${smallSize}`,
    `p99 at ${smallSize}`,
    `p50 at ${largeSize}`,
    `p99 at ${largeSize}`,
    'ratio p50',
    'ratio p99'
  ]
  const lines = rows.map(({ write, small: few, large: many, ratio }) => [
    write,
    ...[few.p50, few.p99, many.p50, many.p99].map((value) => `${value.toFixed(0)} µs`),
    ...[ratio.p50, ratio.p99].map((value) => value.toFixed(2))
  ])
  const table = [head, ...lines].map((cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(38) : cell.padStart(14))).join(''))
  const { build, audit: audits, routes } = whole
  return [
    ...table,
    '',
    `build of the large world: ${build.seconds.toFixed(1)} s, ${build.megabytes.toFixed(0)} MB`,
    `audit of it: ${audits.seconds.toFixed(1)} s, ${audits.megabytes.toFixed(0)} MB, ${audits.gaps} gaps, ${audits.findings} findings`,
    `every route table of it: ${routes.seconds.toFixed(1)} s, ${routes.megabytes.toFixed(0)} MB, ${routes.tables} tables`,
    ''
  ].join('\n')
}
