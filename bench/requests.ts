/** A whole request on loopback TLS: the server against handlers that parse the same review and allow it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { createAuthority, issue } from '../src/certificates/self-signed.ts'
import { percentile, type Row } from './report.ts'
import { type Certificate, type MeasuredServer, startBareFastify, startBareGo, startHitlessServer } from './servers/processes.ts'
import { reviewOf } from './worlds.ts'

const HOSTS = 100
const CONNECTIONS = 8
/** So many requests until the engine has compiled what is hot. */
const WARM_UP = 12_000
const ROUNDS = 5
const REQUESTS_PER_ROUND = 2000
const RATE = 500
const SECONDS_AT_RATE = 6

interface Measured {
  readonly server: MeasuredServer
  cpuSeconds: number
  seconds: number
  requests: number
  readonly latenciesMs: number[]
}

export async function measureRequests(): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'hitless-bench-'))
  const { certificate, ca } = await certificateIn(directory)
  const agent = new Agent({ connect: { ca }, connections: CONNECTIONS, allowH2: false })
  const servers = await Promise.all([
    startBareFastify(certificate),
    startBareGo(certificate),
    startHitlessServer(certificate, HOSTS),
    startHitlessServer(certificate, 10_000)
  ])
  try {
    const measured = servers.map((server): Measured => ({ server, cpuSeconds: 0, seconds: 0, requests: 0, latenciesMs: [] }))
    for (const each of measured) await atFullSpeed(each, agent, WARM_UP)
    for (const each of measured) Object.assign(each, { cpuSeconds: 0, seconds: 0, requests: 0 })
    // In turns, so that whatever else the machine does meets all alike.
    for (let round = 0; round < ROUNDS; round++) for (const each of measured) await atFullSpeed(each, agent, REQUESTS_PER_ROUND)
    for (let round = 0; round < 2; round++) for (const each of measured) await atRate(each, agent)
    return rowsOf(measured)
  } finally {
    await Promise.all(servers.map((server) => server.stop()))
    await agent.destroy()
    rmSync(directory, { recursive: true })
  }
}

function rowsOf([fastify, go, ...hitless]: readonly Measured[]): Row[] {
  if (fastify === undefined || go === undefined) throw new Error('no baseline')
  const perCore = ({ requests, cpuSeconds }: Measured) => requests / cpuSeconds
  const p99 = ({ latenciesMs }: Measured) => percentile(latenciesMs, 0.99)
  return hitless.flatMap((each): Row[] => [
    {
      what: `${each.server.name}: requests a core`,
      measured: perCore(each),
      unit: '/s',
      baseline: { what: fastify.server.name, measured: perCore(fastify) },
      bar: { of: 'ratio', least: 0.3 }
    },
    {
      what: `${each.server.name}: requests a core`,
      measured: perCore(each),
      unit: '/s',
      baseline: { what: go.server.name, measured: perCore(go) }
    },
    {
      what: `${each.server.name}: requests in all, ${CONNECTIONS} at once`,
      measured: each.requests / each.seconds,
      unit: '/s',
      baseline: { what: fastify.server.name, measured: fastify.requests / fastify.seconds }
    },
    {
      what: `${each.server.name}: p99 at ${RATE} requests/s`,
      measured: p99(each),
      unit: 'ms',
      baseline: { what: fastify.server.name, measured: p99(fastify) },
      bar: { of: 'measured', most: 5 }
    },
    {
      what: `${each.server.name}: p99 at ${RATE} requests/s`,
      measured: p99(each),
      unit: 'ms',
      baseline: { what: go.server.name, measured: p99(go) }
    }
  ])
}

/** As many requests as it can answer, so many at once. */
async function atFullSpeed(measured: Measured, agent: Agent, count: number): Promise<void> {
  const { server } = measured
  const cpuBefore = server.cpuSeconds()
  const startMs = performance.now()
  let next = 0
  const work = async () => {
    while (next < count) await ask(server.url, agent, next++)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, work))
  measured.cpuSeconds += server.cpuSeconds() - cpuBefore
  measured.seconds += (performance.now() - startMs) / 1000
  measured.requests += count
}

/** Each request at its own time, whether or not those before it were answered. */
async function atRate({ server, latenciesMs }: Measured, agent: Agent): Promise<void> {
  const startMs = performance.now()
  const answers: Promise<void>[] = []
  for (let at = 0; at < RATE * SECONDS_AT_RATE; at++) {
    const dueMs = startMs + (at * 1000) / RATE
    if (dueMs > performance.now()) await sleep(dueMs - performance.now())
    const sentMs = performance.now()
    answers.push(ask(server.url, agent, at).then(() => void latenciesMs.push(performance.now() - sentMs)))
  }
  await Promise.all(answers)
}

async function ask(url: string, dispatcher: Agent, at: number): Promise<void> {
  const { statusCode, body } = await request(url, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: reviewOf(at % HOSTS)
  })
  const answer = (await body.json()) as { response?: { allowed?: boolean } }
  if (statusCode !== 200 || answer.response?.allowed !== true) throw new Error(`${url}: ${statusCode} ${JSON.stringify(answer)}`)
}

async function certificateIn(directory: string): Promise<{ certificate: Certificate; ca: string }> {
  const validity = { nowMs: Date.now(), days: 1 }
  const authority = await createAuthority(validity)
  const { certificate, key } = await issue(authority, ['127.0.0.1'], validity)
  const [certFile, keyFile] = [join(directory, 'tls.crt'), join(directory, 'tls.key')]
  writeFileSync(certFile, certificate)
  writeFileSync(keyFile, key)
  return { certificate: { certFile, keyFile }, ca: authority.certificate }
}
