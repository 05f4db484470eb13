import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import t from 'tap'
import { agreeing, playSet, reachedSoFar, SETS } from './ratchet.ts'

interface Disagreement {
  readonly case: string
  readonly statement: string
  readonly reason: string
}

const argued = load(readFileSync(join(import.meta.dirname, 'disagreements.yaml'), 'utf8')) as Disagreement[]
const reached = reachedSoFar()

for (const set of SETS) {
  t.test(`hitless answers the requests of ${set} worlds as Istio does, and judges writes no worse than it did`, async (t) => {
    const played = await playSet(set)
    t.ok(played.length > 0)
    for (const { transition, differences } of played) {
      if (argued.some((each) => each.case === transition.case)) t.not(differences.length, 0, `${transition.case} is listed and differs`)
      else t.strictSame(differences, [], transition.case)
    }
    const now = agreeing(played)
    for (const [kind, count] of Object.entries(reached[set] ?? {})) t.ok((now[kind] ?? 0) >= count, `${kind}: ${now[kind]} of ${count}`)
  })
}
