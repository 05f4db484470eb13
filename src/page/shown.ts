/** What the page is given to show. */
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { HostEntry } from './hosts.ts'

/** What the page shows. */
export interface Shown {
  /** What is looked at, in a few words. */
  readonly what: string
  readonly snapshot: () => Snapshot
  /** Gaps as they stand; null where they are not known yet. */
  readonly gaps: () => readonly ShownGap[] | null
  /** The last writes that were refused, or would have been, the newest first; null where nobody here is asked about writes. */
  readonly refusals: () => readonly ShownWrite[] | null
  /** Writes that are held at this moment. */
  readonly held: () => readonly ShownWrite[]
  /** Names of objects and of users may be shown to whoever reads this, not hosts alone. */
  readonly showNames: () => boolean
  readonly nowMs: () => number
}

export interface ShownGap {
  readonly rule: string
  readonly host: string
  /** At fault; null where nothing that is written is. */
  readonly object: string | null
  readonly text: string
}

export interface ShownWrite {
  readonly atMs: number
  /** `UPDATE VirtualService prod/reviews`. */
  readonly write: string
  readonly user: string
  /** Why it was refused; '' of one that is held. */
  readonly message: string
  readonly refused: boolean
}

/** What is known of all hosts at one moment: made once a second at most, however many look. */
export interface Index {
  readonly snapshot: Snapshot
  readonly hosts: readonly HostEntry[]
}
