/** Hitless as the API server sees it: a Service in front of replicas, of which each review goes to one. */
import { deadlineMs } from '../../src/server/deadline.ts'
import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { type Asked, type Attempt, isHitlessAsked } from './attempt.ts'
import { unlessAborted } from './network.ts'
import type { Replica } from './replica.ts'
import type { Webhook } from './writes.ts'

const TIMEOUT_MS = 10_000

export interface HitlessWebhookOptions {
  readonly clock: VirtualClock
  /** One way takes up to so long. */
  readonly hopMs: number
  /** Those that the Service has as endpoints. */
  readonly replicas: () => readonly Replica[]
  /** What etcd holds. */
  readonly revision: () => number
  /** The replica has answered with an error, or not at all. */
  readonly unanswered: (attempt: Attempt, replica: Replica, error: unknown) => void
}

export class HitlessWebhook implements Webhook {
  readonly name = 'hitless.io'
  readonly #options: HitlessWebhookOptions
  #answers = 0

  constructor(options: HitlessWebhookOptions) {
    this.#options = options
  }

  isAsked(asked: Asked): boolean {
    return isHitlessAsked(asked)
  }

  async ask(attempt: Attempt, random: Random, signal: AbortSignal): Promise<string | null> {
    const { clock, hopMs, replicas, unanswered } = this.#options
    const startedMs = clock.now()
    const ended = new AbortController()
    const gone = AbortSignal.any([ended.signal, signal])
    const ready = replicas()
    const replica = ready[Math.floor(random() * ready.length)]
    if (replica === undefined) throw new Error('no endpoints available for service "hitless"')
    const cancel = clock.after(TIMEOUT_MS, () => ended.abort(new Error('context deadline exceeded')))
    try {
      await unlessAborted(clock.sleep(hopMs * random()), gone)
      const remainingMs = () => deadlineMs(`${TIMEOUT_MS}ms`) - (clock.now() - startedMs)
      await unlessAborted(this.#review(attempt, replica, remainingMs, gone), gone)
      await unlessAborted(clock.sleep(hopMs * random()), gone)
    } catch (error) {
      if (!signal.aborted) unanswered(attempt, replica, error)
      throw error
    } finally {
      cancel()
    }
    const { verdict = 'allow', message = '' } = attempt.review?.decision ?? {}
    return verdict === 'deny' ? message : null
  }

  async #review(attempt: Attempt, replica: Replica, remainingMs: () => number, signal: AbortSignal): Promise<void> {
    const { clock, revision } = this.#options
    const sinceMs = clock.now()
    let judgedRevision = attempt.revision
    const decision = await replica.review(attempt.body, remainingMs, signal, () => {
      judgedRevision = revision()
    })
    const atMs = clock.now()
    const shownRules = new Set(replica.objects('DestinationRule').map(({ resourceVersion }) => resourceVersion))
    attempt.review = { replica: replica.name, judgedRevision, order: ++this.#answers, atMs, decision, heldMs: atMs - sinceMs, shownRules }
  }
}
