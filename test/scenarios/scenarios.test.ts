/** Every scenario, on what the cluster holds and with a cache that is one write behind. */
import t from 'tap'
import { play, type Scenario } from '../../src/sandbox/scenario.ts'
import { Behind } from './behind.ts'
import { type PlayedWrite, playBoth, scenarios } from './matrix.ts'
import { EITHER, NOT_PLAYED, REFUSED, ROWS, UNSEEN } from './rows.ts'

// Too long for the group `fast`.
t.setTimeout(900_000)

const all = scenarios()
/** By their rows. */
const writesSeen = new Map<string, PlayedWrite[]>()

for (const each of all) {
  t.test(each.scenario.name, async (t) => {
    const { writes, mismatches } = await playBoth(each)
    for (const write of writes) for (const row of write.rows) writesSeen.set(row, [...(writesSeen.get(row) ?? []), write])
    t.ok(writes.length > 0)
    t.ok(
      writes.every(({ expected }) => expected !== undefined),
      'each write says what it expects'
    )
    t.same(mismatches, [])
  })
}

t.test('without fresh reads a cache one write behind does give wrong verdicts', async (t) => {
  const wrong = async (scenario: Scenario) => {
    const steps = await play(scenario, Date.now, (sandbox) => new Behind(sandbox, 'behind'))
    return steps.some(({ failure }) => failure !== null)
  }
  const found = await Promise.all(all.map(({ scenario }) => wrong(scenario)))
  t.ok(found.filter(Boolean).length >= 10, `${found.filter(Boolean).length} of ${all.length} scenarios go wrong`)
})

t.test('everything that tools were seen to write is played, or said why not', async (t) => {
  const played = new Set(all.flatMap(({ rows }) => rows))
  t.same(
    ROWS.filter((row) => !played.has(row) && !(row in NOT_PLAYED)),
    [],
    'rows without a scenario'
  )
  t.same(
    [...played].filter((row) => !ROWS.includes(row)),
    [],
    'rows that are not in the list'
  )
  t.same(
    Object.keys(NOT_PLAYED).filter((row) => played.has(row) || !ROWS.includes(row)),
    [],
    'reasons that are not needed'
  )
})

t.test('what tools must be able to write is admitted, and what opens a gap refused', async (t) => {
  for (const row of ROWS.filter((row) => !(row in NOT_PLAYED) && !UNSEEN.includes(row))) {
    const seen = (writesSeen.get(row) ?? []).map(({ fresh }) => fresh)
    const refused = seen.includes('deny')
    const admitted = seen.some((verdict) => verdict !== 'deny')
    const isRight = EITHER.includes(row) ? admitted && refused : REFUSED.includes(row) ? refused : admitted && !refused
    t.ok(isRight, `${row}: ${seen.join(' ')}`)
  }
})
