/**
 * `npm run simulation -- --minutes 60`: plan after plan, each from the next seed. Ends with 1 at the first that goes wrong and prints its seed, what went
 * wrong, and the least of the plan that still does, as the corpus stores it. `--seed N --plans 1 --trace` shows one plan's every step.
 */
import { parseArgs } from 'node:util'
import { planOf } from './generate.ts'
import type { Plan } from './plan.ts'
import { shrink } from './shrink.ts'
import { simulate } from './simulation.ts'

process.exitCode = await main()

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string' },
      plans: { type: 'string', default: 'Infinity' },
      trace: { type: 'boolean', default: false }
    }
  })
  const until = performance.now() + Number(values.minutes) * 60_000
  const first = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
  const sum = new Map<string, number>()
  let plans = 0
  for (; performance.now() < until && plans < Number(values.plans); plans++) {
    const seed = first + plans
    const { counts, trace, violations } = await simulate(planOf(seed))
    if (values.trace) say(trace.join('\n'))
    for (const [name, count] of Object.entries(counts)) sum.set(name, (sum.get(name) ?? 0) + count)
    if (violations.length === 0) continue
    for (const { what, detail } of violations) say(`seed ${seed}: ${what}: ${detail}`)
    say(JSON.stringify(await least(planOf(seed), violations[0]?.what)))
    return 1
  }
  say(`${plans} plans from seed ${first}, nothing found: ${[...sum].map(([name, count]) => `${count} ${name}`).join(', ')}`)
  return 0
}

function least(plan: Plan, what: string | undefined): Promise<Plan> {
  return shrink(plan, async (smaller) => (await simulate(smaller)).violations.some((violation) => violation.what === what))
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
