/** What two writes in flight together open, told by one replica of two: by an Event, the metric and a line of its log. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { type HitlessProcess, startHitless } from '../rig/hitless-process.ts'
import { startTurns } from '../rig/turns.ts'

t.setTimeout(5 * 60_000)

interface Event {
  readonly reason: string
  readonly type: string
  readonly note: string
  readonly regarding: { readonly kind: string; readonly name: string }
}

const ISTIO = '/apis/networking.istio.io/v1/namespaces/default'
const EVENTS = '/apis/events.k8s.io/v1/namespaces/default/events'
const MERGE = 'application/merge-patch+json'

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())

// Without a selector, nothing is known of its endpoints, so only subsets can be missing.
const world = [service({ selector: null }), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])]
for (const manifest of world) await create(manifest)

const files = { cert: join(plane.directory, 'webhook.crt'), key: join(plane.directory, 'webhook.key') }
await writeFile(files.cert, plane.certificate.cert)
await writeFile(files.key, plane.certificate.key)
const start = () => startHitless(plane, { register: false, flags: ['--tls-cert', files.cert, '--tls-key', files.key, '--settle', '0'] })

// At first no webhook is registered: what a race gets past two replicas, any write gets past none.
const replicas = [await start(), await start()]
t.teardown(() => Promise.all(replicas.map((replica) => replica.stop())))

t.test('a gap that no review saw is told within 5 s, once, on the VirtualService', async (t) => {
  const started = performance.now()
  await Promise.all([
    patch(`${ISTIO}/destinationrules/helloworld`, { spec: destinationRule(['v1'])['spec'] }),
    patch(`${ISTIO}/virtualservices/helloworld`, { spec: virtualService([rule([to('v2')])])['spec'] })
  ])
  const [event] = await eventually(() => eventsOf('GapOpened'))
  t.ok(performance.now() - started < 5_000, `took ${Math.round(performance.now() - started)} ms`)
  t.match(event, {
    type: 'Warning',
    regarding: { kind: 'VirtualService', name: 'helloworld' },
    note: /^100% of requests to helloworld\.default\.svc\.cluster\.local:\d+ get 503 by spec\.http\[0\].* subset "v2" \[undefined-subset\]$/
  })
  t.same((await Promise.all(replicas.map(openGaps))).sort(), [0, 1], 'one of the two shows it')
})

t.test('it is told no more once it is repaired', async (t) => {
  await repair()
  await eventually(() => eventsOf('GapClosed'))
  t.same(await Promise.all(replicas.map(openGaps)), [0, 0])
  t.equal((await eventsOf('GapOpened')).length, 1, 'one Event for one gap')
  t.equal(replicas.filter((replica) => replica.log().includes('gap opened')).length, 1, 'one replica logged it')
})

t.test('two writes in flight together through two replicas are both admitted, which is told within 5 s', async (t) => {
  const earlier = (await eventsOf('GapOpened')).length
  const asked = new Gate()
  const stored = new Gate()
  const ports = replicas.map(({ port }) => port)
  const turns = await startTurns(plane.certificate, plane.ca, ports, async (replica) => {
    if (replica !== 0) return
    // The first replica has judged; its answer arrives after the other write was made.
    asked.open()
    await stored.opened
  })
  t.teardown(() => turns.close())
  const unregister = await plane.registerWebhook({
    url: `https://127.0.0.1:${turns.port}/validate`,
    caBundle: plane.ca,
    timeoutSeconds: 10
  })
  const route = patch(`${ISTIO}/virtualservices/helloworld`, { spec: virtualService([rule([to('v1', 50), to('v2', 50)])])['spec'] })
  await asked.opened
  await patch(`${ISTIO}/destinationrules/helloworld`, { spec: destinationRule(['v1'])['spec'] })
  stored.open()
  await route
  const started = performance.now()
  await eventually(async () => ((await eventsOf('GapOpened')).length > earlier ? [true] : []))
  t.ok(performance.now() - started < 5_000, `took ${Math.round(performance.now() - started)} ms`)
  t.same((await Promise.all(replicas.map(openGaps))).sort(), [0, 1])
  await unregister()
  await repair()
  await eventually(async () => ((await gapsShown()) === 0 ? [true] : []))
})

for (const [signal, weight] of [
  ['SIGKILL', 30],
  ['SIGTERM', 80]
] as const) {
  t.test(`after ${signal} to the replica that reports, the other takes over, and tells what happened in between`, async (t) => {
    const at = (await Promise.all(replicas.map(reports))).indexOf(true)
    await replicas[at]?.stop(signal)
    await patch(`${ISTIO}/destinationrules/helloworld`, { spec: destinationRule(['v1'])['spec'] })
    await patch(`${ISTIO}/virtualservices/helloworld`, {
      spec: virtualService([rule([to('v1', 100 - weight), to('v2', weight)])])['spec']
    })
    const told = async () => (await eventsOf('GapOpened')).filter(({ note }) => note.startsWith(`${weight}% of requests`))
    await eventually(told)
    const other = replicas[1 - at]
    t.ok(other !== undefined && (await reports(other)), 'the other reports now')
    t.equal((await told()).length, 1, 'once')
    replicas[at] = await start()
    await repair()
    await eventually(async () => ((await gapsShown()) === 0 ? [true] : []))
  })
}

/** Opens once, for all who wait. */
class Gate {
  readonly opened: Promise<void>
  open: () => void = () => undefined

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve
    })
  }
}

/** The world without gaps, in an order that opens none. */
async function repair(): Promise<void> {
  await patch(`${ISTIO}/destinationrules/helloworld`, { spec: destinationRule(['v1', 'v2'])['spec'] })
  await patch(`${ISTIO}/virtualservices/helloworld`, { spec: virtualService([rule([to('v1')])])['spec'] })
}

async function gapsShown(): Promise<number> {
  return (await Promise.all(replicas.map(openGaps))).reduce((sum, count) => sum + count, 0)
}

/** It said last that it reports. */
async function reports(replica: HitlessProcess): Promise<boolean> {
  return replica.running() && replica.log().includes('this replica reports gaps')
}

async function create(manifest: Manifest): Promise<void> {
  const { code, stderr } = await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) })
  if (code !== 0) throw new Error(stderr)
}

async function patch(path: string, body: unknown): Promise<void> {
  const { status } = await plane.api.request('PATCH', path, { body, contentType: MERGE })
  if (status !== 200) throw new Error(`${path}: ${status}`)
}

async function eventsOf(reason: string): Promise<Event[]> {
  const { body } = await plane.api.request<{ items: Event[] }>('GET', EVENTS)
  return body.items.filter((event) => event.reason === reason)
}

async function openGaps(hitless: HitlessProcess): Promise<number> {
  const page = await hitless.metrics()
  return [...page.matchAll(/^hitless_gaps\{.*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

/** An Event is written by another process: it can only be asked for again. */
async function eventually<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  for (;;) {
    const found = await ask()
    if (found.length > 0) return found
    await sleep(50)
  }
}
