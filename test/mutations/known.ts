/** The differences that are known, each with how many mutants of the named worlds show it, and why it stays. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import { JUDGED_KINDS } from '../../src/kinds/index.ts'

export const KNOWN = join(import.meta.dirname, 'known.yaml')

const COMMENT =
  '# Mutants that are judged otherwise than their requests lose, by kind. The test lets none of these grow, nor be without a reason; `npm run -s mutations -- --ratchet` writes them down.'

export interface KnownDifference {
  readonly mutants: number
  readonly reason: string
}

/** By kind, then by difference. */
export type Known = Readonly<Record<string, Readonly<Record<string, KnownDifference>>>>

export function known(): Known {
  return load(readFileSync(KNOWN, 'utf8')) as Known
}

/** Of a difference that was known before, the reason stays. */
export function knownText(found: ReadonlyMap<string, readonly string[]>): string {
  const before = known()
  const sorted = [...found].sort()
  const ofKind = (kind: string) =>
    sorted
      .filter(([key]) => key.startsWith(`${kind}: `))
      .map(([key, places]) => {
        const difference = key.slice(kind.length + 2)
        return [difference, { mutants: places.length, reason: before[kind]?.[difference]?.reason ?? '' }] as const
      })
  return `${COMMENT}\n${dump(Object.fromEntries(JUDGED_KINDS.map((kind) => [kind, Object.fromEntries(ofKind(kind))])), { lineWidth: -1 })}`
}
