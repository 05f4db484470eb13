/** The real API server is the judge of the simulated one: the same script, played on both, is answered and watched the same. */
import t from 'tap'
import { played } from './played.ts'
import { realTarget, simulatedTarget } from './targets.ts'

t.setTimeout(5 * 60_000)

t.test('a script is answered and watched the same by a real API server', async (t) => {
  const { target, stop } = await realTarget()
  t.teardown(stop)
  const real = await played(target)
  const simulated = await played(await simulatedTarget())
  t.strictSame(simulated.answers, real.answers)
  t.strictSame(simulated.watches, real.watches)
})
