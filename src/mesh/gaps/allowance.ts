/** What one target may cost, so that what somebody wrote about one host takes nothing from the judgement of others (design, section 8). */

import { type MeshObject, type ObjectRef, refKey } from '../../kinds/index.ts'
import { Meter, metered, TooMuchWork } from '../snapshot/metered.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

/** A tenth of a second or two. A host with ten thousand routes takes some ten thousand steps. */
const TARGET_STEPS = 1_000_000

/** A host that takes more work to judge than it may. */
export interface Unjudged {
  readonly host: string
  readonly error: TooMuchWork
}

export type TellUnjudged = (unjudged: Unjudged) => void

/** One piece of work after the other, each within its own allowance. */
export class Allowance {
  readonly #meter = new Meter(TARGET_STEPS)
  readonly #tell: TellUnjudged

  constructor(tell: TellUnjudged) {
    this.#tell = tell
  }

  /** The snapshot, whose readers' work counts. */
  bound(snapshot: Snapshot): Snapshot {
    return metered(snapshot, this.#meter)
  }

  /** What `work` gives for a host; null where it is too much, which is told. */
  for<T>(host: string, work: () => T): T | null {
    this.#meter.renew()
    try {
      return work()
    } catch (error) {
      if (!(error instanceof TooMuchWork)) throw error
      this.#tell({ host, error })
      return null
    }
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
