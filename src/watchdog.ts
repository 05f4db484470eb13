/**
 * A thread beside the one that judges: it takes probes on its own port and has them answered there, says so where that thread is busy, and
 * ends the process where it stays busy. `server/probes.ts` starts it.
 */
import { writeSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'

export interface WatchdogData {
  readonly host: string
  readonly port: number
  /** See `Pulse`. */
  readonly pulse: SharedArrayBuffer
  /** CPU time without a beat after which the process ends. */
  readonly endMs: number
}

/** What is asked for, and what the asker has of it (If-None-Match). */
export interface Probe {
  /** Path and query. */
  readonly url: string
  readonly etag?: string
}

export interface ProbeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What the thread tells. */
export type FromWatchdog =
  | { readonly says: 'listening'; readonly port: number }
  | { readonly says: 'not listening'; readonly why: string }
  | { readonly says: 'asked'; readonly id: number; readonly probe: Probe }

/** What it is told. */
export type ToWatchdog = { readonly id: number; readonly answer: ProbeAnswer }

const PULSE_BYTES = 512

/** Memory of both threads: a count that the judging one moves on, and what it turned to last. */
export class Pulse {
  readonly memory: SharedArrayBuffer
  readonly #numbers: Int32Array
  readonly #text: Buffer

  constructor(memory = new SharedArrayBuffer(PULSE_BYTES)) {
    this.memory = memory
    this.#numbers = new Int32Array(memory, 0, 2)
    this.#text = Buffer.from(memory, 8)
  }

  get beats(): number {
    return Atomics.load(this.#numbers, 0)
  }

  beat(): void {
    Atomics.add(this.#numbers, 0, 1)
  }

  get work(): string {
    return this.#text.toString('utf8', 0, Atomics.load(this.#numbers, 1))
  }

  turnTo(work: string): void {
    Atomics.store(this.#numbers, 1, this.#text.write(work))
  }
}

const LOOK_MS = 250
/** Longer than any turn of the judging thread is meant to take; kubelet waits 1 s at least. */
const PATIENCE_MS = 800
const SAID_MS = 2000
const MOST_FRAMES = 20

function watch(port: MessagePort, data: WatchdogData): void {
  const pulse = new Pulse(data.pulse)
  const waiting = new Map<number, (answer: ProbeAnswer) => void>()
  let asked = 0
  port.on('message', ({ id, answer }: ToWatchdog) => waiting.get(id)?.(answer))
  const answerOf = async (probe: Probe): Promise<ProbeAnswer> => {
    const id = ++asked
    const timeout = new AbortController()
    const answered = new Promise<ProbeAnswer>((resolve) => waiting.set(id, resolve))
    port.postMessage({ says: 'asked', id, probe } satisfies FromWatchdog)
    const late = sleep(PATIENCE_MS, null, { signal: timeout.signal }).catch(() => null)
    try {
      return (await Promise.race([answered, late])) ?? busy(probe, pulse)
    } finally {
      waiting.delete(id)
      timeout.abort()
    }
  }
  const server = createServer({ headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 1000 }, (request, response) =>
    respond(request, response, answerOf)
  )
  server.maxConnections = 100
  server.once('error', ({ message }) => port.postMessage({ says: 'not listening', why: message } satisfies FromWatchdog))
  server.listen(data.port, data.host, () => {
    const address = server.address()
    const listening = typeof address === 'object' && address !== null ? address.port : data.port
    port.postMessage({ says: 'listening', port: listening } satisfies FromWatchdog)
  })
  guard(pulse, data.endMs)
}

async function respond(
  { method = '', url = '', headers: sent }: IncomingMessage,
  response: ServerResponse,
  answerOf: (probe: Probe) => Promise<ProbeAnswer>
): Promise<void> {
  const etag = sent['if-none-match']
  const isRead = method === 'GET' || method === 'HEAD'
  const { status, headers, body } = isRead
    ? await answerOf({ url, ...(etag === undefined ? {} : { etag }) })
    : plain(405, 'probes are read by GET')
  response.writeHead(status, { ...headers, ...(status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }) })
  response.end(method === 'HEAD' ? undefined : body)
}

/** Alive all the same: the end is the guard's. Others may judge meanwhile. */
function busy({ url }: Probe, pulse: Pulse): ProbeAnswer {
  return plain(url === '/livez' ? 200 : 503, `busy since it turned to ${pulse.work || 'its start'}`)
}

/** One line of text. */
export function plain(status: number, text: string): ProbeAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` }
}

/** Time is the process' own: one that is stopped or starved is not busy. */
function guard(pulse: Pulse, endMs: number): void {
  let beats = pulse.beats
  let sinceMs = cpuMs()
  let said = false
  setInterval(() => {
    if (pulse.beats !== beats) {
      beats = pulse.beats
      sinceMs = cpuMs()
      said = false
      return
    }
    const busyMs = cpuMs() - sinceMs
    if (busyMs >= SAID_MS && !said) {
      said = true
      log(40, 'busy: nobody is answered meanwhile', pulse, busyMs)
    }
    if (busyMs >= endMs) void end(pulse, busyMs)
  }, LOOK_MS)
}

let ending = false

/** SIGKILL is the one signal that a busy thread does not keep waiting. */
async function end(pulse: Pulse, busyMs: number): Promise<void> {
  if (ending) return
  ending = true
  const at = await Promise.race([stackOfMain().catch(() => []), sleep(1000, [])])
  log(60, 'busy for too long: ends, to be started anew', pulse, busyMs, at)
  process.kill(process.pid, 'SIGKILL')
}

/** The functions that the judging thread is in, the innermost first. */
async function stackOfMain(): Promise<string[]> {
  // Some megabytes, which nobody needs before.
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connectToMainThread()
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params.url))
  const paused = new Promise<string[]>((resolve) =>
    session.once('Debugger.paused', ({ params }) =>
      resolve(
        params.callFrames
          .slice(0, MOST_FRAMES)
          .map(({ functionName, location }) => `${functionName} ${scripts.get(location.scriptId)}:${location.lineNumber + 1}`)
      )
    )
  )
  await session.post('Debugger.enable')
  await session.post('Debugger.pause')
  return paused
}

/** A line as the log of the judging thread has them. */
function log(level: number, msg: string, pulse: Pulse, busyMs: number, at?: readonly string[]): void {
  const cpuSeconds = Math.round(busyMs / 100) / 10
  writeSync(2, `${JSON.stringify({ level, time: Date.now(), pid: process.pid, lastReview: pulse.work, cpuSeconds, at, msg })}\n`)
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

if (parentPort !== null) watch(parentPort, workerData)
