// npm run -s mutations [-- WORLD...] changes every object of the named worlds field by field: verdicts that differ from what requests lose.
// With --ratchet it writes them down as the most that the test allows.
import { writeFileSync } from 'node:fs'
import { differences, worlds } from './judged.ts'
import { KNOWN, knownText } from './known.ts'

const chosen = process.argv.slice(2).filter((word) => !word.startsWith('--'))
const { count, found } = differences(worlds(chosen))
for (const [key, places] of [...found].sort((one, other) => other[1].length - one[1].length))
  say(`${places.length} ${key}\n    ${places[0]}`)
const wrong = [...found.values()].reduce((sum, { length }) => sum + length, 0)
if (process.argv.includes('--ratchet') && chosen.length === 0) writeFileSync(KNOWN, knownText(found))
say(`${count - wrong} of ${count} mutants judged by what their requests lose`)

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
