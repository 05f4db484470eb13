/** Every plan that has ever gone wrong goes well. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Plan } from './plan.ts'
import { simulate } from './simulation.ts'

const CORPUS = join(import.meta.dirname, 'corpus')

for (const file of readdirSync(CORPUS)) {
  const { found, plan } = JSON.parse(readFileSync(join(CORPUS, file), 'utf8')) as { found: string; plan: Plan }
  t.test(found, async (t) => t.strictSame((await simulate(plan)).violations, []))
}
