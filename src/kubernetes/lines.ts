import { TextScanner } from './text-scanner.ts'

/**
 * A line of a watch is one event. etcd stores no object above 1.5 MiB; in JSON a letter may take six bytes. Whoever lets it store more gets events
 * that are not read.
 */
const MAX_LINE_BYTES = 10 << 20

const NEWLINE = 0x0a

/** A line that is too long to be read, and what it is about. */
export interface LongLine {
  readonly bytes: number
  /** By path, such as `object.metadata.name`. */
  readonly texts: ReadonlyMap<string, string>
}

/** Cuts a stream of bytes into lines, so that no text is decoded before it is whole. */
export class LineSplitter {
  readonly #maxBytes: number
  readonly #wanted: readonly string[]
  #tail: Buffer[] = []
  #tailBytes = 0
  /** Of a line that is too long: nothing else of it is kept. */
  #scanner: TextScanner | null = null

  /** `wanted`: the paths of the texts by which a line that is too long is known. */
  constructor(wanted: readonly string[], maxBytes: number = MAX_LINE_BYTES) {
    this.#wanted = wanted
    this.#maxBytes = maxBytes
  }

  /** The lines that this chunk completes, without their newline; empty ones are left out. */
  *push(chunk: Buffer): Generator<string | LongLine> {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = this.#take(chunk.subarray(start, end))
      start = end + 1
      if (line !== '') yield line
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
  }

  /** How many bytes wait for their newline: more than none at the end of a stream means that it was cut. */
  get pendingBytes(): number {
    return this.#tailBytes
  }

  #take(end: Buffer): string | LongLine {
    if (this.#tailBytes === 0) return end.toString('utf8')
    this.#keep(end)
    const bytes = this.#tailBytes
    const line = this.#scanner === null ? Buffer.concat(this.#tail, bytes).toString('utf8') : { bytes, texts: this.#scanner.found }
    this.#tail = []
    this.#tailBytes = 0
    this.#scanner = null
    return line
  }

  #keep(part: Buffer): void {
    this.#tailBytes += part.length
    if (this.#scanner === null && this.#tailBytes > this.#maxBytes) {
      this.#scanner = new TextScanner(this.#wanted)
      for (const kept of this.#tail.splice(0)) this.#scanner.push(kept)
    }
    if (this.#scanner === null) this.#tail.push(part)
    else this.#scanner.push(part)
  }
}
