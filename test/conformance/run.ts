// node test/conformance/run.ts DIR EXPECTED.jsonl [--print]
// Compares the worlds of a folder with what Istio's own code made of them, or prints our own lines.
import { differences } from './compare.ts'
import { ourLine, readLines } from './worlds.ts'

const [directory, expected] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
if (directory === undefined || expected === undefined) {
  process.stderr.write('usage: npm run -s conformance -- DIR EXPECTED.jsonl [--print]\n')
  process.exit(2)
}
const lines = readLines(expected)
if (process.argv.includes('--print')) {
  for (const line of lines) say(JSON.stringify(ourLine(directory, line)))
} else {
  const sections = new Map<string, { cases: number; agree: number }>()
  for (const line of lines) {
    const found = differences(ourLine(directory, line), line)
    for (const difference of found) say(`${line.case}: ${difference}`)
    const section = line.case.slice(0, 1)
    const { cases, agree } = sections.get(section) ?? { cases: 0, agree: 0 }
    sections.set(section, { cases: cases + 1, agree: agree + (found.length === 0 ? 1 : 0) })
  }
  const agree = [...sections.values()].reduce((sum, section) => sum + section.agree, 0)
  for (const [name, section] of sections) say(`section ${name}: ${section.agree} of ${section.cases} agree`)
  say(`${agree} of ${lines.length} cases agree`)
  process.exitCode = agree === lines.length ? 0 : 1
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
