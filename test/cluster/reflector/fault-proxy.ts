/** Stands between hitless and the API server, and breaks things on demand: an answer of its own, or harm to a stream under way. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'

export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** In place of `body`, as it stands: what is no JSON. */
  readonly text?: string
}

/** A watch that is being passed on. */
export interface Stream {
  /** What the server sends from now on is lost. */
  freeze(): void
  /** Puts text into the stream, as if the server had sent it. */
  inject(text: string): void
  /** Ends it as a server does, after a last piece of text. */
  end(text?: string): void
  /** Ends it as a lost machine does. */
  reset(): void
}

export class FaultProxy {
  readonly #agent: Agent
  readonly #token: string
  readonly #server = createServer((incoming, outgoing) => {
    this.#pass(incoming, outgoing).catch(() => outgoing.destroy())
  })
  readonly #streams = new Map<Stream, string>()
  readonly #opened = new EventEmitter()
  readonly #target: string
  /** Asked before each request is passed on; null passes it on. */
  answer: (path: string, authorization: string) => Answer | 'hang' | null = () => null
  /** Waits this long before each piece of an answer. */
  trickleMs = 0
  /** Passes answers on in pieces of so many bytes; 0 leaves them as they come. */
  pieceBytes = 0
  readonly requests: string[] = []
  /** So many connections were open at the same time. */
  mostConnections = 0

  /** Passes on with the API server's own token whatever token came, so that a test can make up tokens. */
  constructor({ url, ca, token }: { url: string; ca: string; token: string }) {
    this.#target = url
    this.#token = token
    this.#agent = new Agent({ connect: { ca }, allowH2: false, bodyTimeout: 0 })
  }

  async listen(): Promise<string> {
    const open = new Set<unknown>()
    this.#server.on('connection', (socket) => {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      this.mostConnections = Math.max(this.mostConnections, open.size)
    })
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await this.#agent.destroy()
  }

  /** The watches under way on a kind's plural, or all of them. */
  streams(plural = ''): Stream[] {
    return [...this.#streams].filter(([, path]) => plural === '' || path.includes(`/${plural}?`)).map(([stream]) => stream)
  }

  /** The first watch on a plural that is none of those known before. */
  async opened(plural: string, known: readonly Stream[]): Promise<Stream> {
    for (;;) {
      const found = this.streams(plural).find((stream) => !known.includes(stream))
      if (found !== undefined) return found
      await once(this.#opened, 'stream')
    }
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const path = incoming.url ?? ''
    this.requests.push(path)
    const answer = this.answer(path, incoming.headers.authorization ?? '')
    if (answer === 'hang') return
    if (answer !== null) {
      outgoing
        .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
        .end(answer.text ?? JSON.stringify(answer.body ?? {}))
      return
    }
    const { accept = '' } = incoming.headers
    const gone = new AbortController()
    outgoing.once('close', () => gone.abort())
    const { statusCode, headers, body } = await request(this.#target + path, {
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.#token}`, accept },
      signal: gone.signal
    })
    outgoing.writeHead(statusCode, { 'content-type': String(headers['content-type']) })
    outgoing.flushHeaders()
    let frozen = false
    const stream: Stream = {
      freeze: () => {
        frozen = true
      },
      inject: (text) => void outgoing.write(text),
      end: (text = '') => {
        frozen = true
        outgoing.end(text)
      },
      reset: () => void outgoing.socket?.resetAndDestroy()
    }
    if (path.includes('watch=true')) {
      this.#streams.set(stream, path)
      this.#opened.emit('stream')
    }
    outgoing.once('close', () => this.#streams.delete(stream))
    for await (const chunk of body) {
      for (const piece of pieces(chunk, this.pieceBytes)) {
        if (this.trickleMs > 0) await sleep(this.trickleMs)
        if (!frozen) outgoing.write(piece)
      }
    }
    if (!frozen) outgoing.end()
  }
}

function* pieces(chunk: Buffer, bytes: number): Generator<Buffer> {
  if (bytes === 0) yield chunk
  else for (let at = 0; at < chunk.length; at += bytes) yield chunk.subarray(at, at + bytes)
}
