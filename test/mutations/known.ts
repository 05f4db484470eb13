/** The differences that are known, each with how many mutants of the named worlds show it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dump, load } from 'js-yaml'
import { JUDGED_KINDS } from '../../src/kinds/index.ts'

export const KNOWN = join(import.meta.dirname, 'known.yaml')

const COMMENT =
  '# Mutants that are judged otherwise than their requests lose, by kind. The test lets none of these grow; `npm run -s mutations -- --ratchet` writes them down.'

/** By kind, then by difference. Deleting a Namespace is teardown, and is never refused (docs/architecture.md). */
export type Known = Readonly<Record<string, Readonly<Record<string, number>>>>

export function known(): Known {
  return load(readFileSync(KNOWN, 'utf8')) as Known
}

export function knownText(found: ReadonlyMap<string, readonly string[]>): string {
  const sorted = [...found].sort()
  const ofKind = (kind: string) =>
    sorted.filter(([key]) => key.startsWith(`${kind}: `)).map(([key, places]) => [key.slice(kind.length + 2), places.length])
  return `${COMMENT}\n${dump(Object.fromEntries(JUDGED_KINDS.map((kind) => [kind, Object.fromEntries(ofKind(kind))])), { lineWidth: -1 })}`
}
