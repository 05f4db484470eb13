/** Random releases can be played again. */
import t from 'tap'
import { randomScripts } from './random-scripts.ts'

const writes = (seed: number) =>
  randomScripts(5, seed).map(({ steps }) => steps.map((step) => ('what' in step ? step.what : step.do)).join('; '))

t.test('the same seed makes the same releases, and another one others', async (t) => {
  t.same(writes(1), writes(1))
  t.strictNotSame(writes(1), writes(2))
})

t.test('no two of one seed are alike, and each has a way out', async (t) => {
  t.equal(new Set(writes(1)).size, 5)
  for (const release of writes(1)) t.match(release, /VirtualService all to v2; DestinationRule drops v1; Deployment v1 deleted$/)
})
