/** The short form of `npm run serial-writes`. */
import t from 'tap'
import { describe, serialWrites, table } from './serial-writes.ts'

t.setTimeout(30 * 60_000)

t.test('serial dependent writes through two replicas with late watches get the verdict of perfect knowledge', async (t) => {
  const { kinds, mismatches, lost, stepReads } = await serialWrites({ writes: 300, seed: 7 })
  t.same(mismatches.map(describe), [])
  t.ok(
    Object.values(lost).every((count) => count > 0),
    JSON.stringify(lost)
  )
  t.equal(stepReads, 0, 'a weight step between destinations already carried reads nothing')
  t.comment(table(kinds))
})
