import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Rule, Subject } from './rule.ts'
import { byRoute, destinationName, loss, place, routeOwner, sends, severityOf, state } from './wording.ts'

export const subsetInUse: Rule = {
  id: 'subset-in-use',
  on: ['DestinationRule'],
  summary: 'a subset that still carries requests is removed, renamed, relabelled away from its Pods, or hidden',
  description:
    'A route goes on sending to a subset after its DestinationRule lost it: those requests get 503. The same happens when the labels of the subset ' +
    "change so that no Ready Pod has them, and when a new DestinationRule - in the client's own namespace, for a more specific host, or merged " +
    'differently - takes the place of the one that defines the subset, even if it was written for another purpose.',
  remedy: 'Move the requests away in the VirtualService first, then change the DestinationRule.',
  reads: ['DestinationRule', 'VirtualService', 'Service', 'Pod'],
  check: (subject) =>
    state(subject.opened, byRoute, (gap) => ({
      severity: severityOf(subject, gap),
      object: written(subject),
      path: subsetPath(subject, gap),
      message: `${loss(gap)}: ${place(subject, gap)} still ${sends(gap)} ${destinationName(gap.destination)}, ${lost(subject, gap)}`,
      remedy: `First ${remedyFor(subject, gap)}, then apply this again`
    }))
}

function written({ before, after }: Subject) {
  const object = after ?? before
  return { kind: 'DestinationRule' as const, namespace: object?.namespace ?? '', name: object?.name ?? '' }
}

function definedBy(object: Subject['after'], gap: Gap) {
  return object?.kind === 'DestinationRule' ? object.subsets.find(({ name }) => name === gap.destination?.subset) : undefined
}

function subsetPath({ after }: Subject, gap: Gap) {
  return definedBy(after, gap)?.path ?? (after === null ? [] : ['spec', 'subsets'])
}

function lost(subject: Subject, gap: Gap): string {
  if (gap.cause === 'no-endpoints') return 'whose new labels no Ready Pod has'
  if (subject.operation === 'DELETE') return 'which this deletes'
  return definedBy(subject.before, gap) === undefined ? `which ${subject.nameOf(written(subject))} would hide` : 'which this removes'
}

function remedyFor(subject: Subject, gap: Gap): string {
  if (gap.cause === 'no-endpoints')
    return `wait until a Ready Pod has the new labels, or move the requests away in ${subject.nameOf(routeOwner(gap))}`
  const hides = subject.operation !== 'DELETE' && definedBy(subject.before, gap) === undefined
  if (hides) return `add subset "${gap.destination?.subset}" to this DestinationRule`
  return `move the requests to another subset in ${subject.nameOf(routeOwner(gap))}`
}
