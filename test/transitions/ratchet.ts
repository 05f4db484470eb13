/** The agreement that was reached: what is checked in only grows. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import { isCounted, judged } from './agreement.ts'
import { type Played, playTransition, readTransitions } from './transition.ts'

export const WORLDS = join(import.meta.dirname, 'worlds')
export const SETS = ['named', 'random-1', 'hunted'] as const
const FILE = join(import.meta.dirname, 'verdicts.yaml')

/** By set, then by kind of write. */
export type Reached = Readonly<Record<string, Readonly<Record<string, number>>>>

export function reachedSoFar(): Reached {
  return load(readFileSync(FILE, 'utf8')) as Reached
}

export async function playSet(set: string): Promise<Played[]> {
  const played: Played[] = []
  for (const transition of readTransitions(join(WORLDS, `${set}.jsonl`))) {
    if (!transition.rejected) played.push(await playTransition(join(WORLDS, set), transition))
  }
  return played
}

export function agreeing(played: readonly Played[]): Record<string, number> {
  const kinds = Map.groupBy(played, ({ transition }) => transition.write.kind)
  return Object.fromEntries(
    [...kinds].sort().map(([kind, some]) => [kind, some.filter((each) => isCounted(each) && judged(each) === 'agrees').length])
  )
}

/** Writes what is reached now, where that is more. */
export async function raise(): Promise<void> {
  const before = reachedSoFar()
  const [comment = ''] = readFileSync(FILE, 'utf8').split('\n')
  const now: Record<string, Record<string, number>> = {}
  for (const set of SETS) {
    const counts = agreeing(await playSet(set))
    now[set] = Object.fromEntries(Object.entries(counts).map(([kind, count]) => [kind, Math.max(count, before[set]?.[kind] ?? 0)]))
  }
  writeFileSync(FILE, `${comment}\n${dump(now)}`)
}
