/** Tens of thousands of distinct label sets are more than the workloads of a large cluster have. */
const GENERATION = 20_000

/**
 * Gives equal values as one: the Pods of a workload share their labels, and a string cut out of another lets go of it. Two generations
 * bound it: what was not met during a whole generation is let go, which costs sharing and nothing else.
 */
export class Interned {
  #young = new Map<string, unknown>()
  #old = new Map<string, unknown>()

  /** A value equal to `value`, possibly an earlier one. Only for values that are never changed. */
  share<T>(value: T): T {
    const key = JSON.stringify(value)
    const known = this.#young.get(key) ?? this.#old.get(key) ?? value
    this.#keep(key, known)
    return known as T
  }

  #keep(key: string, value: unknown): void {
    if (this.#young.has(key)) return
    if (this.#young.size >= GENERATION) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
