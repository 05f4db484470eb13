/** The least of a plan that still goes wrong: parts are left out one after another, as long as what is left fails. */
import type { Plan, Writer } from './plan.ts'

/** Gives up after so many plans, and says what it has then. */
const MOST_TRIES = 300

export async function shrink(plan: Plan, fails: (plan: Plan) => Promise<boolean>): Promise<Plan> {
  let least = plan
  let tries = 0
  for (let found = true; found; ) {
    found = false
    for (const smaller of smallerThan(least)) {
      if (++tries > MOST_TRIES) return least
      if (!(await fails(smaller))) continue
      least = smaller
      found = true
      break
    }
  }
  return least
}

/** Large parts first. */
function* smallerThan(plan: Plan): Iterable<Plan> {
  const { initial, writers, weather } = plan
  for (const writer of writers) yield { ...plan, writers: writers.filter((each) => each !== writer) }
  for (const each of weather) yield { ...plan, weather: weather.filter((other) => other !== each) }
  for (const writer of writers) {
    for (const step of [...writer.steps].reverse())
      yield withSteps(
        plan,
        writer,
        writer.steps.filter((each) => each !== step)
      )
  }
  for (const request of [...initial].reverse()) yield { ...plan, initial: initial.filter((each) => each !== request) }
  if (plan.replicas > 1) yield { ...plan, replicas: plan.replicas - 1 }
  if (plan.refusals > 0) yield { ...plan, refusals: 0 }
  if (plan.settleMs > 0) yield { ...plan, settleMs: 0 }
  if (plan.pageLimit < 500) yield { ...plan, pageLimit: 500 }
  if (plan.quota < 1000) yield { ...plan, quota: 1000 }
  if (plan.hopMs > 2) yield { ...plan, hopMs: 2 }
  if (plan.storeMs > 3) yield { ...plan, storeMs: 3 }
  if (plan.refusalMs > 5) yield { ...plan, refusalMs: 5 }
  if (plan.podMs > 50) yield { ...plan, podMs: 50 }
}

function withSteps(plan: Plan, writer: Writer, steps: Writer['steps']): Plan {
  return { ...plan, writers: plan.writers.map((each) => (each === writer ? { ...writer, steps } : each)) }
}
