/** Bytes on a TLS connection that are almost HTTP: whatever comes, it is answered or cut off, and the next review gets its answer. */
import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import fc from 'fast-check'
import { create, remove, stored } from '../admission/reviews.ts'
import { type Webhook, webhook } from '../server/client.ts'
import { mutantTexts } from './mutants.ts'

const BODY = JSON.stringify(create(stored('VirtualService')))
const HEAD = 'POST /validate?timeout=3s HTTP/1.1\r\nhost: hitless.svc\r\ncontent-type: application/json\r\naccept: application/json\r\n'
const CHUNKS = [BODY.slice(0, 700), BODY.slice(700), ''].map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')
const SIZED = `${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`
const REQUESTS = [
  SIZED,
  `${HEAD}transfer-encoding: chunked\r\n\r\n${CHUNKS}`,
  SIZED.repeat(3),
  `GET / HTTP/1.1\r\nhost: a\r\n\r\n${SIZED}`,
  `${HEAD}expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}`
]
const TOKENS = [
  ...['\r\n', '\n', '\r', '\r\n\r\n', ' ', ':', '\0', '\u00ff', '0\r\n\r\n', 'ffffffff\r\n', '7fffffffffffffff\r\n', '-1\r\n'],
  ...[
    'content-length: 0\r\n',
    'content-length: 99999999999999999999\r\n',
    'transfer-encoding: chunked\r\n',
    'transfer-encoding: gzip, chunked\r\n'
  ],
  ...[
    'content-encoding: gzip\r\n',
    'connection: close\r\n',
    'connection: upgrade\r\nupgrade: h2c\r\n',
    'trailer: x\r\n',
    `x: ${'y'.repeat(20_000)}\r\n`
  ],
  ...['HTTP/1.0', 'HTTP/2.0', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'CONNECT', 'HEAD', 'OPTIONS * ', 'http://a/validate', '/%00', SIZED]
]

export interface WireCase {
  readonly bytes: string
  /** How many of them are written at a time. */
  readonly piece: number
}

export const wireCases: fc.Arbitrary<WireCase> = fc.record({
  bytes: mutantTexts(REQUESTS, TOKENS, 4),
  piece: fc.constantFrom(100, 1000, 1_000_000)
})

/** Throws where an answer is none of ours, or a following review gets none. */
export async function wireTarget(t: Parameters<typeof webhook>[0]): Promise<(asked: WireCase) => Promise<void>> {
  const { connect, post } = await webhook(t, { headersMs: 2000 })
  return async ({ bytes, piece }) => {
    assertAnswers(await answersTo(await connect(), bytes, piece))
    await assertServing(post)
  }
}

async function answersTo(socket: TLSSocket, bytes: string, piece: number): Promise<string> {
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  const closed = once(socket, 'close')
  for (let at = 0; at < bytes.length && socket.writable; at += piece) socket.write(Buffer.from(bytes.slice(at, at + piece), 'latin1'))
  socket.end()
  await closed
  return text
}

function assertAnswers(text: string): void {
  if (text !== '' && !text.startsWith('HTTP/1.1 ')) throw new Error(`no HTTP: ${text.slice(0, 500)}`)
  for (const [, status = ''] of text.matchAll(/^HTTP\/1\.1 (\d+) /gm)) {
    if (Number(status) >= 500 && status !== '503') throw new Error(`an error on our side: ${text.slice(0, 2000)}`)
  }
}

async function assertServing(post: Webhook['post']): Promise<void> {
  const { status, json } = await post(remove(stored('VirtualService')))
  if (status !== 200) throw new Error(`a following review got ${status} ${JSON.stringify(json)}`)
}
