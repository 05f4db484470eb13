/**
 * What must hold whatever happens, judged by the pure engine on the true state. No admitted write opens a gap in what etcd holds at its commit; no
 * refused one would have been harmless at every moment of its request.
 *
 * Two writes in flight at once are excused, for no webhook can exclude them. Exactly these: X is committed after the judgement of W began that became
 * its answer, and before W is; W was harmless without X; and X was not admitted by the same replica at most `pendingMs` before W, for then it knew of X.
 * They are counted. So is the one thing that no read by name shows and that a list is too dear for: a DestinationRule that the watch had yet to show, in
 * another namespace than the route, hides the subsets to which a route begins to send. And so is a weight step between destinations that were carried
 * before, which is judged without a read: where one of them has lost its Pods unseen, the step makes a gap larger that was there.
 */
import { parseReview } from '../../src/admission/review.ts'
import { DEFAULT_TIMINGS } from '../../src/cluster/timings.ts'
import { formatRef } from '../../src/kinds/index.ts'
import type { Gap } from '../../src/mesh/gaps/gaps.ts'
import { overlay, type Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import { decide, judge } from '../../src/review/decide.ts'
import type { Policy } from '../../src/review/policy.ts'
import { isRouteObject, newlyCarried } from '../../src/review/reliance.ts'
import { type Attempt, reviewBody } from './attempt.ts'
import type { Store } from './store.ts'
import type { Witness } from './writes.ts'

export interface Violation {
  readonly what: 'gap-admitted' | 'own-write-ignored' | 'harmless-refused' | 'late' | 'not-converged' | 'not-forgotten'
  readonly detail: string
}

export interface Counts {
  admitted: number
  refused: number
  held: number
  /** Admitted writes that opened a gap together with another one in flight, */
  inFlight: number
  /** or with what a controller did in that time. */
  overtaken: number
  /** Admitted routes whose subsets a rule hides that the watch had yet to show. */
  hidden: number
  /** Admitted weight steps to a carried destination that had lost its Pods, as the watch had yet to show. */
  grown: number
  /** Answered by the policy for a state that is not known. */
  unjudged: number
}

export class Judge implements Witness {
  readonly violations: Violation[] = []
  readonly counts: Counts = { admitted: 0, refused: 0, held: 0, inFlight: 0, overtaken: 0, hidden: 0, grown: 0, unjudged: 0 }
  readonly #store: Store
  readonly #policy: Policy
  readonly #nowMs: () => number
  readonly #writes = new Map<number, Attempt>()

  constructor(store: Store, policy: Policy, nowMs: () => number) {
    this.#store = store
    this.#policy = policy
    this.#nowMs = nowMs
  }

  committing(attempt: Attempt): void {
    this.counts.admitted += 1
    this.#answered(attempt)
    if (!this.#opensGap(attempt, this.#store.world)) return
    if (isUnjudged(attempt)) {
      this.counts.unjudged += 1
      return
    }
    const from = attempt.review?.judgedRevision ?? attempt.revision
    const harmless = this.#revisions(attempt, from).filter(({ opensGap }) => !opensGap)
    const last = harmless.at(-1)?.revision
    if (last === undefined && this.#isHidden(attempt)) {
      this.counts.hidden += 1
      return
    }
    if (last === undefined && this.#isWeightStep(attempt)) {
      this.counts.grown += 1
      return
    }
    if (last === undefined) {
      this.tell('gap-admitted', this.#describe(attempt))
      return
    }
    const other = this.#writes.get(last + 1)
    if (other === undefined) this.counts.overtaken += 1
    else if (knewOf(attempt, other)) this.tell('own-write-ignored', `${this.#describe(attempt)}; before it ${describe(other)}`)
    else this.counts.inFlight += 1
  }

  committed(attempt: Attempt, revision: number): void {
    this.#writes.set(revision, attempt)
  }

  refused(attempt: Attempt): void {
    this.counts.refused += 1
    this.#answered(attempt)
    if (isUnjudged(attempt)) this.counts.unjudged += 1
    else if (!this.#isEverDenied(attempt)) this.tell('harmless-refused', `${this.#describe(attempt)}: ${attempt.review?.decision.message}`)
  }

  tell(what: Violation['what'], detail: string): void {
    this.violations.push({ what, detail })
  }

  #answered({ review }: Attempt): void {
    if (review !== null && review.heldMs > 500) this.counts.held += 1
  }

  /** It is harmless without the rules of other namespaces of which the watch had shown nothing. */
  #isHidden(attempt: Attempt): boolean {
    const { review, after } = attempt
    if (attempt.kind !== 'VirtualService' || review === null) return false
    const unseen = [...this.#store.world.all('DestinationRule')].filter(
      ({ namespace, resourceVersion }) => namespace !== after?.metadata.namespace && !review.shownRules.has(resourceVersion)
    )
    return unseen.length > 0 && !this.#opensGap(attempt, overlay(this.#store.world, { removed: unseen }))
  }

  /** It sends to nothing that it did not send to before, and what is lost is lost for want of Pods. */
  #isWeightStep(attempt: Attempt): boolean {
    const { change } = parseReview(attempt.body, this.#store.world)
    if (change === null || change.before === null || !isRouteObject(change.before) || newlyCarried(change).length > 0) return false
    const opened = judge(change, this.#store.world, this.#policy, this.#nowMs()).judgement?.opened ?? []
    return opened.length > 0 && opened.every(({ cause }) => cause === 'no-endpoints')
  }

  #revisions(attempt: Attempt, from: number): { revision: number; opensGap: boolean }[] {
    const last = this.#store.revision
    return Array.from(this.#store.history(from, last), ({ revision, mesh }) => ({ revision, opensGap: this.#opensGap(attempt, mesh) }))
  }

  #opensGap(attempt: Attempt, mesh: Snapshot): boolean {
    const { change } = parseReview(attempt.body, mesh)
    if (change === null) return false
    const { decision, judgement } = judge(change, mesh, this.#policy, this.#nowMs())
    const isOpened = (gap: Gap | null) => gap === null || judgement?.opened.includes(gap) === true
    return decision.findings.some(({ severity, gap }) => severity === 'deny' && isOpened(gap))
  }

  #isDenied(attempt: Attempt, mesh: Snapshot): boolean {
    const { change } = parseReview(attempt.body, mesh)
    return change !== null && decide(change, mesh, this.#policy, this.#nowMs()).verdict === 'deny'
  }

  /** At some moment of its request; where its object changed meanwhile, the server would have asked again, about what is stored then. */
  #isEverDenied(attempt: Attempt): boolean {
    for (const { revision, mesh } of this.#store.history(attempt.revision, this.#store.revision)) {
      if (this.#isDenied(attempt, mesh) || this.#isDenied(this.#anew(attempt, revision), mesh)) return true
    }
    return false
  }

  #anew(attempt: Attempt, revision: number): Attempt {
    const before = this.#store.at(revision, attempt)
    return before === null || attempt.before === null ? attempt : { ...attempt, body: reviewBody(attempt.id, { ...attempt, before }) }
  }

  #describe(attempt: Attempt): string {
    const { change } = parseReview(attempt.body, this.#store.world)
    const message = change === null ? '' : decide(change, this.#store.world, this.#policy, this.#nowMs()).message
    return `${describe(attempt)} at ${this.#store.revision}: ${message || 'harmless now'}`
  }
}

/** The same replica admitted the other one before, and had not given it up. */
function knewOf({ review }: Attempt, { review: other }: Attempt): boolean {
  if (review === null || other === null || review.replica !== other.replica) return false
  return other.order < review.order && review.atMs - other.atMs < DEFAULT_TIMINGS.pendingMs
}

function isUnjudged({ review }: Attempt): boolean {
  return review?.decision.outcome === 'unjudged' || review?.decision.message.includes('[settle]') === true
}

export function describe({ id, kind, operation, subresource, before, after, revision, review }: Attempt): string {
  const { name = '', namespace = '' } = (after ?? before)?.metadata ?? {}
  const by = review === null ? 'unasked' : `${review.replica} judged at ${review.judgedRevision}`
  return `${id} ${operation} ${formatRef({ kind, namespace, name })}${subresource === '' ? '' : `/${subresource}`} from ${revision}, ${by}`
}
