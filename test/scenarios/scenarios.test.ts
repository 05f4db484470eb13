import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { play, readScenarios } from '../../src/cli/scenario.ts'

const files = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => join(import.meta.dirname, name))

for (const file of files) {
  for (const scenario of readScenarios(file)) {
    t.test(scenario.name, async (t) => {
      for (const { operation, object, line, failure } of await play(scenario, Date.now))
        t.equal(failure, null, `${line}: ${operation} ${object}`)
    })
  }
}
