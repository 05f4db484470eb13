/** Writes after public reports (reports/b01 to b29): each document a scenario with the verdict of a tool that understands Istio. The comments name the reports. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import { HitlessError } from '../../src/errors.ts'
import { type PlayedStep, play, readScenarios } from '../../src/sandbox/scenario.ts'

export const REPORTS = join(import.meta.dirname, 'reports')
const REACHED = join(import.meta.dirname, 'reached.yaml')

export interface Case {
  /** Below reports. */
  readonly file: string
  readonly name: string
  readonly steps: readonly PlayedStep[]
  /** Why it could not be played; '' otherwise. */
  readonly error: string
}

export function caseFiles(): string[] {
  return globSync(['b*.yaml', 'files/*.scenario.yaml'], { cwd: REPORTS }).sort()
}

export async function playFile(file: string): Promise<Case[]> {
  const played: Case[] = []
  try {
    for (const scenario of readScenarios(join(REPORTS, file))) {
      played.push({ file, name: scenario.name, steps: await play(scenario, Date.now), error: '' })
    }
  } catch (error) {
    if (!(error instanceof HitlessError)) throw error
    played.push({ file, name: '', steps: [], error: error.message })
  }
  return played
}

export function asExpected(played: readonly Case[]): number {
  return played.flatMap(({ steps }) => steps).filter(({ failure }) => failure === null).length
}

/** How many writes of each file come out as expected: what is checked in only grows. */
export type Reached = Readonly<Record<string, number>>

export function reachedSoFar(): Reached {
  return load(readFileSync(REACHED, 'utf8')) as Reached
}

export function raise(now: Reached): void {
  const before = reachedSoFar()
  const [comment = ''] = readFileSync(REACHED, 'utf8').split('\n')
  const raised = Object.entries(now).map(([file, count]) => [file, Math.max(count, before[file] ?? 0)])
  writeFileSync(REACHED, `${comment}\n${dump(Object.fromEntries(raised))}`)
}
