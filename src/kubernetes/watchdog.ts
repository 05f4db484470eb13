import type { Clock } from './clock.ts'

/** A signal that ends with its parent, or when it was not told in time that all is well. */
export class Watchdog {
  readonly #clock: Clock
  readonly #controller = new AbortController()
  readonly #parent: AbortSignal
  readonly #follow = () => this.abort(this.#parent.reason)
  #cancel: () => void = () => undefined

  constructor(clock: Clock, parent: AbortSignal) {
    this.#clock = clock
    this.#parent = parent
    if (parent.aborted) this.#follow()
    else parent.addEventListener('abort', this.#follow)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Gives `delayMs` more, in place of what was given before. */
  arm(delayMs: number, reason: () => Error): void {
    this.#cancel()
    this.#cancel = this.#clock.after(delayMs, () => this.abort(reason()))
  }

  abort(reason: Error): void {
    this.#controller.abort(reason)
  }

  /** Nothing more will come of it. */
  stop(): void {
    this.#cancel()
    this.#parent.removeEventListener('abort', this.#follow)
  }
}
