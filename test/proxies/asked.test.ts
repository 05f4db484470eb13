/** Held writes from end to end: where istiod is and who asks it are read from an API server, and what is said goes over the wire. Both may be broken. */
import { once } from 'node:events'
import { createServer as createHttpServer, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { fixedTime } from '../../src/admission/fixed-time.ts'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Connection } from '../../src/kubernetes/connection.ts'
import { CredentialReader } from '../../src/kubernetes/credentials.ts'
import type { RecentChange } from '../../src/mesh/snapshot/propagation.ts'
import { askedPropagation } from '../../src/proxies/asked.ts'
import { Quiet } from '../../src/proxies/quiet.ts'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { parsed, worldOf } from '../changes.ts'
import { writeKubeconfig } from '../cluster/reflector/fixtures.ts'
import { destinationRule, guide } from '../manifests.ts'
import type { Stream } from '../rig/byte-stream.ts'
import { type Asked, cluster, nonce, response, serveIstiod, synczResponse } from './istiod.ts'

// Measures time: silence is told from an answer, and waited for.
t.setTimeout(300_000)

const SETTLE_MS = 400
/** Of what is named as late at its end: time enough to be told so on a busy machine. */
const DEADLINE_MS = 2000
/** For how long a write may be held here; and how long silence may hold it: 3 s, and what a busy machine adds. */
const PATIENCE_MS = 60_000
const SILENCE_MS = 20_000
const HOST = 'helloworld.default.svc.cluster.local'
const NEVER = new AbortController().signal

interface Api {
  readonly ports: number[]
  readonly root: string
  /** Answers in place of the API server; false where it answers itself. */
  readonly instead?: (path: string, response: ServerResponse) => boolean
}

/** Whoever holds writes, beside an API server that tells of istiods at these ports of this machine. */
async function holding(t: Test, api: Api) {
  const server = createHttpServer(({ url = '' }, answer) => {
    if (api.instead?.(url, answer)) return
    answer.setHeader('content-type', 'application/json').end(JSON.stringify(answerOf(url, api)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const kubeconfig = writeKubeconfig(t.testdir(), `http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'token')
  const connection = new Connection(new CredentialReader({ kubeconfig, context: null }), systemClock)
  const ended = new AbortController()
  t.teardown(async () => {
    ended.abort()
    await connection.close()
    server.closeAllConnections()
    server.close()
  })
  const problems: unknown[] = []
  const world = worldOf(guide())
  const propagation = askedPropagation(
    {
      connection,
      snapshot: () => world,
      serviceAccount: 'hitless-settle',
      fixed: fixedTime({ settleMs: () => SETTLE_MS, nowMs: Date.now, sleep: (ms, signal) => sleep(ms, undefined, { signal }) }),
      settleMs: () => SETTLE_MS,
      quiet: new Quiet(() => 2 * SETTLE_MS, Date.now),
      nowMs: Date.now,
      onAsked: (problem) => problems.push(problem)
    },
    ended.signal
  )
  return { propagation, problems }
}

function answerOf(path: string, { ports, root }: Api): unknown {
  if (path.includes('/endpointslices')) return { items: ports.map(slice) }
  if (path.includes('/configmaps/')) return { data: { 'root-cert.pem': root } }
  return { status: { token: 'secret' } }
}

function slice(port: number) {
  return {
    metadata: { namespace: 'istio-system', labels: { app: 'istiod', 'kubernetes.io/service-name': 'istiod' } },
    ports: [{ name: 'https-dns', port }],
    endpoints: [{ addresses: ['127.0.0.1'] }]
  }
}

/** Has subset v2 from push 5 on, which its one proxy has acknowledged. */
function honest({ type, nonce: acked }: Asked, stream: Stream): void {
  const status = { sent: nonce(5), acked: nonce(5) }
  if (type === TYPES.debug) stream.write(synczResponse(5, JSON.stringify([{ proxy: 'a.default', resources: { [TYPES.cluster]: status } }])))
  else if (acked === '') stream.write(response(type, 5, [cluster(`outbound|3000||${HOST}`), cluster(`outbound|3000|v2|${HOST}`)]))
}

async function istiod(t: Test, answer: (asked: Asked, stream: Stream) => void = honest) {
  const { target, ca, stop } = await serveIstiod(answer)
  t.teardown(stop)
  return { port: Number(target.split(':')[1]), ca, stop }
}

function gained(): RecentChange {
  const after = parsed(destinationRule(['v1', 'v2']))
  return { ref: after, before: parsed(destinationRule(['v1'])), after, atMs: Date.now() }
}

/** Takes connections, and says nothing. */
async function silentServer(t: Test): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** The fixed time decides once istiod has been silent for too long, and why is told. */
async function decidedByTime(t: Test, { propagation, problems }: Awaited<ReturnType<typeof holding>>): Promise<void> {
  const change = gained()
  t.strictSame(await propagation.arrival([change], PATIENCE_MS, NEVER), { arrived: true, notes: [] })
  t.ok(Date.now() - change.atMs < SILENCE_MS, `${Date.now() - change.atMs} ms`)
  t.match(problems, [{ message: 'istiod does not answer' }])
}

for (const path of ['/endpointslices', '/configmaps/', '/token']) {
  t.test(`where the API server never answers for ${path}, the fixed time decides`, async (t) => {
    const { port, ca } = await istiod(t)
    await decidedByTime(t, await holding(t, { ports: [port], root: ca, instead: (url) => url.includes(path) }))
  })
}

t.test('a write is held until the proxies of what the API server tells of have it', async (t) => {
  const { port, ca } = await istiod(t)
  const { propagation, problems } = await holding(t, { ports: [port], root: ca })
  t.strictSame(await propagation.arrival([gained()], PATIENCE_MS, NEVER), { arrived: true, notes: [] })
  t.strictSame(problems, [null])
})

t.test('one replica that takes the connection and says nothing is as none of them', async (t) => {
  const { port, ca } = await istiod(t)
  await decidedByTime(t, await holding(t, { ports: [port, await silentServer(t)], root: ca }))
})

t.test('one that dies while a write is held is given up at once, as often as a new stream is tried', async (t) => {
  const dying = await istiod(t, () => dying.stop())
  const held = await holding(t, { ports: [dying.port], root: dying.ca })
  const change = gained()
  t.strictSame(await held.propagation.arrival([change], PATIENCE_MS, NEVER), { arrived: true, notes: [] })
  t.match(held.problems, [{ message: /UNAVAILABLE/ }], 'and not for its silence')
})

t.test('a replica that says of other proxies than the rest that they have it speaks for its own alone', async (t) => {
  const { port, ca } = await istiod(t)
  const lacking = { proxy: 'a.default', resources: { [TYPES.cluster]: { sent: nonce(5), acked: nonce(4) } } }
  const other = await istiod(t, (asked, stream) =>
    asked.type === TYPES.debug ? void stream.write(synczResponse(5, JSON.stringify([lacking]))) : honest(asked, stream)
  )
  const { propagation } = await holding(t, { ports: [port, other.port], root: `${ca}\n${other.ca}` })
  t.match((await propagation.arrival([gained()], DEADLINE_MS, NEVER)).notes, ['1 of 2 proxies lack what this needs: default/a'])
})

t.test('a replica in place of another is asked, and the other is not', async (t) => {
  const first = await istiod(t)
  const second = await istiod(t)
  const api = { ports: [first.port], root: `${first.ca}\n${second.ca}` }
  const { propagation, problems } = await holding(t, api)
  await propagation.arrival([gained()], PATIENCE_MS, NEVER)
  api.ports.splice(0, 1, second.port)
  first.stop()
  t.strictSame(await propagation.arrival([gained()], PATIENCE_MS, NEVER), { arrived: true, notes: [] })
  t.strictSame(problems, [null, null])
})

t.test('more replicas than any mesh has are not asked', async (t) => {
  const ports = Array.from({ length: 101 }, (_, at) => at + 1)
  const { propagation, problems } = await holding(t, { ports, root: '' })
  t.strictSame(await propagation.arrival([gained()], PATIENCE_MS, NEVER), { arrived: true, notes: [] })
  t.match(problems, [{ message: /^101 replicas of istiod/ }])
})
