/** The simulation finds what it is there for: each planted fault, within a few hundred plans. */
import t from 'tap'
import { planOf } from './generate.ts'
import {
  believesItself,
  deafToDeletions,
  forgetsItself,
  listsFromTheCache,
  type Planted,
  readsNothing,
  readsOnlyTheUnseen,
  readsWithoutEnd
} from './planted.ts'
import { simulate } from './simulation.ts'

t.setTimeout(20 * 60_000)

const PLANS = 400

const MUTANTS: Readonly<Record<string, Planted>> = {
  readsNothing: { state: readsNothing },
  readsOnlyTheUnseen: { state: readsOnlyTheUnseen },
  listsFromTheCache: { state: listsFromTheCache },
  believesItself: { state: believesItself },
  forgetsItself: { state: forgetsItself },
  readsWithoutEnd: { state: readsWithoutEnd },
  deafToDeletions: { transport: deafToDeletions }
}

for (const [name, planted] of Object.entries(MUTANTS)) {
  t.test(`a replica that ${name} is found`, async (t) => {
    let found: string | undefined
    for (let seed = 1; seed <= PLANS && found === undefined; seed++) {
      const { violations } = await simulate(planOf(seed), { planted })
      found = violations[0] && `seed ${seed}: ${violations[0].what}`
    }
    t.ok(found, `${found ?? 'not'} by ${PLANS} plans`)
  })
}
