/** What is known of a change's way to the proxies: a fixed time (`admission/`), or what istiod says of pushes and acknowledgements. */
import type { MeshObject, ObjectRef } from '../../kinds/index.ts'

/** A change of something that other writes rely on or take away, as this replica learned of it: by its watch, by a read, or by its own admission. */
export interface RecentChange {
  readonly ref: ObjectRef
  readonly before: MeshObject | null
  readonly after: MeshObject | null
  readonly atMs: number
}

export interface Propagation {
  /** How long after it a change may still be on its way; older ones are not asked about. 0: nothing is ever waited for. */
  horizonMs(): number
  /** Those of the changes that may not have reached every proxy that depends on them, as far as is known without asking anybody. */
  onTheirWay(changes: readonly RecentChange[]): readonly RecentChange[]
  /** Waits until they have, at most `patienceMs`. Rejects only when the signal ends. */
  arrival(changes: readonly RecentChange[], patienceMs: number, signal: AbortSignal): Promise<Arrival>
}

export interface Arrival {
  readonly arrived: boolean
  /** For the writer: which proxies lack what, and which rejected it, by name; each half a sentence, without a full stop. */
  readonly notes: readonly string[]
}
