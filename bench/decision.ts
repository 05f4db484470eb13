/**
 * The cost of a decision by pure code, in a small world and a large one that stand side by side in one process and take turns, so that
 * whatever else the machine does meets both alike.
 */
import type { World } from '../src/mesh/snapshot/snapshot.ts'
import { audit } from '../src/review/audit.ts'
import type { Change } from '../src/review/change.ts'
import { decide } from '../src/review/decide.ts'
import { DEFAULT_POLICY } from '../src/review/policy.ts'
import { percentile, type Row } from './report.ts'
import { WRITES, type Write, worldOfHosts } from './worlds.ts'

const SMALL = 100
const LARGE = 10_000
const WRITES_MEASURED = 1500
const WIDE_WRITES_MEASURED = 20
/** Each write is decided so often; the first of these warm up. */
const REPEATS = 7
const WARM_UP = 2
/** Steps through the hosts without order; a prime, so that every host has its turn. */
const STRIDE = 7919

interface Times {
  /** Microseconds of every decision after the first ones. */
  readonly all: number[]
  /** The least that each write took: what the decision costs where nothing else takes the core meanwhile. */
  readonly least: number[]
}

export async function measureDecisions(): Promise<Row[]> {
  const small = worldOfHosts(SMALL)
  const large = worldOfHosts(LARGE)
  return [...WRITES.flatMap((write) => rowsOf(write, small, large)), auditRow(large)]
}

function rowsOf(write: Write, small: World, large: World): Row[] {
  const count = write.wide === true ? WIDE_WRITES_MEASURED : WRITES_MEASURED
  const changes = [changesOf(write, small, SMALL, count), changesOf(write, large, LARGE, count)] as const
  const times = [newTimes(count), newTimes(count)] as const
  const spin = newTimes(count)
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (let at = 0; at < count; at++) {
      note(
        times[0],
        repeat,
        at,
        timed(() => judge(write, changes[0][at], small))
      )
      note(
        times[1],
        repeat,
        at,
        timed(() => judge(write, changes[1][at], large))
      )
      note(spin, repeat, at, timed(busy))
    }
  }
  const [few, many] = times
  if (write.wide === true) {
    return [{ what: `${write.name}, of ${LARGE / 100} hosts, p50`, measured: percentile(many.all, 0.5), unit: 'µs' }]
  }
  const at = (size: number) => `${write.name}, ${size.toLocaleString('en')} hosts`
  return [
    {
      what: `${at(LARGE)}, p50`,
      measured: percentile(many.all, 0.5),
      unit: 'µs',
      baseline: { what: `${SMALL} hosts`, measured: percentile(few.all, 0.5) },
      bar: { of: 'ratio', most: 1.3 }
    },
    { what: `${at(LARGE)}, p99 undisturbed`, measured: percentile(many.least, 0.99), unit: 'µs', bar: { of: 'measured', most: 200 } },
    {
      what: `${at(LARGE)}, p99 on this machine`,
      measured: percentile(many.all, 0.99),
      unit: 'µs',
      baseline: { what: 'busy loop of 150 µs', measured: percentile(spin.all, 0.99) }
    }
  ]
}

function changesOf(write: Write, world: World, hosts: number, count: number): Change[] {
  return Array.from({ length: count }, (_, at) => write.change(world, (at * STRIDE) % hosts))
}

function newTimes(count: number): Times {
  return { all: [], least: new Array<number>(count).fill(Infinity) }
}

function note({ all, least }: Times, repeat: number, at: number, microseconds: number): void {
  if (repeat < WARM_UP) return
  all.push(microseconds)
  least[at] = Math.min(least[at] ?? Infinity, microseconds)
}

function timed(work: () => void): number {
  const start = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - start) / 1000
}

/** A wrong decision is no measurement. */
function judge(write: Write, change: Change | undefined, world: World): void {
  if (change === undefined) throw new Error('no change')
  const { verdict, message } = decide(change, world, DEFAULT_POLICY, 0)
  if (verdict !== write.verdict) throw new Error(`${write.name}: ${verdict} instead of ${write.verdict}: ${message}`)
}

/** Does nothing for about as long as a decision takes: what its p99 is above that is the machine's. */
function busy(): void {
  const end = process.hrtime.bigint() + 150_000n
  while (process.hrtime.bigint() < end);
}

function auditRow(world: World): Row {
  const seconds = timed(() => audit(world, DEFAULT_POLICY)) / 1e6
  return { what: `audit of ${LARGE.toLocaleString('en')} hosts`, measured: seconds, unit: 's' }
}
