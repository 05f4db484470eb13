/** Every scenario, with a fresh view and with a cache one write behind: the verdicts as they should be and as they are. `npm run scenarios` prints them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type PlayedStep, play, readScenarios, type Scenario } from '../../src/cli/scenario.ts'
import { Behind } from './behind.ts'
import { rowsIn } from './rows.ts'

export interface Played {
  readonly scenario: Scenario
  readonly rows: readonly string[]
  readonly fresh: readonly PlayedStep[]
  readonly behind: readonly PlayedStep[]
  /** What is not as expected, in words. */
  readonly mismatches: readonly string[]
}

/** The scenarios of this folder, and the rows that each plays. */
export function scenarios(): { scenario: Scenario; rows: string[] }[] {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.yaml'))
  return files.flatMap((name) => {
    const file = join(import.meta.dirname, name)
    const texts = readFileSync(file, 'utf8').split(/^---\n/m)
    return readScenarios(file).map((scenario, at) => ({ scenario, rows: rowsIn(texts[at] ?? '') }))
  })
}

export async function playBoth({ scenario, rows }: { scenario: Scenario; rows: readonly string[] }): Promise<Played> {
  const fresh = await play(scenario, Date.now)
  const behind = await play(scenario, Date.now, (sandbox) => new Behind(sandbox))
  const unexpected = fresh.flatMap(({ failure, line, operation, object }) =>
    failure === null ? [] : [`${line}: ${operation} ${object}: ${failure}`]
  )
  // A warning rests on the cache alone; what is refused never does.
  const late = behind.flatMap((step, at) =>
    isRefused(step) === isRefused(fresh[at])
      ? []
      : [`${step.line}: ${step.operation} ${step.object}: ${step.verdict} with a cache one write behind`]
  )
  return { scenario, rows, fresh, behind, mismatches: [...unexpected, ...late] }
}

function isRefused(step: PlayedStep | undefined): boolean {
  return step?.verdict === 'deny'
}

function print({ scenario, rows, fresh, behind, mismatches }: Played): void {
  const verdicts = (steps: readonly PlayedStep[]) => steps.map(({ verdict }) => verdict).join(' ')
  process.stdout.write(`${scenario.name}${rows.length === 0 ? '' : ` (${rows.join(' ')})`}\n`)
  process.stdout.write(`  fresh:  ${verdicts(fresh)}\n  behind: ${verdicts(behind)}\n`)
  for (const mismatch of mismatches) process.stdout.write(`  MISMATCH ${mismatch}\n`)
}

if (import.meta.main) {
  let mismatches = 0
  let writes = 0
  const all = scenarios()
  for (const each of all) {
    const played = await playBoth(each)
    print(played)
    mismatches += played.mismatches.length
    writes += played.fresh.length
  }
  process.stdout.write(`${all.length} scenarios, ${writes} writes, each fresh and one write behind: ${mismatches} mismatches\n`)
  process.exitCode = mismatches === 0 ? 0 : 1
}
