/** A webhook on real sockets, and clients as the API server and strangers are. */
import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import { Agent, type RequestOptions, request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { createAuthority, issue, type KeyPair } from '../../src/certificates/self-signed.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import type { Reviewer } from '../../src/review/decision.ts'
import { createMetrics, type Metrics } from '../../src/server/metrics.ts'
import { type Server, type ServerOptions, startServer } from '../../src/server/server.ts'
import { worldOf } from '../changes.ts'
import { guide } from '../manifests.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** The JSON of the body. */
  readonly json: unknown
}

export interface Webhook extends Server {
  readonly ca: string
  readonly metrics: Metrics
  /** Each line logged so far. */
  readonly log: readonly Record<string, unknown>[]
  post(body: unknown, options?: RequestOptions): Promise<Answer>
  /** A TLS connection that says nothing by itself. */
  connect(): Promise<TLSSocket>
  probe(path: string): Promise<{ status: number; text: string }>
}

type After = { after?: unknown; teardown(end: () => Promise<void>): unknown }

export const allow: Reviewer = async () => ADMITTED

export const authority = await createAuthority({ nowMs: Date.now(), days: 1 })

export function pairFor(...names: string[]): Promise<KeyPair> {
  return issue(authority, names, { nowMs: Date.now(), days: 1 })
}

const tls = await pairFor('127.0.0.1')

/** Starts a webhook on free ports, which ends with the test. */
export async function webhook(t: After, options: Partial<ServerOptions> = {}, signal?: AbortSignal): Promise<Webhook> {
  const log: Record<string, unknown>[] = []
  const metrics = options.metrics ?? createMetrics()
  const world = worldOf(guide())
  const server = await startServer(
    {
      reviewer: allow,
      snapshot: () => world,
      health: () => ({ fresh: true, ageMs: {}, reasons: [] }),
      metrics,
      log: pino({ level: 'info' }, { write: (line: string) => void log.push(JSON.parse(line)) }),
      tls,
      host: '127.0.0.1',
      port: 0,
      healthHost: '127.0.0.1',
      healthPort: 0,
      maxInFlight: 10,
      maxTurnMs: 20_000,
      maxConnections: 100,
      maxBodyBytes: 32 * 1024 * 1024,
      drainMs: 0,
      ...options
    },
    signal
  )
  const agent = new Agent({ keepAlive: true, maxSockets: 20, ca: authority.certificate })
  t.teardown(async () => {
    agent.destroy()
    await server.close()
  })
  const { port, healthPort } = server
  return {
    ...server,
    ca: authority.certificate,
    metrics,
    log,
    post: (body, rest = {}) => send({ agent, port, ...rest }, body),
    async connect() {
      const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate })
      socket.on('error', () => undefined)
      await once(socket, 'secureConnect')
      return socket.resume()
    },
    async probe(path) {
      const response = await fetch(`http://127.0.0.1:${healthPort}${path}`)
      return { status: response.status, text: await response.text() }
    }
  }
}

/** POSTs `body`, as JSON unless it is text already, to /validate. */
function send(options: RequestOptions, body: unknown): Promise<Answer> {
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
  const length = payload === undefined ? {} : { 'content-length': Buffer.byteLength(payload) }
  const headers = { 'content-type': 'application/json', ...length, ...options.headers }
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', method: 'POST', path: '/validate?timeout=3s', ...options, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text, json: parse(text) }))
    })
    asked.on('error', reject)
    asked.end(payload)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Resolves once `count` reviews are with the reviewer; each is answered when `release` is called. */
export function holding(count: number): { reviewer: Reviewer; arrived: Promise<void>; release: () => void } {
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  let waiting = 0
  const reviewer: Reviewer = async () => {
    if (++waiting === count) arrive()
    await released
    return ADMITTED
  }
  return { reviewer, arrived, release }
}
