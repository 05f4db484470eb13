/** Every scenario, with a fresh view and with a cache one write behind: the verdicts as they should be and as they are. `npm run scenarios` prints them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Verdict } from '../../src/review/decision.ts'
import { type PlayedStep, play, readScenarios, type Scenario as ScenarioFile } from '../../src/sandbox/scenario.ts'
import { Behind } from './behind.ts'
import { rowsAt, rowsIn } from './rows.ts'

export interface Scenario {
  readonly scenario: ScenarioFile
  /** The rows that it plays. */
  readonly rows: readonly string[]
  readonly lines: readonly string[]
}

export interface Played {
  readonly writes: readonly PlayedWrite[]
  /** What is not as expected, in words. */
  readonly mismatches: readonly string[]
}

export interface PlayedWrite {
  readonly rows: readonly string[]
  readonly expected: Verdict | undefined
  readonly fresh: Verdict
  readonly behind: Verdict | undefined
}

/** The scenarios of this folder. */
export function scenarios(): Scenario[] {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.yaml'))
  return files.flatMap((name) => {
    const file = join(import.meta.dirname, name)
    const text = readFileSync(file, 'utf8')
    const documents = text.split(/^---\n/m)
    return readScenarios(file).map((scenario, at) => ({ scenario, rows: rowsIn(documents[at] ?? ''), lines: text.split('\n') }))
  })
}

export async function playBoth({ scenario, lines }: Scenario): Promise<Played> {
  const fresh = await play(scenario, Date.now)
  const behind = await play(scenario, Date.now, (sandbox) => new Behind(sandbox))
  const expected = scenario.writes.filter((write) => (write.apply ?? write.scale ?? write.delete) !== undefined)
  const writes = fresh.map(({ line, verdict }, at) => ({
    rows: rowsAt(lines, line),
    expected: expected[at]?.expect,
    fresh: verdict,
    behind: behind[at]?.verdict
  }))
  const unexpected = fresh.flatMap((step) => (step.failure === null ? [] : [`${place(step)}: ${step.failure}`]))
  // A warning rests on the cache alone; what is refused never does.
  const late = behind.flatMap((step, at) =>
    (step.verdict === 'deny') === (expected[at]?.expect === 'deny') ? [] : [`${place(step)}: ${step.verdict} with a cache one write behind`]
  )
  return { writes, mismatches: [...unexpected, ...late] }
}

function place({ line, operation, object }: PlayedStep): string {
  return `${line}: ${operation} ${object}`
}

const LETTERS: Readonly<Record<Verdict, string>> = { allow: 'a', warn: 'w', deny: 'D' }

function letter(verdict: Verdict | undefined): string {
  return verdict === undefined ? '?' : LETTERS[verdict]
}

function lineOf({ scenario, rows }: Scenario, { writes }: Played): string[] {
  const letters = (of: 'expected' | 'fresh' | 'behind') => writes.map((write) => letter(write[of])).join('')
  return [scenario.name, rows.join(' '), letters('expected'), letters('fresh'), letters('behind')]
}

function aligned(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

if (import.meta.main) {
  const all = await Promise.all(scenarios().map(async (each) => ({ each, played: await playBoth(each) })))
  const mismatches = all.flatMap(({ each, played }) => played.mismatches.map((mismatch) => `${each.scenario.file}:${mismatch}`))
  const writes = all.reduce((sum, { played }) => sum + played.writes.length, 0)
  const head = ['scenario', 'writes of tools', 'expected', 'fresh', 'behind']
  process.stdout.write(`${aligned([head, ...all.map(({ each, played }) => lineOf(each, played))])}\n\n`)
  process.stdout.write(
    `${writes} writes, one letter each: a admitted, w admitted with a warning, D denied; behind: with a cache one write behind\n`
  )
  for (const mismatch of mismatches) process.stdout.write(`MISMATCH ${mismatch}\n`)
  process.stdout.write(`${all.length} scenarios, ${mismatches.length} mismatches\n`)
  process.exitCode = mismatches.length === 0 ? 0 : 1
}
