/** Long work in short steps: what a fast server sends is there at once, and without a pause reviews and probes would wait for all of it. */
import type { Pace } from '../mesh/snapshot/in-parts.ts'
import type { Clock } from './clock.ts'

/** Several kinds are listed at the same time, and each takes as long. */
const STEP_MS = 5

export class Steps implements Pace {
  readonly #clock: Pick<Clock, 'now'>
  readonly #busyMs: () => number
  #sinceMs: number
  #busySinceMs: number

  /** `busyMs`: CPU time of this thread, where what others do on its core is not to count. It takes ten times as long to ask for. */
  constructor(clock: Pick<Clock, 'now'>, busyMs = () => clock.now()) {
    this.#clock = clock
    this.#busyMs = busyMs
    this.#sinceMs = clock.now()
    this.#busySinceMs = busyMs()
  }

  /** The event loop has not had a turn for as long as a step may take. */
  isDue(): boolean {
    return this.#clock.now() - this.#sinceMs >= STEP_MS && this.#busyMs() - this.#busySinceMs >= STEP_MS
  }

  /** Lets everything run that waits. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#sinceMs = this.#clock.now()
    this.#busySinceMs = this.#busyMs()
  }
}

/** The same values; whoever takes them lets the event loop have its turns. */
export async function* unhurried<T>(values: Iterable<T>, clock: Clock): AsyncGenerator<T> {
  const pace = new Steps(clock)
  for (const value of values) {
    yield value
    if (pace.isDue()) await pace.turn()
  }
}
