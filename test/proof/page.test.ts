/** The pages on the proof say what its record says. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { controlledFaults } from './controllers.ts'
import { page, readmeWith } from './page.ts'
import type { ProofRecord } from './record.ts'
import { settleFaults } from './settle.ts'
import { versionFaults } from './versions.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const record = JSON.parse(read('docs/proof.json')) as ProofRecord

t.test('docs/proof.md and the part of the README are made from docs/proof.json', async (t) => {
  t.equal(read('docs/proof.md'), page(record))
  t.equal(read('README.md'), readmeWith(read('README.md'), record))
})

t.test('nothing in the record was as it must not be', async (t) => {
  t.ok(record.releases.length > 0)
  t.ok(record.settle.length > 0)
  t.same(
    [
      ...record.releases.flatMap(({ faults }) => faults),
      ...settleFaults(record.settle),
      ...record.controlled.flatMap(controlledFaults),
      ...record.versions.flatMap(versionFaults)
    ],
    []
  )
})
