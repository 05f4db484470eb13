import { WORKLOAD_KINDS, type WorkloadKind } from '../kinds/index.ts'
import { type Gap, gapsOfChange } from '../mesh/gaps/gaps.ts'
import { overlay } from '../mesh/snapshot/snapshot.ts'
import { podsOwned } from '../mesh/snapshot/workloads.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Subject } from './rule.ts'
import { destinationName, loss, worst } from './wording.ts'

export const allAtOnce = hygieneRule({
  id: 'all-at-once',
  on: WORKLOAD_KINDS,
  summary: 'an update restarts every Pod behind a carried destination at once',
  description:
    'With strategy Recreate, or a rolling update that may take all replicas and add none, Kubernetes ends every old Pod before a new one is Ready. For as long as a Pod takes to start, ' +
    'requests to what only these Pods back get 503.',
  remedy: 'Use strategy RollingUpdate with maxSurge of at least 1 and maxUnavailable 0.',
  find: (subject) => {
    const gap = worst(unanswered(subject))
    const { after } = subject
    if (gap === undefined || after === null) return []
    return [
      {
        path: ['spec', 'strategy'],
        message: `${loss(gap)} for as long as a Pod takes to start: this restarts all Pods of ${subject.nameOf(after)} at once, and no others back ${destinationName(gap.destination)}`,
        remedy: 'Use strategy RollingUpdate with maxSurge 1 and maxUnavailable 0'
      }
    ]
  }
})

/** What goes unanswered between the last old Pod and the first new one. */
function unanswered({ before, after, snapshotBefore, snapshotAfter, targets }: Subject<WorkloadKind>): readonly Gap[] {
  if (before === null || after === null) return []
  if (after.restart === '' || after.restart === before.restart || before.replicas === 0) return []
  const between = overlay(snapshotAfter, { removed: podsOwned(snapshotAfter, after) })
  return gapsOfChange(snapshotBefore, between, targets).opened
}
