import { ROLLOUT_HASH } from '../kinds/pod.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Labels } from '../mesh/names/labels.ts'
import { own } from '../mesh/names/own.ts'
import { compareText } from '../mesh/names/text.ts'
import { gapRule, severityOf } from './gap-rule.ts'
import type { Subject } from './rule.ts'
import { changeBehind } from './service-change.ts'
import { destinationName, loss, place, sends } from './wording.ts'

export const selectorInUse = gapRule({
  id: 'selector-in-use',
  on: ['Service'],
  summary: 'a changed Service leaves a carried destination with no Ready Pod',
  description:
    'A subset reaches only Pods that the selector of its Service takes as well. A new selector - one with a version label, say - can leave a subset, or the ' +
    'whole Service, without any Ready Pod. Those requests get 503. Changes by Argo Rollouts to its own label are warned of only.',
  remedy: 'Keep the selector to the app label, or move the requests away first.',
  explains: (subject) => subject.opened.filter((gap) => changeBehind(subject, gap) === 'selector'),
  explain: (gap, subject) => ({
    severity: isRolloutsSwitch(subject) ? 'warn' : severityOf(subject, gap),
    path: ['spec', 'selector'],
    message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, which ${cause(subject)}`,
    remedy: remedyFor(subject, gap)
  })
})

function cause({ before }: Subject<'Service'>): string {
  const name = before?.externalName ?? null
  return name === null ? 'the changed selector leaves without a Ready Pod' : `no longer stands for ${name}, and has no Ready Pod of its own`
}

/** A version label pins the Service to one release; any other that Pods lack they can be given first. */
function remedyFor({ before, after, labelKeys, nameOf }: Subject<'Service'>, { source }: Gap): string {
  if (before !== null && before.externalName !== null)
    return 'First wait until a Pod that the selector takes is Ready, then apply this again'
  const selector = after?.selector ?? {}
  const old = before?.selector ?? {}
  const fresh = Object.entries(selector).filter(([key, value]) => own(old, key) !== value)
  if (fresh.some(([key]) => labelKeys.version.includes(key))) {
    return `Leave version labels out of the selector${source === null ? '' : `, or first move the requests away in ${nameOf(source)}`}`
  }
  const labels = fresh.map(([key, value]) => `"${key}: ${value}"`).join(' and ')
  return labels === ''
    ? 'First wait until a Pod that the new selector takes is Ready'
    : `First give the Pods label ${labels} and wait until one is Ready, then apply this again`
}

/**
 * Nothing but the hash by which Argo Rollouts tells its ReplicaSets apart changes, and it is the one that writes: before it scales the new ReplicaSet, so that
 * a denial would stop it for good.
 */
function isRolloutsSwitch({ before, after, tool }: Subject<'Service'>): boolean {
  if (tool !== 'argo-rollouts' || before === null || after === null) return false
  return JSON.stringify(withoutHash(before.selector)) === JSON.stringify(withoutHash(after.selector))
}

function withoutHash(selector: Labels | null): [string, string][] {
  return Object.entries(selector ?? {})
    .filter(([key]) => key !== ROLLOUT_HASH)
    .sort(([one], [other]) => compareText(one, other))
}
