/** The simulation finds what it is there for: each planted fault, within a few hundred plans. */
import t from 'tap'
import { certain, planOf } from './generate.ts'
import { believesItself, listsFromTheCache, type Planted, readsNothing, readsOnlyTheUnseen } from './planted.ts'
import { simulate } from './simulation.ts'

t.setTimeout(10 * 60_000)

const PLANS = 400

const MUTANTS: Readonly<Record<string, Planted>> = { readsNothing, readsOnlyTheUnseen, listsFromTheCache, believesItself }

for (const [name, planted] of Object.entries(MUTANTS)) {
  t.test(`a replica that ${name} is found`, async (t) => {
    let found: string | undefined
    for (let seed = 1; seed <= PLANS && found === undefined; seed++) {
      const { violations } = await simulate(certain(planOf(seed)), { planted })
      found = violations[0]?.what
    }
    t.ok(found, `by ${PLANS} plans`)
  })
}
