import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Labels } from '../mesh/names/labels.ts'
import { own } from '../mesh/names/own.ts'
import { compareText } from '../mesh/names/text.ts'
import type { Rule, Subject } from './rule.ts'
import { changeBehind } from './service-change.ts'
import { byRoute, destinationName, loss, place, sends, severityOf, state } from './wording.ts'

/** Argo Rollouts switches selectors by this label before it scales the new ReplicaSet: a denial would stop it for good. */
const ROLLOUTS_HASH = 'rollouts-pod-template-hash'

export const selectorInUse: Rule = {
  id: 'selector-in-use',
  on: ['Service'],
  summary: 'a changed Service leaves a carried destination with no Ready Pod',
  description:
    'A subset reaches only Pods that the selector of its Service takes as well. A new selector - one with a version label, say - can leave a subset, or the ' +
    'whole Service, without any Ready Pod. Those requests get 503. Changes by Argo Rollouts to its own label are warned of only.',
  remedy: 'Keep the selector to the app label, or move the requests away first.',
  reads: ['Service', 'Pod', 'VirtualService', 'DestinationRule'],
  check: (subject) =>
    state(
      subject.opened.filter((gap) => changeBehind(subject, gap) === 'selector'),
      byRoute,
      (gap) => ({
        severity: isRolloutsSwitch(subject) ? 'warn' : severityOf(subject, gap),
        object: { kind: 'Service', namespace: subject.after?.namespace ?? '', name: subject.after?.name ?? '' },
        path: ['spec', 'selector'],
        message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, which the changed selector leaves without a Ready Pod`,
        remedy: remedyFor(subject, gap)
      })
    )
}

/** A version label pins the Service to one release; any other that Pods lack they can be given first. */
function remedyFor({ before, after, labelKeys, nameOf }: Subject, { source }: Gap): string {
  const selector = after?.kind === 'Service' ? (after.selector ?? {}) : {}
  const old = before?.kind === 'Service' ? (before.selector ?? {}) : {}
  const fresh = Object.entries(selector).filter(([key, value]) => own(old, key) !== value)
  if (fresh.some(([key]) => labelKeys.version.includes(key))) {
    return `Leave version labels out of the selector${source === null ? '' : `, or first move the requests away in ${nameOf(source)}`}`
  }
  const labels = fresh.map(([key, value]) => `"${key}: ${value}"`).join(' and ')
  return labels === ''
    ? 'First wait until a Pod that the new selector takes is Ready'
    : `First give the Pods label ${labels} and wait until one is Ready, then apply this again`
}

/** Nothing but the hash by which Argo Rollouts tells its ReplicaSets apart changes, and it is the one that writes. */
function isRolloutsSwitch({ before, after, tool }: Subject): boolean {
  if (tool !== 'argo-rollouts') return false
  if (before?.kind !== 'Service' || after?.kind !== 'Service') return false
  return JSON.stringify(withoutHash(before.selector)) === JSON.stringify(withoutHash(after.selector))
}

function withoutHash(selector: Labels | null): [string, string][] {
  return Object.entries(selector ?? {})
    .filter(([key]) => key !== ROLLOUTS_HASH)
    .sort(([one], [other]) => compareText(one, other))
}
