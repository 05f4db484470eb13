/** One replica of hitless: the code that `hitless serve` runs, on the simulated clock and network. */
import { fixedTime } from '../../src/admission/fixed-time.ts'
import { createReviewer } from '../../src/admission/judge.ts'
import { RecentChanges } from '../../src/admission/recent-changes.ts'
import { parseReview } from '../../src/admission/review.ts'
import { DEFAULT_KINDS, LiveCluster } from '../../src/cluster/live-cluster.ts'
import type { ClusterEvent } from '../../src/cluster/observe.ts'
import type { Kind, MeshObject } from '../../src/kinds/index.ts'
import { sleep } from '../../src/kubernetes/clock.ts'
import { Connection, type Reader, type Transport } from '../../src/kubernetes/connection.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import type { Asker, Decision, Reviewer } from '../../src/review/decision.ts'
import type { Policy } from '../../src/review/policy.ts'
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import type { ReviewBody } from './attempt.ts'
import { unlessAborted } from './network.ts'

export interface ReplicaOptions {
  readonly name: string
  readonly clock: VirtualClock
  readonly random: Random
  readonly transport: Transport
  readonly policy: Policy
  readonly settleMs: number
  /** What the reviewer is given in place of the replica's own state: where a fault is planted. */
  readonly planted: (state: State) => State
  readonly observe: (event: ClusterEvent) => void
}

const READER: Reader = {
  current: async () => ({ server: 'https://server', proxy: null, namespace: 'hitless-system', headers: {}, tls: {} }),
  reload: () => undefined
}

export class Replica {
  readonly name: string
  readonly cluster: LiveCluster
  readonly #clock: VirtualClock
  readonly #reviewer: Reviewer
  readonly #state: State
  readonly #controller = new AbortController()
  #synced = false
  held = 0

  constructor({ name, clock, random, transport, policy, settleMs, planted, observe }: ReplicaOptions) {
    this.name = name
    this.#clock = clock
    const nowMs = () => clock.now()
    const wait = async (ms: number, signal: AbortSignal) => {
      await sleep(clock, ms, signal)
      signal.throwIfAborted()
    }
    const propagation = fixedTime({ settleMs: () => settleMs, nowMs, sleep: wait })
    const recent = new RecentChanges(propagation, nowMs)
    this.cluster = new LiveCluster({
      source: { kubeconfig: null, context: null },
      connection: new Connection(READER, clock, () => transport),
      clock,
      random,
      observe: (event) => {
        observe(event)
        if (event.type === 'changed' && this.#synced) recent.note(event.before, event.after)
      }
    })
    this.#state = planted(this.cluster)
    this.#reviewer = createReviewer({
      state: this.#state,
      policy: () => policy,
      nowMs,
      sleep: wait,
      onNews: (shown, stored) => recent.note(shown, stored),
      settle: { propagation, recent },
      onTimeout: () => 'warn'
    })
  }

  get isReady(): boolean {
    return this.#synced && this.cluster.health().fresh
  }

  start(): void {
    this.cluster.start(this.#controller.signal).then(
      () => {
        this.#synced = true
      },
      () => undefined
    )
  }

  stop(): Promise<void> {
    this.#controller.abort(new Error('the replica was stopped'))
    return this.cluster.ended()
  }

  /** As `POST /validate` answers. `judging` is told when a judgement begins: what was held is judged again. */
  async review(body: ReviewBody, remainingMs: () => number, signal: AbortSignal, judging: () => void): Promise<Decision> {
    const { change, warnings } = parseReview(body, this.#state.snapshot())
    if (change === null) return { ...ADMITTED, warnings }
    const asker: Asker = {
      isBelieved: true,
      remainingMs,
      held: (held) => {
        this.held += held
        if (held === -1) judging()
      }
    }
    judging()
    const overdue = new AbortController()
    const cancel = this.#clock.after(remainingMs(), () => overdue.abort(new Error('no judgement before the deadline of the API server')))
    const ended = AbortSignal.any([signal, this.#controller.signal, overdue.signal])
    return unlessAborted(this.#reviewer(change, ended, asker), ended).finally(cancel)
  }

  kinds(): readonly Kind[] {
    return DEFAULT_KINDS
  }

  objects(kind: Kind): MeshObject[] {
    return [...this.cluster.snapshot().all(kind)]
  }
}
