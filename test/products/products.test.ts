/** Two lists of strangers that meet are never multiplied without bound: in a process of little memory, others' writes are judged, and in bounded work. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import type { Judged } from './judge.run.ts'
import { PRODUCTS } from './products.ts'

const HEAP_MB = 256
const MOST_WRITE_STEPS = 2_000_000
const MOST_AUDIT_STEPS = 2_500_000

// On a busy machine; a product without bound would take hours, or end the process.
t.setTimeout(900_000)

const { stdout } = await promisify(execFile)(
  process.execPath,
  [`--max-old-space-size=${HEAP_MB}`, join(import.meta.dirname, 'judge.run.ts')],
  {
    maxBuffer: 10_000_000
  }
)
const results = new Map(
  stdout
    .trim()
    .split('\n')
    .map((line): [string, Judged] => {
      const result: Judged = JSON.parse(line)
      return [result.product, result]
    })
)

for (const product of Object.keys(PRODUCTS)) {
  t.test(product, async (t) => {
    const { verdicts = [], notJudged = '', warnings = 0, writeSteps = 0, auditSteps = 0 } = results.get(product) ?? {}
    const [harmful, harmless, own] = verdicts
    t.equal(harmful, 'deny', 'what takes the last subset of a host is refused, whatever strangers send there')
    t.not(harmless, 'deny')
    t.not(own, 'deny')
    t.ok(warnings <= 5, `${warnings} warnings`)
    if (notJudged !== '') t.match(notJudged, /were not judged: (a (VirtualService|DestinationRule) of another namespace|too m)/)
    t.ok(writeSteps < MOST_WRITE_STEPS, `a write takes ${writeSteps} steps`)
    t.ok(auditSteps < MOST_AUDIT_STEPS, `the audit takes ${auditSteps} steps between two hosts`)
  })
}
