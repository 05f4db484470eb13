/** Who may exempt from what, asked only of rules whose denial an annotation claims to be let past. */
import type { Author, Change } from '../review/change.ts'
import type { Policy } from '../review/policy.ts'

/** Whether an author may let objects of a namespace past a rule. */
export type MayExempt = (author: Author, namespace: string, rule: string, signal: AbortSignal) => Promise<boolean>

export interface AccessOptions {
  /** Absent where there is nobody to ask: then everybody may. */
  readonly mayExempt?: MayExempt
  readonly policy: () => Policy
}

/** What is known of the access of one change's author. */
export class Access {
  readonly #options: AccessOptions
  readonly #change: Change
  readonly #answers = new Map<string, boolean>()

  constructor(options: AccessOptions, change: Change) {
    this.#options = options
    this.#change = change
  }

  readonly mayExempt = (rule: string): boolean => !this.#isChecked() || this.#answers.get(rule) === true

  unasked(rules: readonly string[]): string[] {
    return this.#options.mayExempt === undefined ? [] : [...new Set(rules)].filter((rule) => !this.#answers.has(rule))
  }

  /** Never rejects: who cannot be asked about is not allowed. */
  async ask(rules: readonly string[], signal: AbortSignal): Promise<void> {
    const { author, ref } = this.#change
    const asked = rules.map(async (rule) => {
      this.#answers.set(rule, (await this.#options.mayExempt?.(author, ref.namespace, rule, signal).catch(() => false)) === true)
    })
    await Promise.all(asked)
  }

  #isChecked(): boolean {
    return this.#options.mayExempt !== undefined && this.#options.policy().exemptionsNeedAccess
  }
}
