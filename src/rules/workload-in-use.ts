import type { Rule, Subject } from './rule.ts'
import { byRoute, destinationName, loss, place, routeOwner, sends, state } from './wording.ts'

export const workloadInUse: Rule = {
  id: 'workload-in-use',
  on: ['Deployment'],
  summary: 'the last Ready Pods behind a carried destination go away',
  description:
    'Deleting a Deployment, scaling it to 0, or giving its Pods other labels takes its Pods from the destinations that they back. Where no other Ready ' +
    'Pod - of any owner - backs a destination that a VirtualService still sends to, those requests get 503.',
  remedy: 'Move the requests to another version in the VirtualService first.',
  reads: ['Deployment', 'Pod', 'VirtualService', 'DestinationRule', 'Service'],
  check: (subject) =>
    state(subject.opened, byRoute, (gap) => ({
      severity: 'deny',
      object: { kind: 'Deployment', namespace: subject.before?.namespace ?? '', name: subject.before?.name ?? '' },
      path: changedField(subject),
      message: `${loss(gap)}: ${place(subject, gap)} still ${sends(gap)} ${destinationName(gap.destination)}, whose last Ready Pods ${act(subject)}`,
      remedy: `First move the requests to another version in ${subject.nameOf(routeOwner(gap))}, then do this again`
    }))
}

function changedField({ after }: Subject) {
  if (after?.kind !== 'Deployment') return []
  return after.replicas === 0 ? ['spec', 'replicas'] : ['spec', 'template', 'metadata', 'labels']
}

function act({ operation, after }: Subject): string {
  if (operation === 'DELETE') return 'this deletes'
  return after?.kind === 'Deployment' && after.replicas === 0 ? 'this scales to 0' : 'this relabels'
}
