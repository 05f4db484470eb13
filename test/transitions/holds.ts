/** A set of transitions as a test: our answers are Istio's but for those that are argued, and no more verdicts differ than did. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import type { Test } from 'tap'
import { agreeing, playSet, reachedSoFar } from './ratchet.ts'

interface Disagreement {
  readonly case: string
  readonly statement: string
  readonly reason: string
}

const argued = load(readFileSync(join(import.meta.dirname, 'disagreements.yaml'), 'utf8')) as Disagreement[]

export async function holds(t: Test, set: string): Promise<void> {
  const played = await playSet(set)
  t.ok(played.length > 0)
  for (const { transition, differences } of played) {
    if (argued.some((each) => each.case === transition.case)) t.not(differences.length, 0, `${transition.case} is listed and differs`)
    else t.strictSame(differences, [], transition.case)
  }
  const now = agreeing(played)
  for (const [kind, count] of Object.entries(reachedSoFar()[set] ?? {})) {
    t.ok((now[kind] ?? 0) >= count, `${kind}: ${now[kind]} verdicts agree, ${count} did`)
  }
}
