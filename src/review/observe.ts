/** `mode: observe`: a refusal that is told, and not made. */
import type { Decision } from './decision.ts'
import { observation } from './message.ts'
import type { Policy } from './policy.ts'

/** The decision, with an admission and a warning in place of a denial where the policy only observes. */
export function observed(decision: Decision, { mode }: Policy): Decision {
  if (mode === 'enforce' || decision.verdict !== 'deny') return decision
  const { message, warnings, auditAnnotations } = decision
  return {
    ...decision,
    verdict: 'warn',
    observed: true,
    warnings: observation(message, warnings),
    auditAnnotations: { ...auditAnnotations, observed: 'would be refused' }
  }
}
