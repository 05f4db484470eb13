/** Full jitter spreads clients best: a random share of a delay that doubles ("Exponential Backoff And Jitter", AWS architecture blog, 2015). */
export class Backoff {
  readonly #baseMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #attempt = 0

  constructor(baseMs: number, maxMs: number, random: () => number = Math.random) {
    this.#baseMs = baseMs
    this.#maxMs = maxMs
    this.#random = random
  }

  /** How long to wait now: never less than `retryAfterMs`, which the server asked for. */
  next(retryAfterMs = 0): number {
    const ceilingMs = Math.min(this.#maxMs, this.#baseMs * 2 ** this.#attempt)
    this.#attempt = Math.min(this.#attempt + 1, 30)
    return retryAfterMs + this.#random() * ceilingMs
  }

  reset(): void {
    this.#attempt = 0
  }
}
