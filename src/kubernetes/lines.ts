/** A line of a watch is one event. etcd stores no object above 1.5 MiB; as JSON, escaped and with both bookkeeping forms of it, four times that. */
const MAX_LINE_BYTES = 8 << 20

const NEWLINE = 0x0a

/** Cuts a stream of bytes into lines, so that no text is decoded before it is whole. */
export class LineSplitter {
  readonly #maxBytes: number
  #tail: Buffer[] = []
  #tailBytes = 0

  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** The lines that this chunk completes, without their newline; empty ones are left out. Throws RangeError on a line that is too long. */
  *push(chunk: Buffer): Generator<string> {
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

  #take(end: Buffer): string {
    if (this.#tailBytes === 0) return end.toString('utf8')
    this.#keep(end)
    const line = Buffer.concat(this.#tail, this.#tailBytes).toString('utf8')
    this.#tail = []
    this.#tailBytes = 0
    return line
  }

  #keep(part: Buffer): void {
    this.#tailBytes += part.length
    if (this.#tailBytes > this.#maxBytes) throw new RangeError(`a line of more than ${this.#maxBytes} bytes`)
    this.#tail.push(part)
  }
}
