/** What the examples of a rule look like. The first of `finds` is also the example in the rule's documentation. */
import type { Manifest } from '../manifests.ts'

export interface Example {
  readonly name: string
  /** The world before the write; the guide's world where absent. */
  readonly given?: readonly Manifest[]
  readonly apply?: Manifest
  readonly delete?: Manifest
  /** The severity that the rule gives it; absent in examples that are safe. */
  readonly severity?: 'deny' | 'warn'
  /** A part of the finding's message and remedy. */
  readonly says?: string
}

export interface RuleExamples {
  readonly rule: string
  readonly finds: readonly Example[]
  readonly safe: readonly Example[]
}
