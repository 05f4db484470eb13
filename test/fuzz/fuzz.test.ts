/** A bounded run of the fuzzers, the same each time; `npm run fuzz -- --minutes 60` runs them at random and for longer. */
import fc from 'fast-check'
import t from 'tap'
import { howMany } from '../form.ts'
import { assertRead, manifestTexts } from './manifests.ts'
import { reviewCases, reviewTarget } from './reviews.ts'
import { wireCases, wireTarget } from './wire.ts'

const SEED = 20_261_125

// On a busy machine; a case that hangs ends the test all the same.
t.setTimeout(20 * 60_000)

t.test('whatever is sent as a review, the answer is well-formed, and the next review gets one', async (t) => {
  const { ask } = await reviewTarget(t)
  await fc.assert(fc.asyncProperty(reviewCases, ask), { seed: SEED, numRuns: howMany(300, 1500) })
  t.pass()
})

t.test('whatever bytes come in place of HTTP, they are answered or cut off, and the next review gets an answer', async (t) => {
  const ask = await wireTarget(t)
  await fc.assert(fc.asyncProperty(wireCases, ask), { seed: SEED, numRuns: howMany(60, 300) })
  t.pass()
})

t.test('whatever stands in a manifest file, it is read or refused with its place, and nothing breaks', async (t) => {
  await fc.assert(fc.asyncProperty(manifestTexts, assertRead), { seed: SEED, numRuns: howMany(200, 1000) })
  t.pass()
})
