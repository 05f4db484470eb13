import type { Kind, MeshObject } from '../kinds/index.ts'

/** Why a stream ended before its time, or a kind was listed again. */
export type Interruption =
  /** The server no longer has the history from which to go on (410). */
  | 'expired'
  /** What came was no event. */
  | 'malformed'
  /** Nothing came, not even a bookmark. */
  | 'idle'
  /** The server answered with an error. */
  | 'refused'
  /** The connection failed. */
  | 'broken'
  /** The cluster does not serve this kind. */
  | 'unserved'
  /** The server knows no streaming list. */
  | 'unsupported'
  /** A read by name showed what the stream should have shown long before. */
  | 'lagging'
  /** A comparison with the server found differences. */
  | 'drifted'

/** What happens to the live state, for metrics and logs. */
export type ClusterEvent =
  | { readonly type: 'synced'; readonly kind: Kind; readonly objects: number; readonly tookMs: number }
  | { readonly type: 'unserved'; readonly kind: Kind }
  | { readonly type: 'interrupted'; readonly kind: Kind; readonly why: Interruption; readonly error: Error; readonly retryMs: number }
  | { readonly type: 'skipped'; readonly kind: Kind; readonly why: 'out-of-order' | 'unreadable' | 'too-long' }
  | { readonly type: 'compared'; readonly kind: Kind; readonly drifted: number }
  /** The comparison with the server failed; the next one is made in its time. */
  | { readonly type: 'uncompared'; readonly kind: Kind; readonly error: Error }
  /** An admitted write that the cluster never showed is no longer pending. */
  | { readonly type: 'write-dropped'; readonly kind: Kind }
  | { readonly type: 'changed'; readonly before: MeshObject | null; readonly after: MeshObject | null }

/** Told of every event, in order and in the same turn; it must not throw and must be quick. */
export type Observe = (event: ClusterEvent) => void
