/**
 * When the mesh was quiet for long enough that istiod cannot have kept anything back: it pushes once nothing has changed for its debounce.
 * What changes, hitless hears as istiod does.
 */
import { isPushed, type MeshObject } from '../kinds/index.ts'

export class Quiet {
  readonly #longMs: () => number
  readonly #nowMs: () => number
  #lastMs: number
  /** The last change that was followed by quiet for long enough. */
  #beforeQuietMs = 0

  constructor(longMs: () => number, nowMs: () => number) {
    this.#longMs = longMs
    this.#nowMs = nowMs
    this.#lastMs = nowMs()
  }

  /** Something changed; what istiod pushes nothing for counts for nothing. */
  heard(before: MeshObject | null, after: MeshObject | null): void {
    if (!isPushed(before, after)) return
    if (this.#isLong()) this.#beforeQuietMs = this.#lastMs
    this.#lastMs = this.#nowMs()
  }

  /** Since a change of that time there was quiet for long enough. */
  since(changedMs: number): boolean {
    return (this.#isLong() ? this.#lastMs : this.#beforeQuietMs) >= changedMs || this.#nowMs() - changedMs > MOST_MS
  }

  #isLong(): boolean {
    return this.#nowMs() - this.#lastMs >= this.#longMs()
  }
}

/** istiod keeps nothing back for longer (PILOT_DEBOUNCE_MAX, 10 s), and pushes. */
const MOST_MS = 12_000
