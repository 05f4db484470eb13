/** What a provider of the snapshot offers: the live cluster (`cluster/`) and the embedded one (`sandbox/`) alike. */
import type { Kind, ObjectOf, ObjectRef } from '../../kinds/index.ts'
import type { Labels } from '../names/labels.ts'
import type { PendingWrite } from './pending.ts'
import type { Snapshot } from './snapshot.ts'
import type { Write } from './write.ts'

export interface State {
  /** What the cluster has shown up to this moment. It changes under its reader between two turns of the event loop. */
  snapshot(): Snapshot
  readonly facts: Facts
  /** What it shows is what is stored: there is nothing to ask `facts` for. */
  readonly isExact?: boolean
  /** Tells that a write was admitted and is no dry run: it is pending from now on. */
  admitted(write: Write): void
  /** Admitted writes, oldest first, until the cluster shows what became of them, or has had long enough to. */
  pending(): readonly PendingWrite[]
  health(): Health
}

/** Reads that bypass the watch cache: what the API server holds now. They reject where it does not answer before the signal's end. */
export interface Facts {
  read<K extends Kind>(ref: ObjectRef & { readonly kind: K }, signal: AbortSignal): Promise<ObjectOf<K> | null>
  /** A consistent list (KEP-2340), of one namespace or of all, narrowed by labels where given. */
  list<K extends Kind>(query: ListQuery & { readonly kind: K }, signal: AbortSignal): Promise<ObjectOf<K>[]>
}

export interface ListQuery {
  readonly kind: Kind
  readonly namespace: string | null
  readonly selector: Labels | null
}

export interface Health {
  /** Every kind that the cluster serves is synced and was heard from within its bound. */
  readonly fresh: boolean
  /** Milliseconds since each kind was last heard from; absent where it never was. */
  readonly ageMs: Readonly<Partial<Record<Kind, number>>>
  /** In words, for readiness and warnings, where not fresh: `VirtualService: not synced`. */
  readonly reasons: readonly string[]
}
