/** Requests to one API server: one agent, credentials read anew, answers as streams. */
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Agent, type Dispatcher, ProxyAgent } from 'undici'
import { isRecord } from '../kinds/fields.ts'
import type { Clock } from './clock.ts'
import type { Credentials } from './credentials.ts'

/** How long credentials are used before their files are read again; client-go and client-node keep token files as long. */
const CREDENTIALS_MS = 60_000
/** A page of objects is a few MB; one that is longer is asked for in parts. */
const MAX_BODY_BYTES = 32 << 20
/** A Status with its details; more of an answer that failed tells nothing. */
const MAX_STATUS_BYTES = 64 << 10

const JSON_TYPE = 'application/json'
/** JSON is YAML. */
const APPLY_TYPE = 'application/apply-patch+yaml'

const AGENT_OPTIONS = {
  // Over HTTP/2 all watches would share one connection, and stall together.
  allowH2: false,
  // A VirtualService with hundreds of destinations asks for as many reads: they wait for one another, and a watch holds one connection.
  connections: 64,
  // A quiet watch is no failure; who reads one watches over it.
  bodyTimeout: 0,
  headersTimeout: 60_000,
  // Reads by name come in bursts a while apart, and a handshake costs more than they do. kube-apiserver keeps idle connections for 90 s.
  keepAliveTimeout: 60_000
} as const

/** The API server answered, and not with what was asked for. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  /** `Expired`, `Forbidden`: metav1.StatusReason; '' where the answer has none. */
  readonly reason: string
  readonly retryAfterMs: number

  constructor(status: number, reason: string, message: string, retryAfterMs = 0) {
    super(message)
    this.status = status
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** The answer is longer than is read. */
export class TooLong extends Error {
  override readonly name = 'TooLong'
}

export interface Reader {
  current(): Promise<Credentials>
  reload(): void
}

export type Query = Readonly<Record<string, string | number | boolean>>

interface Sent {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly content: string
  readonly type: string
}

/** What carries requests to the server and answers back. */
export interface Transport {
  request(
    options: Dispatcher.RequestOptions
  ): Promise<Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'> & { readonly body: Readable }>
  close(): Promise<void>
  destroy(): Promise<void>
}

export class Connection {
  readonly #reader: Reader
  readonly #clock: Clock
  readonly #transportFor: (credentials: Credentials) => Transport
  #credentials: { readonly value: Credentials; readonly readAtMs: number } | null = null
  #agent: { readonly key: string; readonly transport: Transport } | null = null

  constructor(reader: Reader, clock: Clock, transportFor: (credentials: Credentials) => Transport = agentFor) {
    this.#reader = reader
    this.#clock = clock
    this.#transportFor = transportFor
  }

  /** Sends JSON and reads the answer; what was sent may have been done where no answer came. */
  async send(method: 'POST' | 'PUT' | 'DELETE', path: string, content: unknown, signal: AbortSignal, query: Query = {}): Promise<unknown> {
    return this.#send(path, query, { method, content: JSON.stringify(content), type: JSON_TYPE }, signal)
  }

  /** Server-side apply: the fields of `content`, and no others, become the field manager's that the query names. Creates what is not there. */
  async apply(path: string, content: unknown, query: Query & { readonly fieldManager: string }, signal: AbortSignal): Promise<unknown> {
    return this.#send(path, query, { method: 'PATCH', content: JSON.stringify(content), type: APPLY_TYPE }, signal)
  }

  /** The namespace that the kubeconfig's context or the service account names. */
  async namespace(): Promise<string> {
    return (await this.#current()).namespace
  }

  /** GETs a path. The body of a 2xx answer is the caller's to read or destroy; any other answer is thrown as `ApiError`. */
  async request(path: string, query: Query, signal: AbortSignal, accept: string = JSON_TYPE): Promise<Readable> {
    return this.#authorized(() => this.#request(path, query, signal, accept))
  }

  /** GETs a path and reads the whole answer; rejects with TooLong where that is too much. */
  async json(path: string, query: Query, signal: AbortSignal, accept: string = JSON_TYPE): Promise<unknown> {
    return parsed(await this.request(path, query, signal, accept))
  }

  /** GETs an object; null where there is none of that name. */
  async find(path: string, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.json(path, {}, signal)
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null
      throw error
    }
  }

  /** Reads the configuration, and throws where it is unusable. */
  async open(): Promise<void> {
    await this.#current()
  }

  async close(): Promise<void> {
    await this.#agent?.transport.destroy()
    this.#agent = null
  }

  async #send(path: string, query: Query, sent: Sent, signal: AbortSignal): Promise<unknown> {
    return parsed(await this.#authorized(() => this.#request(path, query, signal, JSON_TYPE, sent)))
  }

  async #authorized<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error
      // The token was replaced, or the kubeconfig: read everything again, once.
      this.#reader.reload()
      this.#credentials = null
      return ask()
    }
  }

  async #request(path: string, query: Query, signal: AbortSignal, accept: string, sent?: Sent): Promise<Readable> {
    const credentials = await this.#current()
    const parameters = new URLSearchParams(Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]))
    const { statusCode, headers, body } = await this.#transport(credentials).request({
      // A server behind a path, as Rancher's are, keeps it.
      origin: new URL(credentials.server).origin,
      path: `${new URL(credentials.server).pathname.replace(/\/$/, '')}${path}${parameters.size === 0 ? '' : `?${parameters}`}`,
      method: sent?.method ?? 'GET',
      headers: {
        ...credentials.headers,
        accept,
        'accept-encoding': 'gzip',
        'user-agent': 'hitless',
        ...(sent === undefined ? {} : { 'content-type': sent.type })
      },
      body: sent?.content ?? null,
      signal
    })
    const plain = headers['content-encoding'] === 'gzip' ? gunzip(body) : body
    if (statusCode >= 200 && statusCode < 300) return plain
    throw await readError(statusCode, headers, plain)
  }

  async #current(): Promise<Credentials> {
    const now = this.#clock.now()
    if (this.#credentials === null || now - this.#credentials.readAtMs > CREDENTIALS_MS) {
      this.#credentials = { value: await this.#reader.current(), readAtMs: now }
    }
    return this.#credentials.value
  }

  /** The one agent; another takes its place when certificates or keys changed, and the old one ends with its last request. */
  #transport(credentials: Credentials): Transport {
    const { tls, proxy } = credentials
    const key = JSON.stringify([proxy, tls.ca, tls.cert, tls.key, tls.servername, tls.rejectUnauthorized].map((part) => part?.toString()))
    if (this.#agent?.key === key) return this.#agent.transport
    this.#agent?.transport.close().catch(() => undefined)
    const transport = this.#transportFor(credentials)
    this.#agent = { key, transport }
    return transport
  }
}

function agentFor({ tls, proxy }: Credentials): Transport {
  if (proxy !== null) return new ProxyAgent({ ...AGENT_OPTIONS, uri: proxy, requestTls: tls })
  return new Agent({ ...AGENT_OPTIONS, connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 } })
}

async function parsed(body: Readable): Promise<unknown> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.length
    if (bytes > MAX_BODY_BYTES) throw new TooLong(`an answer of more than ${MAX_BODY_BYTES} bytes`)
    parts.push(part)
  }
  return JSON.parse(Buffer.concat(parts).toString('utf8'))
}

function gunzip(body: Readable): Readable {
  const plain = createGunzip()
  body.once('error', (error) => plain.destroy(error))
  plain.once('close', () => body.destroy())
  return body.pipe(plain)
}

async function readError(status: number, headers: Dispatcher.ResponseData['headers'], body: Readable): Promise<ApiError> {
  const text = await readStart(body)
  const retryAfterMs = seconds(headers['retry-after'])
  const found = parseStatus(text)
  return new ApiError(status, found.reason, found.message || `HTTP ${status}`, retryAfterMs || found.retryAfterMs)
}

/** Whatever can be read of a failed answer: the answer's status is known already, and a cut in its text changes nothing. */
async function readStart(body: Readable): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of body) {
      parts.push(part)
      bytes += part.length
      if (bytes > MAX_STATUS_BYTES) break
    }
  } catch {
    return ''
  }
  return Buffer.concat(parts).toString('utf8')
}

function parseStatus(text: string): ReturnType<typeof readStatus> {
  try {
    return readStatus(JSON.parse(text))
  } catch {
    return readStatus(null)
  }
}

/** The parts of a metav1.Status that decide what happens next. */
export function readStatus(raw: unknown): { code: number; reason: string; message: string; retryAfterMs: number } {
  const { code, reason, message, details } = isRecord(raw) ? raw : {}
  return {
    code: typeof code === 'number' ? code : 0,
    reason: typeof reason === 'string' ? reason : '',
    message: typeof message === 'string' ? message : '',
    retryAfterMs: isRecord(details) ? seconds(details['retryAfterSeconds']) : 0
  }
}

/** kube-apiserver gives whole seconds; a proxy's date is as good as no answer. Capped, for no server means an hour. */
function seconds(value: unknown): number {
  const parsed = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : 0
  return Number.isFinite(parsed) && parsed > 0 ? Math.min(parsed, 60) * 1000 : 0
}
