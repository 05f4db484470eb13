/** What this thread works between two turns of its event loop at which a timer could fire. */

const PERIOD_MS = 5

export class Turns {
  #last = process.threadCpuUsage()
  #work: number[] = []
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => {
      const { user, system } = process.threadCpuUsage(this.#last)
      this.#last = process.threadCpuUsage()
      this.#work.push((user + system) / 1000)
    }, PERIOD_MS).unref()
  }

  /** Milliseconds of CPU time of each turn since the last call: what other processes take is not in them. */
  take(): number[] {
    const work = this.#work
    this.#work = []
    return work
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
