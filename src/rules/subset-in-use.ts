import type { Deployment } from '../kinds/deployment.ts'
import type { DestinationRule } from '../kinds/destination-rule.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { hostKey } from '../mesh/names/hosts.ts'
import { type Labels, sameLabels, selectorKey, selects } from '../mesh/names/labels.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { gapRule } from './gap-rule.ts'
import { ADDED_TO_PODS, without } from './releases.ts'
import type { Draft, Subject } from './rule.ts'
import { destinationName, loss, place, routeOwner, sends } from './wording.ts'

export const subsetInUse = gapRule({
  id: 'subset-in-use',
  on: ['DestinationRule'],
  summary: 'a subset that still carries requests is removed, renamed, relabelled away from its Pods, or hidden',
  description:
    'A route goes on sending to a subset after its DestinationRule lost it: those requests get 503. The same happens when the labels of the subset ' +
    "change so that no Ready Pod has them, and when a new DestinationRule - in the client's own namespace, for a more specific host, or merged " +
    'differently - takes the place of the one that defines the subset, even if it was written for another purpose.',
  remedy: 'Move the requests away in the VirtualService first, then change the DestinationRule.',
  explain: (gap, subject) => ({
    path: subsetPath(subject, gap),
    message: `${loss(gap)}: ${place(subject, gap)} still ${sends(gap)} ${destinationName(gap.destination)}, ${lost(subject, gap)}`,
    remedy: `First ${remedyFor(subject, gap)}, then ${subject.operation === 'DELETE' ? 'delete this' : 'apply this again'}`
  }),
  besides: labelledByHand
})

function definedBy(rule: DestinationRule | null, gap: Gap) {
  return rule?.subsets.find(({ name }) => name === gap.destination?.subset)
}

/** The write, and not what clients do with the endpoints, is why the subset has none. */
function isRelabelled({ before, after }: Subject<'DestinationRule'>, gap: Gap): boolean {
  const [old, now] = [before, after].map((rule) => definedBy(rule, gap)?.labels)
  return old === undefined || now === undefined ? gap.destination?.subset !== null : !sameLabels(old, now)
}

function subsetPath(subject: Subject<'DestinationRule'>, gap: Gap) {
  const field = hidingField(subject, gap)
  if (field !== null) return ['spec', field]
  return definedBy(subject.after, gap)?.path ?? (subject.after === null ? [] : ['spec', 'subsets'])
}

/** The field by which the write takes a subset away that it goes on defining; null where it is none. */
function hidingField({ before, after }: Subject<'DestinationRule'>, gap: Gap): 'host' | 'exportTo' | 'workloadSelector' | null {
  if (gap.cause === 'no-endpoints' || before === null || after === null) return null
  if (definedBy(before, gap) === undefined || definedBy(after, gap) === undefined) return null
  if (hostKey(before.host) !== hostKey(after.host)) return 'host'
  if (before.exportTo.join() !== after.exportTo.join()) return 'exportTo'
  return sameLabels(before.workloadSelector ?? {}, after.workloadSelector ?? {}) ? null : 'workloadSelector'
}

function lost(subject: Subject<'DestinationRule'>, gap: Gap): string {
  if (gap.cause === 'no-endpoints')
    return isRelabelled(subject, gap)
      ? 'whose new labels no Ready Pod has'
      : 'which has no Ready Pod and would no longer be called by its address (PASSTHROUGH)'
  if (subject.operation === 'DELETE') return 'which this deletes'
  const field = hidingField(subject, gap)
  if (field === 'host') return 'which this takes from that host by another spec.host'
  if (field === 'exportTo') return `which this no longer exports to namespace ${gap.context.namespace}`
  if (field === 'workloadSelector') return 'which this keeps for the clients that its spec.workloadSelector selects'
  return definedBy(subject.before, gap) === undefined ? `which ${subject.nameOf(subject.written)} would hide` : 'which this removes'
}

function remedyFor(subject: Subject<'DestinationRule'>, gap: Gap): string {
  if (gap.cause === 'no-endpoints')
    return `wait until ${isRelabelled(subject, gap) ? 'a Ready Pod has the new labels' : 'it has a Ready Pod'}, or move the requests away in ${subject.nameOf(routeOwner(gap))}`
  const route = subject.nameOf(routeOwner(gap))
  if (subject.operation === 'DELETE') return `let ${route} send to the host without a subset, or delete it`
  const move = `move the requests to another subset in ${route}`
  const field = hidingField(subject, gap)
  if (field === 'host') return `${move}, or leave spec.host and write a DestinationRule of its own for the other host`
  if (field !== null) return `${move}, or leave spec.${field} as it is`
  const hides = definedBy(subject.before, gap) === undefined
  return hides ? `add subset "${gap.destination?.subset}" to this DestinationRule` : move
}

/** Subsets with new labels that Pods have and no template gives them: the next restart of those Pods leaves the subset empty. */
function labelledByHand({ before, after, snapshotAfter }: Subject<'DestinationRule'>): Draft[] {
  if (after === null) return []
  const [service] = snapshotAfter.lookup('serviceByHost', after.host)
  if (service === undefined || service.selector === null) return []
  const { namespace, selector } = service
  return after.subsets.flatMap((subset) => {
    const old = before?.subsets.find(({ name }) => name === subset.name)
    if (old === undefined || sameLabels(old.labels, subset.labels)) return []
    const labels = without(subset.labels, ADDED_TO_PODS)
    const wanted = { ...selector, ...labels }
    const isMade = templatesOf(snapshotAfter, namespace, selector).length > 0
    if (!isMade || templatesOf(snapshotAfter, namespace, wanted).length > 0) return []
    if (!podsSelected(snapshotAfter, namespace, wanted).some(({ ready }) => ready)) return []
    const added = Object.keys(labels).filter((key) => !Object.hasOwn(old.labels, key))
    return [
      {
        path: subset.path,
        message: `no template gives Pods the label ${added.map((key) => `"${key}"`).join(', ')} of subset "${subset.name}": the next restart of its Pods leaves it empty`,
        remedy: 'Add the label to the Pod template of the workload'
      }
    ]
  })
}

/** The workloads of a namespace whose Pods a selector takes. */
function templatesOf(snapshot: Snapshot, namespace: string, selector: Labels): Deployment[] {
  const [key] = selectorKey(namespace, selector)
  return key === undefined
    ? []
    : [...snapshot.lookup('deploymentByLabel', key)].filter(({ templateLabels }) => selects(selector, templateLabels))
}
