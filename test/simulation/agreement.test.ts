/** The real API server is the judge of the simulated one: the same scripts, played on both, are answered and watched the same. */
import t from 'tap'
import { played } from './played.ts'
import { randomScript, SCRIPT, type ScriptStep } from './script.ts'
import { realTarget, simulatedTarget } from './targets.ts'

t.setTimeout(5 * 60_000)

const SCRIPTS: Readonly<Record<string, readonly ScriptStep[]>> = {
  'all that the API server does': SCRIPT,
  'a hundred routes and rules at random': randomScript(1, 100)
}

for (const [name, script] of Object.entries(SCRIPTS)) {
  t.test(`${name} is answered and watched the same by a real API server`, async (t) => {
    const { target, stop } = await realTarget()
    t.teardown(stop)
    const real = await played(target, script)
    const simulated = await played(await simulatedTarget(), script)
    t.strictSame(simulated.answers, real.answers)
    t.strictSame(simulated.watches, real.watches)
    t.ok(real.answers.filter((answer) => answer.includes('hitless')).length > 5, 'hitless refuses some of it')
  })
}
