/** The Pods of a gateway: whether any is there to answer, and which they are after a change. */

import { type Pod, takesRequests } from '../../kinds/pod.ts'
import { sameLabels, withoutOwn } from '../names/labels.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { gatewayNames } from './gateways.ts'
import { scopeOf } from './scope.ts'
import type { Context } from './table.ts'

/** The Pods that a gateway's context stands for; none where the gateway is imagined, for want of any. */
function proxiesOf(snapshot: Snapshot, { namespace, labels }: Context): Pod[] {
  const found = [...snapshot.podsAnywhere(labels)]
  return found.filter((pod) => pod.namespace === namespace && sameLabels(withoutOwn(pod.labels), labels))
}

/** The gateway has Pods, and none of them is Ready. */
export function isDown(snapshot: Snapshot, context: Context): boolean {
  const pods = proxiesOf(snapshot, context)
  return pods.length > 0 && !isReady(pods)
}

/**
 * The same gateway after a change: its Pods may have got other labels, by which a Gateway still selects them. null where none of them is Ready
 * any longer, or none is selected. A gateway that has no Pod before it is imagined after it too.
 */
export function gatewayAfter(before: Snapshot, after: Snapshot, context: Context): Context | null {
  const pods = proxiesOf(before, context)
  if (pods.length === 0) return context
  if (isReady(proxiesOf(after, context))) return context
  const workloads = new Set(pods.map(({ namespace, workload }) => `${namespace}/${workload}`))
  const now = [...workloads].flatMap((workload) => [...after.lookup('podByWorkload', workload)])
  for (const { labels } of now.filter(takesRequests)) {
    const moved: Context = { ...context, labels: withoutOwn(labels) }
    if (gatewayNames(scopeOf(after, moved)).length > 0) return moved
  }
  return null
}

function isReady(pods: readonly Pod[]): boolean {
  return pods.some(takesRequests)
}
