/** A write is denied exactly where it costs requests, whichever field of whichever object it changes. */
import t from 'tap'
import { howMany } from '../form.ts'
import { differences, worlds } from './judged.ts'
import { known } from './known.ts'

t.setTimeout(4 * 60_000)

const EVERY = howMany(4, 1)

t.test('every field of every object of the named worlds, or of each fourth, changed, taken out and added', async (t) => {
  const allowed = known()
  const { count, found } = differences(worlds().filter((_, at) => at % EVERY === 0))
  t.ok(count > 5000 / EVERY, `${count} mutants`)
  for (const [key, places] of found) {
    const [kind = '', ...difference] = key.split(': ')
    const { mutants, reason } = allowed[kind]?.[difference.join(': ')] ?? { mutants: 0, reason: '' }
    t.ok(places.length <= mutants && reason !== '', `${key}: ${places.length}, the first ${places[0]}`)
  }
})
