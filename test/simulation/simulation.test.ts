/** Whatever writers, networks and other webhooks do, hitless keeps its word; and what a seed finds once, it finds again. */
import t from 'tap'
import { howMany } from '../form.ts'
import { planOf } from './generate.ts'
import type { Writer } from './plan.ts'
import { simulate } from './simulation.ts'

const PLANS = { first: 1, last: howMany(40, 150) }

t.setTimeout(20 * 60_000)

t.test('the same seed gives the same trace', async (t) => {
  for (const seed of [1, 2, 3]) {
    const [once, again] = [await simulate(planOf(seed)), await simulate(planOf(seed))]
    t.ok(once.trace.length > 50, `${once.trace.length} lines`)
    t.strictSame(again, once)
  }
})

t.test('no admitted write opens a gap, and no refused one was harmless', async (t) => {
  const sum = { admitted: 0, refused: 0 }
  for (let seed = PLANS.first; seed <= PLANS.last; seed++) {
    const { violations, counts } = await simulate(planOf(seed))
    t.strictSame(violations, [], `seed ${seed}`)
    sum.admitted += counts.admitted
    sum.refused += counts.refused
  }
  t.ok(sum.admitted > 3 * PLANS.last && sum.refused > 2 * PLANS.last, JSON.stringify(sum))
})

t.test('what is admitted and never made is forgotten', async (t) => {
  const quick = (writer: Writer): Writer => ({
    ...writer,
    steps: Array.from({ length: 15 }, () => writer.steps).flat(),
    stopsAtRefusal: false
  })
  const plan = planOf(7)
  const { counts, mostPending, violations } = await simulate({
    ...plan,
    replicas: 1,
    refusals: 1,
    refusalMs: 5,
    writers: plan.writers.map(quick)
  })
  t.strictSame(violations, [])
  t.equal(counts.admitted, 0)
  t.ok(mostPending > 0, `${mostPending} at once`)
  t.ok(mostPending < 100, `${mostPending} at once`)
})
