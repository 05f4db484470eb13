/** What two writes in flight together open, told by one replica of two: by an Event, the metric and a line of its log. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from './control-plane.ts'
import { type HitlessProcess, startHitless } from './hitless-process.ts'

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

// No webhook is registered: what a race gets past two replicas, any write gets past none.
const replicas = [await startHitless(plane, { register: false }), await startHitless(plane, { register: false })]
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
  await patch(`${ISTIO}/destinationrules/helloworld`, { spec: destinationRule(['v1', 'v2'])['spec'] })
  await eventually(() => eventsOf('GapClosed'))
  t.same(await Promise.all(replicas.map(openGaps)), [0, 0])
  t.equal((await eventsOf('GapOpened')).length, 1, 'one Event for one gap')
  t.equal(replicas.filter((replica) => replica.log().includes('gap opened')).length, 1, 'one replica logged it')
})

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

async function openGaps({ healthPort }: HitlessProcess): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text()
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
