/** What was found, as every form of a report takes it. */
import type { Place } from '../manifests/manifests.ts'
import type { Severity } from '../rules/rule.ts'

export interface Reported {
  readonly rule: string
  readonly severity: Severity
  /** What is wrong, and what to do. */
  readonly text: string
  /** `VirtualService prod/reviews` */
  readonly object: string
  /** null where it stands in no file. */
  readonly place: Place | null
}

/** What was looked at as one: a write, or an object of a state. */
export interface Case {
  readonly name: string
  /** The file of it, or what stands for one. */
  readonly group: string
  readonly findings: readonly Reported[]
}

export function isDenial({ severity }: Reported): boolean {
  return severity === 'deny'
}
