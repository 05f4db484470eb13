/** How long the live state waits for what. */
export interface Timings {
  /** A retry waits a random time up to this, doubled by each failure in a row, */
  readonly retryBaseMs: number
  /** and never more than this. */
  readonly retryMaxMs: number
  /** A stream that lasted as long was no failure: the next one starts counting anew. */
  readonly healthyAfterMs: number
  /** The server ends a watch after between once and 1.25 times as long. */
  readonly watchSeconds: number
  /** A stream on which nothing came for as long is dead: bookmarks come about every minute, and two and a half were missed. */
  readonly idleMs: number
  /** A streaming list that pauses as long, or takes as long in all, gives way to pages. Small ones were seen to wait 6 s for their end (KEP-3157). */
  readonly listIdleMs: number
  readonly listMs: number
  /** One page, one read by name, one question what is served. */
  readonly requestMs: number
  /** A kind not heard from for as long is not fresh: `idleMs` and the time to connect again. */
  readonly staleMs: number
  /** An admitted write that has shown nowhere by then was not made: the API server's other webhooks and quotas answer sooner. */
  readonly pendingMs: number
  /** A stream may be as far behind a read by name. */
  readonly lagMs: number
  /** How often all of a kind is compared with the server, */
  readonly compareMs: number
  /** and how long a difference may take to go away by itself. */
  readonly comparePauseMs: number
}

export const DEFAULT_TIMINGS: Timings = {
  retryBaseMs: 250,
  retryMaxMs: 10_000,
  healthyAfterMs: 5_000,
  watchSeconds: 240,
  idleMs: 150_000,
  listIdleMs: 10_000,
  listMs: 60_000,
  requestMs: 30_000,
  staleMs: 180_000,
  pendingMs: 3_000,
  lagMs: 3_000,
  compareMs: 600_000,
  comparePauseMs: 5_000
}
