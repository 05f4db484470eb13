import type { Finding } from '../rules/rule.ts'
import type { Change } from './change.ts'

export type Verdict = 'allow' | 'warn' | 'deny'

/** The answer to one change. */
export interface Decision {
  readonly verdict: Verdict
  /** Every finding that counts, in a stable order: denials first. */
  readonly findings: readonly Finding[]
  /** One line of at most 1 KiB; '' unless denied. */
  readonly message: string
  /** At most 120 characters each. */
  readonly warnings: readonly string[]
  readonly auditAnnotations: Readonly<Record<string, string>>
}

/** Judges a change; `signal` ends when the API server no longer waits for the answer. Rejects only where no judgement could be made. */
export type Reviewer = (change: Change, signal: AbortSignal) => Promise<Decision>
