import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Labels } from '../mesh/names/labels.ts'
import { compareText } from '../mesh/names/text.ts'
import type { Rule, Subject } from './rule.ts'
import { byRoute, destinationName, loss, place, sends, state } from './wording.ts'

/** Argo Rollouts switches selectors by this label before it scales the new ReplicaSet: a denial would stop it for good. */
const ROLLOUTS_HASH = 'rollouts-pod-template-hash'
const ROLLOUTS_MANAGED = 'argo-rollouts.argoproj.io/managed-by-rollouts'

export const selectorInUse: Rule = {
  id: 'selector-in-use',
  on: ['Service'],
  summary: 'a changed Service leaves a carried destination with no Ready Pod',
  description:
    'A subset reaches only Pods that the selector of its Service takes as well. A new selector - one with a version label, say - can leave a subset, or the ' +
    'whole Service, without any Ready Pod; and a removed port leaves its routes without a cluster. Those requests get 503. Changes by Argo Rollouts to its own label are warned of only.',
  remedy: 'Keep the selector to the app label, or move the requests away first.',
  reads: ['Service', 'Pod', 'VirtualService', 'DestinationRule'],
  check: (subject) =>
    subject.operation === 'DELETE'
      ? []
      : state(subject.opened, byRoute, (gap) => ({
          severity: isRolloutsSwitch(subject) ? 'warn' : 'deny',
          object: { kind: 'Service', namespace: subject.after?.namespace ?? '', name: subject.after?.name ?? '' },
          path: gap.cause === 'port' ? ['spec', 'ports'] : ['spec', 'selector'],
          message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, ${lost(gap)}`,
          remedy: remedyFor(gap)
        }))
}

function lost({ cause, destination }: Gap): string {
  return cause === 'port' ? `which would no longer have port ${destination?.port}` : 'which the changed selector leaves without a Ready Pod'
}

function remedyFor({ cause, virtualService }: Gap): string {
  if (cause === 'port') return 'First move the requests to another port, then apply this again'
  return virtualService === null
    ? 'First wait until a Pod that the new selector takes is Ready, then apply this again'
    : 'Leave version labels out of the selector, or first move the requests away in the VirtualService'
}

function isRolloutsSwitch({ before, after }: Subject): boolean {
  if (before?.kind !== 'Service' || after?.kind !== 'Service') return false
  if (Object.hasOwn(after.annotations, ROLLOUTS_MANAGED) && Object.hasOwn(after.selector ?? {}, ROLLOUTS_HASH)) return true
  return JSON.stringify(withoutHash(before.selector)) === JSON.stringify(withoutHash(after.selector))
}

function withoutHash(selector: Labels | null): [string, string][] {
  return Object.entries(selector ?? {})
    .filter(([key]) => key !== ROLLOUTS_HASH)
    .sort(([one], [other]) => compareText(one, other))
}
