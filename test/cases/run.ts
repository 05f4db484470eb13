// npm run -s cases [-- --write] plays every case: what each write should get, what it gets, and with which message. --write keeps the messages (texts.txt).
import { writeFileSync } from 'node:fs'
import { caseFiles, FILES, playFile, runFile, TEXTS, texts } from './cases.ts'

let writes = 0
let good = 0
for (const file of caseFiles()) {
  for (const { name, steps, errors } of await playFile(file)) {
    say(`${file}: ${name}`)
    for (const { message } of errors) say(`  cannot be played: ${message}`)
    for (const { operation, object, verdict, failure, findings, message, warnings } of steps) {
      const rules = [...new Set(findings.map(({ rule }) => rule))].join(', ')
      say(`  ${failure === null ? 'as expected' : failure}: ${verdict} ${operation} ${object}${rules === '' ? '' : ` [${rules}]`}`)
      for (const line of message === '' ? warnings : [message]) say(`      ${line}`)
    }
    writes += steps.length + errors.length
    good += steps.filter(({ failure }) => failure === null).length
  }
}
for (const each of FILES) {
  const { exit, text } = await runFile(each)
  const isGood = exit === each.exit && each.says.test(text)
  if (!isGood) say(`${each.args.join(' ')}: expected exit code ${each.exit}, ${each.says}, got ${exit}\n${text}`)
  writes += 1
  if (isGood) good += 1
}
if (process.argv.includes('--write')) writeFileSync(TEXTS, await texts())
say(`${good} of ${writes} as expected`)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
