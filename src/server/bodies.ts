/** Bodies as they come in: what all of them hold together is bounded, however many clients send one and however slowly. */
import type { IncomingMessage } from 'node:http'
import { HitlessError } from '../errors.ts'

/** A review holds object and oldObject, each at most 3 MiB (the API server's MaxRequestBodyBytes); 1 MiB more for the envelope and escapes. */
const BODY_LIMIT = 7 * 1024 * 1024

type Done = (error: Error | null, bytes?: Buffer) => void

export class Bodies {
  readonly #most: number
  #held = 0
  /** The longest unfinished first: the API server sends a body at once, so that one is a slow client's. */
  readonly #unfinished = new Map<IncomingMessage, Body>()
  /** Bytes of bodies that were read whole, until their requests are answered: what was made of them is still there. */
  readonly #finished = new Map<IncomingMessage, number>()

  /** `most`: bytes of all bodies whose requests are not answered yet. */
  constructor(most: number) {
    this.#most = most
  }

  /** Reads a body whole. Its bytes count until they are released. */
  read(request: IncomingMessage, done: Done): void {
    const announced = Number(request.headers['content-length'] ?? 0)
    if (announced > BODY_LIMIT) return void done(tooLarge())
    const body = new Body(announced, done)
    this.#unfinished.set(request, body)
    request.on('data', (chunk: Buffer) => this.#add(request, chunk))
    request.once('end', () => this.#finish(request))
  }

  /** The request was answered, or its client has gone. */
  release(request: IncomingMessage): void {
    this.#held -= this.#unfinished.get(request)?.capacity ?? this.#finished.get(request) ?? 0
    this.#unfinished.delete(request)
    this.#finished.delete(request)
  }

  #add(request: IncomingMessage, chunk: Buffer): void {
    const body = this.#unfinished.get(request)
    if (body === undefined) return
    this.#held += body.add(chunk)
    if (body.length > BODY_LIMIT) this.#giveUp(request, body, tooLarge())
    for (const [slowest, itsBody] of this.#unfinished) {
      if (this.#held <= this.#most) return
      this.#giveUp(slowest, itsBody, new HitlessError('HITLESS_BUSY', `reviews of ${this.#most} bytes are in flight already`))
    }
  }

  #giveUp(request: IncomingMessage, { done }: Body, error: HitlessError): void {
    this.release(request)
    done(error)
  }

  #finish(request: IncomingMessage): void {
    const body = this.#unfinished.get(request)
    if (body === undefined) return
    this.#unfinished.delete(request)
    this.#finished.set(request, body.capacity)
    body.done(null, body.bytes)
  }
}

/** One body in one buffer: a piece of a single byte takes some hundred where it is kept. */
class Body {
  readonly done: Done
  length = 0
  readonly #announced: number
  #buffer: Buffer = Buffer.alloc(0)

  constructor(announced: number, done: Done) {
    this.#announced = announced
    this.done = done
  }

  get capacity(): number {
    return this.#buffer.length
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.length)
  }

  /** By how many bytes it takes more memory than before. */
  add(chunk: Buffer): number {
    const before = this.capacity
    // Most come in one piece, which is taken as it is.
    if (this.length === 0) this.#buffer = chunk
    else this.#append(chunk)
    this.length += chunk.length
    return this.capacity - before
  }

  #append(chunk: Buffer): void {
    const needed = this.length + chunk.length
    if (needed > this.capacity) {
      const doubled = Math.max(needed, this.capacity * 2)
      const larger = Buffer.allocUnsafeSlow(needed <= this.#announced ? Math.min(doubled, this.#announced) : doubled)
      this.#buffer.copy(larger, 0, 0, this.length)
      this.#buffer = larger
    }
    chunk.copy(this.#buffer, this.length)
  }
}

function tooLarge(): HitlessError {
  return new HitlessError('HITLESS_TOO_LARGE', `the request is larger than ${BODY_LIMIT} bytes`)
}
