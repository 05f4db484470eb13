/** Every scenario, on what the cluster holds and with a cache that is one write behind. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { play, readScenarios, type Scenario } from '../../src/cli/scenario.ts'
import { Behind } from './behind.ts'

const scenarios = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((name) => readScenarios(join(import.meta.dirname, name)))

const verdicts = (steps: readonly { verdict: string }[]) => steps.map(({ verdict }) => verdict).join(' ')

const refusals = (steps: readonly { verdict: string }[]) => steps.map(({ verdict }) => (verdict === 'deny' ? 'deny' : 'admit')).join(' ')

for (const scenario of scenarios) {
  t.test(scenario.name, async (t) => {
    const fresh = await play(scenario, Date.now)
    for (const { operation, object, line, failure } of fresh) t.equal(failure, null, `${line}: ${operation} ${object}`)
    const behind = await play(scenario, Date.now, (sandbox) => new Behind(sandbox))
    // A warning rests on the cache alone; what is refused never does.
    t.equal(refusals(behind), refusals(fresh), 'a cache one write behind')
    t.comment(`${scenario.name} | fresh: ${verdicts(fresh)} | behind: ${verdicts(behind)}`)
  })
}

t.test('without fresh reads a cache one write behind does give wrong verdicts', async (t) => {
  const wrong = async (scenario: Scenario) => {
    const steps = await play(scenario, Date.now, (sandbox) => new Behind(sandbox, 'behind'))
    return steps.some(({ failure }) => failure !== null)
  }
  const found = await Promise.all(scenarios.map(wrong))
  t.ok(found.filter(Boolean).length >= 10, `${found.filter(Boolean).length} of ${scenarios.length} scenarios go wrong`)
})
