/** A bound on what is done at a time. */

export class Slots {
  #free: number
  /** Who goes on, and for whom. */
  readonly #waiting = new Map<() => void, string>()
  #last = ''

  constructor(count: number) {
    this.#free = count
  }

  /** Runs `work` once there is a place; rejects with the signal's reason where that ends before. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const giveBack = await this.take(signal)
    try {
      return await work()
    } finally {
      giveBack()
    }
  }

  /** Resolves with what gives the place back. In the order of asking, but whoever had the last one lets another asker go first. */
  async take(signal: AbortSignal, asker = ''): Promise<() => void> {
    await this.#wait(signal, asker)
    return () => this.#give()
  }

  async #wait(signal: AbortSignal, asker: string): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      this.#last = asker
      return
    }
    await new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.delete(go)
        reject(signal.reason)
      }
      this.#waiting.set(go, asker)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  #give(): void {
    const [first] = this.#waiting
    if (first === undefined) {
      this.#free += 1
      return
    }
    const [go, asker] = [...this.#waiting].find(([, other]) => other !== this.#last) ?? first
    this.#waiting.delete(go)
    this.#last = asker
    go()
  }
}
