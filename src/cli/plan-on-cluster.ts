/** `hitless plan --cluster`. Apart from the rest, for whoever needs no cluster shall not wait until all that talks to one is loaded. */
import type { ClusterEvent } from '../cluster/observe.ts'
import { defaultConfig } from '../config.ts'
import { Objects } from '../kubernetes/objects.ts'
import type { Manifest } from '../manifests/manifests.ts'
import { EXIT, type Io } from '../output/io.ts'
import { line } from '../output/text.ts'
import { RULE_IDS } from '../rules/index.ts'
import { type Sequence, sequenceOf } from '../sandbox/planner.ts'
import { settleOf } from '../webhook/settle.ts'
import { applyPlan } from './apply-plan.ts'
import { followed, type SourceFlags, sourceOf } from './cluster-source.ts'
import { statesFrom } from './plan-states.ts'

export interface OnClusterOptions extends SourceFlags {
  readonly step?: number
  readonly apply: boolean
  readonly dryRun: boolean
  /** In seconds. */
  readonly timeout: number
  readonly istiodAccount: string
}

/**
 * Plans from what the cluster holds to `to`, tells the plan, and makes its writes where that is asked for. The cluster is followed from the first look to
 * the last write, so that each write is judged on what is there then. Gives the exit code.
 */
export function planOnCluster(
  former: readonly Manifest[],
  to: readonly Manifest[],
  options: OnClusterOptions,
  tell: (sequence: Sequence) => number,
  io: Io
): Promise<number> {
  const { settle: defaults } = defaultConfig(RULE_IDS)
  const settings = { settle: { ...defaults, mode: 'exact' as const, serviceAccount: options.istiodAccount } }
  let isTold = false
  const onAsked = (problem: unknown) => {
    if (problem === null || isTold) return
    isTold = true
    const reason = problem instanceof Error ? problem.message : String(problem)
    io.err(
      line(
        [`istiod cannot be asked (${reason}): what a write leans on is given ${defaults.milliseconds / 1000} s to reach the proxies`],
        false
      )
    )
  }
  const ended = new AbortController()
  const settle = settleOf(() => settings, onAsked, { ...io, signal: ended.signal })
  const observe = (event: ClusterEvent) => {
    if (event.type !== 'changed') return
    settle.heard(event.before, event.after)
    settle.recent.note(event.before, event.after)
  }
  return followed(
    sourceOf(options, io.env),
    io,
    async (cluster) => {
      settle.follow(cluster)
      const objects = new Objects(cluster.connection)
      const { snapshot, differences, stored, starting } = await statesFrom({ snapshot: cluster.snapshot(), objects }, former, to, io.signal)
      const sequence = sequenceOf(snapshot, differences, { percent: options.step, starting })
      const exit = tell(sequence)
      if (exit !== EXIT.ok || !options.apply) return exit
      return applyPlan(sequence, { cluster, settle, stored }, { dryRun: options.dryRun, timeoutMs: options.timeout * 1000 }, io)
    },
    observe
  ).finally(() => ended.abort())
}
