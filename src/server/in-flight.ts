/** The reviews that are being read or answered. */
import type { EventEmitter } from 'node:events'

export class InFlight {
  #count = 0
  #held = 0
  #emptied: (() => void)[] = []
  readonly #changed: (change: 1 | -1) => void

  constructor(changed: (change: 1 | -1) => void) {
    this.#changed = changed
  }

  /** Reviews that take part in the limit: held ones cost nothing. */
  get count(): number {
    return this.#count - this.#held
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
      this.#changed(-1)
      if (this.#count === 0) for (const emptied of this.#emptied.splice(0)) emptied()
    })
  }

  /** Resolves as soon as nothing is in flight. */
  async empty(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#emptied.push(resolve))
  }
}
