/** What was found out about objects not long ago, so that it need not be found out again: bounded by what it weighs, and gone with the objects. */
export class Recent<K extends WeakKey, V> {
  readonly #most: number
  readonly #weigh: (value: V) => number
  #young = new WeakMap<K, V>()
  #old = new WeakMap<K, V>()
  #weight = 0

  /** Holds between once and twice what `most` weighs, of what was asked for last. */
  constructor(most: number, weigh: (value: V) => number) {
    this.#most = most
    this.#weigh = weigh
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: K, value: V): void {
    this.#weight += this.#weigh(value)
    if (this.#weight > this.#most) {
      this.#old = this.#young
      this.#young = new WeakMap()
      this.#weight = this.#weigh(value)
    }
    this.#young.set(key, value)
  }
}
