/** `hitless plan --cluster`. Apart from the rest, for whoever needs no cluster shall not wait until all that talks to one is loaded. */
import type { Manifest } from '../manifests/manifests.ts'
import { EXIT, type Io } from '../output/io.ts'
import { type Sequence, sequenceOf } from '../sandbox/planner.ts'
import { applyPlan } from './apply-plan.ts'
import { type WriterFlags, writingTo } from './cluster-writer.ts'
import { statesFrom } from './plan-states.ts'

export interface OnClusterOptions extends WriterFlags {
  readonly step?: number
  readonly apply: boolean
  readonly dryRun: boolean
}

/** Plans from what the cluster holds to `to`, tells the plan, and makes its writes where that is asked for. Gives the exit code. */
export function planOnCluster(
  former: readonly Manifest[],
  to: readonly Manifest[],
  options: OnClusterOptions,
  tell: (sequence: Sequence) => number,
  io: Io
): Promise<number> {
  return writingTo(options, io, async (writer, cluster) => {
    const now = { snapshot: cluster.snapshot(), objects: writer.objects }
    const { snapshot, differences, stored, starting } = await statesFrom(now, former, to, io.signal)
    const sequence = sequenceOf(snapshot, differences, { percent: options.step, starting })
    const exit = tell(sequence)
    return exit !== EXIT.ok || !options.apply ? exit : applyPlan(sequence, { writer, stored }, options.dryRun, io)
  })
}
