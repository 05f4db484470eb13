import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import t from 'tap'
import { differences } from './compare.ts'
import { type Line, ourLine, readLines } from './worlds.ts'

interface Disagreement {
  readonly case: string
  readonly statement: string
  readonly reason: string
}

const worlds = join(import.meta.dirname, 'worlds')
const expected = { named: readLines(join(worlds, 'named.jsonl')), random: readLines(join(worlds, 'random.jsonl')) }
const argued = load(readFileSync(join(import.meta.dirname, 'disagreements.yaml'), 'utf8')) as Disagreement[]

/** Ours, made once for all tests. */
const made = new Map<Line, Line>()

t.test('hitless makes of every named world what Istio makes of it', async (t) => {
  for (const line of expected.named) t.equal(verdict('named', line), '', title('named', line.case))
})

t.test('hitless makes of generated worlds what Istio makes of them', async (t) => {
  for (const line of expected.random) t.equal(verdict('random', line), '', line.case)
})

t.test("hitless takes for refused what Istio's own webhook or the schema refuses", async (t) => {
  for (const set of ['named', 'random'] as const) {
    for (const line of expected[set]) {
      const ours = oursOf(set, line)
      t.equal(ours.rejected.length, line.rejected.length, `${line.case}: ${ours.rejected.map(({ object }) => object)}`)
    }
  }
})

function oursOf(set: string, line: Line): Line {
  const known = made.get(line) ?? ourLine(join(worlds, set), line)
  made.set(line, known)
  return known
}

/** '' where the case agrees, or differs for a reason that is listed. */
function verdict(set: string, line: Line): string {
  const found = differences(oursOf(set, line), line).join('\n')
  if (!argued.some((each) => each.case === line.case)) return found
  return found === '' ? 'agrees, though it is listed in disagreements.yaml' : ''
}

/** A world says in its first lines which trap it is. */
function title(set: string, name: string): string {
  const [first = ''] = readFileSync(join(worlds, set, `${name}.yaml`), 'utf8').split('\n')
  return `${name}: ${first.replace(/^# ?/, '')}`
}
