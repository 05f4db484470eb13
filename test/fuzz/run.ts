/**
 * `npm run fuzz -- --minutes 60`: the fuzzers in turns, at random, each turn in a thread of its own that must go on answering. Ends with 1 and the
 * counterexample at the first find; `--seed` and `--turns` repeat one.
 */
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import fc from 'fast-check'
import { assertRead, manifestTexts } from './manifests.ts'
import { reviewCases, reviewTarget } from './reviews.ts'
import { wireCases, wireTarget } from './wire.ts'

const RUNS_A_TURN = 2000
/** A case takes milliseconds; the largest some seconds on a busy machine. */
const HANG_MS = 60_000

const WHAT = ['reviews', 'manifests', 'wire'] as const

interface Turn {
  readonly seed: number
  readonly what: (typeof WHAT)[number]
}

if (isMainThread) process.exitCode = await main()
else await play(workerData as Turn)

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, turns: { type: 'string', default: 'Infinity' } }
  })
  const until = performance.now() + Number(values.minutes) * 60_000
  const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
  let turns = 0
  while (performance.now() < until && turns < Number(values.turns)) {
    const turn: Turn = { seed: first + turns, what: WHAT[turns++ % WHAT.length] ?? 'reviews' }
    const fault = await watched(turn)
    if (fault !== null) {
      process.stdout.write(`${turn.what}, seed ${turn.seed}: ${fault}\n`)
      return 1
    }
  }
  process.stdout.write(`${turns * RUNS_A_TURN} cases, nothing found\n`)
  return 0
}

/** What a turn found, or the case at which it fell silent; null for nothing. */
function watched(turn: Turn): Promise<string | null> {
  const worker = new Worker(import.meta.filename, { workerData: turn })
  const { promise, resolve } = Promise.withResolvers<string | null>()
  let last: unknown = null
  const silent = () => resolve(`no answer for ${HANG_MS} ms to ${JSON.stringify(last)}`)
  let timer = setTimeout(silent, HANG_MS)
  worker.on('message', (message: { asked: unknown } | { fault: string | null }) => {
    clearTimeout(timer)
    if ('fault' in message) return resolve(message.fault)
    last = message.asked
    timer = setTimeout(silent, HANG_MS)
  })
  worker.on('error', (error) => resolve(`${error.stack} at ${JSON.stringify(last)}`))
  return promise.finally(() => {
    clearTimeout(timer)
    return worker.terminate()
  })
}

async function play({ seed, what }: Turn): Promise<void> {
  const ends: (() => Promise<void>)[] = []
  const after = { teardown: (end: () => Promise<void>) => ends.push(end) }
  const reported = <T>(assertion: (value: T) => Promise<void>) => {
    return async (value: T) => {
      parentPort?.postMessage({ asked: value })
      await assertion(value)
    }
  }
  const properties = {
    reviews: async () => fc.asyncProperty(reviewCases, reported((await reviewTarget(after)).ask)),
    manifests: async () => fc.asyncProperty(manifestTexts, reported(assertRead)),
    wire: async () => fc.asyncProperty(wireCases, reported(await wireTarget(after)))
  }
  const property = await properties[what]()
  const { failed, counterexample, errorInstance } = await fc.check<[unknown]>(property as fc.IAsyncProperty<[unknown]>, {
    seed,
    numRuns: RUNS_A_TURN
  })
  const fault = failed ? `${String(errorInstance)}\n${JSON.stringify(counterexample)}` : null
  parentPort?.postMessage({ fault })
  for (const end of ends) await end()
}
