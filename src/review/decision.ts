import type { Finding } from '../rules/rule.ts'
import type { Change } from './change.ts'

export type Verdict = 'allow' | 'warn' | 'deny'

/**
 * How an answer came about. `bypassed`: none of hitless' business, or admitted whatever it does. `no-op`: nothing that decides about
 * requests changes. `unjudged`: too little was known, and policy said what to answer.
 */
export type Outcome = 'bypassed' | 'no-op' | 'judged' | 'unjudged'

/** The answer to one change. */
export interface Decision {
  readonly verdict: Verdict
  readonly outcome: Outcome
  /** It would be a denial, but for the policy's `mode: observe`. */
  readonly observed: boolean
  /** Every finding that counts, in a stable order: denials first. */
  readonly findings: readonly Finding[]
  /** One line of at most 1 KiB; '' unless denied, or observed. */
  readonly message: string
  /** At most 120 characters each. */
  readonly warnings: readonly string[]
  readonly auditAnnotations: Readonly<Record<string, string>>
  /** Rules whose denial the object's annotation asks to be let past, where its writer may not (or has yet to be asked about). */
  readonly claims: readonly string[]
  /** Rules whose denial became a warning by the object's annotation. */
  readonly exempted: readonly string[]
}

/** What refuses the write, or would: ids of rules; `settle` or `stale` where too little was known in time. Empty where nothing does. */
export function refusedBy({ verdict, observed, outcome, findings }: Decision): readonly string[] {
  if (verdict !== 'deny' && !observed) return []
  const rules = new Set(findings.filter(({ severity }) => severity === 'deny').map(({ rule }) => rule))
  return rules.size > 0 ? [...rules] : [outcome === 'unjudged' ? 'stale' : 'settle']
}

/** Who waits for the answer. */
export interface Asker {
  /** The API server, as far as is known: the review of a stranger is answered, and nothing is kept of it. */
  readonly isBelieved: boolean
  /** Milliseconds until the answer must be given. */
  readonly remainingMs: () => number
  /** Told when the review begins (1) and ceases (-1) to be held: it costs nothing meanwhile and counts against no limit. */
  readonly held: (change: 1 | -1) => void
}

/** Judges a change; `signal` ends when the API server no longer waits for the answer. Rejects only where no judgement could be made. */
export type Reviewer = (change: Change, signal: AbortSignal, asker?: Asker) => Promise<Decision>
