// npm run -s cases [-- --ratchet] plays every case: what each write should get, what it gets, and with which message.
import { asExpected, caseFiles, playFile, raise } from './cases.ts'

const counts: Record<string, number> = {}
let writes = 0
for (const file of caseFiles()) {
  const played = await playFile(file)
  for (const { name, steps, error } of played) {
    say(`${file}: ${error === '' ? name : `cannot be played: ${error}`}`)
    for (const { operation, object, verdict, failure, findings, message, warnings } of steps) {
      const rules = [...new Set(findings.map(({ rule }) => rule))].join(', ')
      say(`  ${failure === null ? 'as expected' : failure}: ${verdict} ${operation} ${object}${rules === '' ? '' : ` [${rules}]`}`)
      for (const line of message === '' ? warnings : [message]) say(`      ${line}`)
    }
    writes += steps.length
  }
  counts[file] = asExpected(played)
}
if (process.argv.includes('--ratchet')) raise(counts)
const good = Object.values(counts).reduce((sum, count) => sum + count, 0)
say(`${good} of ${writes} writes as expected`)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
