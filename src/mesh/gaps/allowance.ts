/** What one target may cost, so that what somebody wrote about one host takes nothing from the judgement of others (docs/architecture.md). */

import { type MeshObject, type ObjectRef, refKey } from '../../kinds/index.ts'
import type { Context } from '../routing/table.ts'
import { Meter, metered, TooMuchWork } from '../snapshot/metered.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** What one target may take: some tenths of a second. A host with ten thousand routes takes some hundred thousand steps. */
const TARGET_STEPS = 1_000_000
/** What the route objects of one namespace may add to a write in another. */
const NAMESPACE_STEPS = 300_000

/** A host that takes more work to judge than it may. */
export interface Unjudged {
  readonly host: string
  /** `some`: there are more clients, or Pods of a gateway, than are told apart. */
  readonly clients: 'all' | 'some'
  readonly error: TooMuchWork
}

export type TellUnjudged = (unjudged: Unjudged) => void

/** What a piece of work is about: a host that a route object of the namespace has, for one client or all. */
export interface Piece {
  readonly host: string
  readonly namespace: string
  readonly context?: Context
}

/** A client that is told apart by its labels. */
export function isSelected({ kind, labels }: Context): boolean {
  return kind === 'mesh' && Object.keys(labels).length > 0
}

/** One piece of work after the other, each within its own allowance. */
export class Allowance {
  readonly #meter = new Meter(TARGET_STEPS)
  readonly tell: TellUnjudged
  readonly #own: string | null
  readonly #left = new Map<string, number>()

  /** `own` is the namespace of the written object; null where nothing is written, and no namespace is another's. */
  constructor(tell: TellUnjudged, own: string | null = null) {
    this.tell = tell
    this.#own = own
  }

  /** The snapshot, whose readers' work counts. */
  bound(snapshot: Snapshot): Snapshot {
    return metered(snapshot, this.#meter)
  }

  /** What `work` gives; null where it is too much, which is told. */
  for<T>({ host, namespace, context }: Piece, work: () => T): T | null {
    const left = this.#leftOf(namespace)
    this.#meter.renew(Math.min(left, TARGET_STEPS))
    try {
      return work()
    } catch (error) {
      if (!(error instanceof TooMuchWork)) throw error
      this.tell({ host, clients: context !== undefined && isSelected(context) ? 'some' : 'all', error })
      return null
    } finally {
      this.#left.set(namespace, left - this.#meter.used)
    }
  }

  /** Whoever works on is counted by the snapshot alone. */
  end(): void {
    this.#meter.renew(Number.MAX_SAFE_INTEGER)
  }

  #leftOf(namespace: string): number {
    if (this.#own === null || this.#own === namespace) return TARGET_STEPS
    return this.#left.get(namespace) ?? NAMESPACE_STEPS
  }
}

/** The written object's own parts make the work, and not what others wrote. */
export function isCausedBy(error: TooMuchWork, ref: ObjectRef): boolean {
  const cause = dearest(error, refKey(ref))
  return cause !== null && refKey(cause) === refKey(ref)
}

/** The object whose parts make the work: `written` where half of it or more is its own, else the dearest of the others; null where nobody can tell. */
export function dearest({ causes }: TooMuchWork, written: string): MeshObject | null {
  let [own, others, most] = [0, 0, 0]
  let found: MeshObject | null = null
  let mine: MeshObject | null = null
  for (const [object, steps] of causes) {
    if (refKey(object) === written) {
      own += steps
      mine = object
      continue
    }
    others += steps
    if (steps <= most) continue
    most = steps
    found = object
  }
  return own >= others ? mine : found
}
