/** Time that goes on only when nothing is left to do at this moment: an hour takes as long as what happens in it. */
import type { Clock } from '../src/kubernetes/clock.ts'

interface Timer {
  readonly atMs: number
  /** Of two timers of one moment the one that was set first runs first. */
  readonly order: number
  callback: (() => void) | null
}

export class VirtualClock implements Clock {
  readonly #timers: Timer[] = []
  #nowMs = 0
  #order = 0

  now(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer: Timer = { atMs: this.#nowMs + Math.max(delayMs, 0), order: this.#order++, callback }
    this.#push(timer)
    return () => {
      timer.callback = null
    }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  /** Those that neither ran nor were taken back. */
  get waiting(): number {
    return this.#timers.filter(({ callback }) => callback !== null).length
  }

  pass(ms: number): Promise<void> {
    return this.runUntil(this.#nowMs + ms)
  }

  /** Runs all that is due until then, or until `isDone`. */
  async runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    await quiet()
    while (!isDone()) {
      const next = this.#timers[0]
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return
      }
      this.#pop()
      if (next.callback === null) continue
      this.#nowMs = next.atMs
      next.callback()
      await quiet()
    }
  }

  #push(timer: Timer): void {
    let at = this.#timers.push(timer) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfEarlier(at, parent)) return
      at = parent
    }
  }

  #pop(): void {
    const last = this.#timers.pop()
    if (last === undefined || this.#timers.length === 0) return
    this.#timers[0] = last
    let at = 0
    for (;;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = this.#isEarlier(right, left) ? right : left
      if (!this.#swapIfEarlier(child, at)) return
      at = child
    }
  }

  #swapIfEarlier(lower: number, upper: number): boolean {
    const [one, other] = [this.#timers[lower], this.#timers[upper]]
    if (one === undefined || other === undefined || !this.#isEarlier(lower, upper)) return false
    this.#timers[lower] = other
    this.#timers[upper] = one
    return true
  }

  #isEarlier(at: number, than: number): boolean {
    const [one, other] = [this.#timers[at], this.#timers[than]]
    if (one === undefined || other === undefined) return false
    return one.atMs === other.atMs ? one.order < other.order : one.atMs < other.atMs
  }
}

/** Promises and streams have come to rest. Work that gives the event loop its turns (`Pace`) goes on within one moment. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
}
