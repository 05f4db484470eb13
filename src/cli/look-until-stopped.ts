/** What `hitless look` does: serves the page on the loopback interface, until it is asked to stop. */
import { createServer, type Server } from 'node:http'
import { AuditLoop } from '../cluster/audit-loop.ts'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import { HitlessError } from '../errors.ts'
import type { MeshObject } from '../kinds/index.ts'
import { systemClock } from '../kubernetes/clock.ts'
import { refusalEvents } from '../kubernetes/events.ts'
import { everyTarget } from '../mesh/gaps/affected.ts'
import { EXIT, type Io } from '../output/io.ts'
import { createPage } from '../page/page.ts'
import type { Shown, ShownGap, ShownWrite } from '../page/shown.ts'
import { openGaps } from '../review/audit.ts'
import { DEFAULT_POLICY } from '../review/policy.ts'
import { shownGap } from '../webhook/page.ts'
import { describeGap } from '../webhook/report-gaps.ts'
import { type ClusterFlags, followed, sourceOf } from './cluster-source.ts'
import { stateOf } from './looked-at.ts'

export interface LookOptions extends ClusterFlags {
  readonly namespace?: string
  readonly port: string
}

/** Events of refusals are listed this often. */
const REFUSALS_MS = 15_000
/** A page of another site reaches this port by a name of its own that leads here. */
const OWN_NAMES = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

type Looked = Omit<Shown, 'showNames' | 'nowMs' | 'held'>

/** Gives 0; 2 where something could not be read, which is told at the start. */
export async function lookUntilStopped(paths: readonly string[], options: LookOptions, io: Io): Promise<number> {
  if (options.cluster && paths.length === 0) return lookAtCluster(options, io)
  const { snapshot, errors } = await stateOf(paths, { ...options, standInPods: true }, io)
  const gaps = openGaps(snapshot, [...everyTarget(snapshot)], DEFAULT_POLICY)
    .map((found) => describeGap(found, snapshot))
    .map(shownGap)
  await served({ what: paths.join(' '), snapshot: () => snapshot, gaps: () => gaps, refusals: () => null }, options, io)
  return errors.length > 0 ? EXIT.usage : EXIT.ok
}

async function lookAtCluster(options: LookOptions, io: Io): Promise<number> {
  let changed: (before: MeshObject | null, after: MeshObject | null) => void = () => undefined
  await followed(
    sourceOf(options, io.env),
    io,
    async (cluster) => {
      const looking = lookForGaps(cluster, io.signal)
      changed = looking.changed
      const refusals = followRefusals(cluster, options.namespace ?? '', io.signal)
      const what = options.context === undefined ? 'cluster' : `cluster ${options.context}`
      await served({ what, snapshot: () => cluster.snapshot(), gaps: looking.gaps, refusals }, options, io)
    },
    (event) => event.type === 'changed' && changed(event.before, event.after)
  )
  return EXIT.ok
}

function lookForGaps(cluster: LiveCluster, signal: AbortSignal) {
  let found: readonly ShownGap[] | null = null
  const loop: AuditLoop = new AuditLoop({
    clock: systemClock,
    snapshot: () => cluster.snapshot(),
    find: (snapshot, target, tell) => openGaps(snapshot, [target], DEFAULT_POLICY, tell).map((gap) => describeGap(gap, snapshot)),
    opened: () => undefined,
    closed: () => undefined,
    // What cannot be looked at keeps what was known of it.
    failed: () => undefined,
    unjudged: () => undefined,
    settled: () => {
      found = loop.open().map(shownGap)
    }
  })
  void loop.start(signal).then(() => loop.run(signal))
  return { gaps: () => found, changed: (before: MeshObject | null, after: MeshObject | null) => loop.changed(before, after) }
}

/** Refusals as their Events tell them; null where those may not be read. */
function followRefusals({ connection }: LiveCluster, namespace: string, signal: AbortSignal): () => readonly ShownWrite[] | null {
  let known: readonly ShownWrite[] | null = null
  const read = async () => {
    try {
      const events = await refusalEvents(connection, namespace, signal)
      known = events
        .map(({ time, operation, object, user, message, refused }) => ({
          atMs: Date.parse(time),
          write: `${operation} ${object.kind} ${object.namespace === '' ? '' : `${object.namespace}/`}${object.name}`,
          user,
          message,
          refused
        }))
        .sort((one, other) => other.atMs - one.atMs)
    } catch {
      known = null
    }
  }
  void read()
  const timer = setInterval(() => void read(), REFUSALS_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  return () => known
}

async function served(looked: Looked, { port }: LookOptions, io: Io): Promise<void> {
  const page = createPage({ ...looked, held: () => [], showNames: () => true, nowMs: io.nowMs })
  const server = createServer((request, response) => {
    const url = request.url === '/' ? '/look' : (request.url ?? '')
    const isOwn = OWN_NAMES.test(request.headers.host ?? '')
    const answer = isOwn && request.method === 'GET' ? page(url, request.headers['if-none-match']) : null
    const { status, headers, body } = answer ?? { status: isOwn ? 404 : 421, headers: {}, body: 'there is nothing here\n' }
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
  })
  const taken = await listening(server, portOf(port))
  io.out(`http://127.0.0.1:${taken}/look/\nCtrl-C ends it.\n`)
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve()
    else io.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  server.close()
  server.closeAllConnections()
}

function portOf(text: string): number {
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new HitlessError('HITLESS_USAGE', `--port ${text}: must be a number from 0 to 65535`)
}

function listening(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new HitlessError('HITLESS_LISTEN', `cannot listen on 127.0.0.1 port ${port}`, { cause })))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
