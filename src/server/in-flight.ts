/** The reviews that are being read, judged or held. */
import type { EventEmitter } from 'node:events'

export class InFlight {
  #count = 0
  #held = 0
  readonly #judged = new Set<EventEmitter>()
  #emptied: (() => void)[] = []
  readonly #changed: (change: 1 | -1) => void
  readonly #mostHeld: number

  /** Held reviews cost nothing, up to `mostHeld` of them. */
  constructor(changed: (change: 1 | -1) => void, mostHeld: number) {
    this.#changed = changed
    this.#mostHeld = mostHeld
  }

  /** Reviews that take part in the limit: those that have come in whole, and are not held. */
  get count(): number {
    return this.#judged.size - Math.min(this.#held, this.#mostHeld)
  }

  /** A review begins (1) or ceases (-1) to be held. */
  hold(change: 1 | -1): void {
    this.#held += change
  }

  /** Counts a request until its response is sent or its client gone. */
  add(response: EventEmitter): void {
    this.#count++
    this.#changed(1)
    response.once('close', () => {
      this.#count--
      this.#judged.delete(response)
      this.#changed(-1)
      if (this.#count === 0) for (const emptied of this.#emptied.splice(0)) emptied()
    })
  }

  /** A request that was added has come in whole, and is a review. */
  judge(response: EventEmitter): void {
    this.#judged.add(response)
  }

  /** Resolves as soon as nothing is in flight. */
  async empty(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve))
  }
}
