/** Dependent writes, back to back, each answered by the other replica, whose watch has not shown what the first one admitted. */
import t from 'tap'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startLateReplicas } from '../rig/late-replicas.ts'

t.setTimeout(5 * 60_000)

/** Longer than a write may be held: what a replica learns in time, it has read. */
const LATE_MS = 20_000
const ISTIO = '/apis/networking.istio.io/v1/namespaces/default'

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
// Without a selector nothing is known of endpoints, so only subsets count.
for (const manifest of [service({ selector: null }), destinationRule(['v1']), virtualService([rule([to('v1')])])]) {
  const { code, stderr } = await plane.kubectl(['create', '-f', '-'], { input: JSON.stringify(manifest) })
  if (code !== 0) throw new Error(stderr)
}
let delayMs = 0
const { replicas, turns, register, stop } = await startLateReplicas(plane, () => delayMs, [])
t.teardown(stop)
await register()
delayMs = LATE_MS

/** A second, and what a busy machine adds; one that was held until its own deadline was so for nine. */
const SETTLED_SECONDS = 3

/** How often each replica has held a write, and for how many seconds in all. */
async function held(): Promise<{ count: number; seconds: number }[]> {
  return Promise.all(
    replicas.map(async ({ hitless }) => ({
      count: await hitless.metric('hitless_held_seconds_count'),
      seconds: await hitless.metric('hitless_held_seconds_sum')
    }))
  )
}

/** Makes a write; gives the replica that answered, and for how long it held the write: null where it did not. */
async function write(manifest: Manifest, dryRun = false): Promise<{ replica: number; heldSeconds: number | null }> {
  const before = await held()
  const kind = manifest.kind === 'VirtualService' ? 'virtualservices' : 'destinationrules'
  const { status, body } = await plane.api.request('PATCH', `${ISTIO}/${kind}/helloworld${dryRun ? '?dryRun=All' : ''}`, {
    body: { spec: manifest['spec'] },
    contentType: 'application/merge-patch+json'
  })
  if (status !== 200) throw new Error(JSON.stringify(body))
  const after = await held()
  const replica = turns.last()
  const [was, is] = [before[replica], after[replica]]
  if (was === undefined || is === undefined) throw new Error(`there is no replica ${replica}`)
  return { replica, heldSeconds: is.count === was.count ? null : is.seconds - was.seconds }
}

t.test('a route to a subset that the other replica has just admitted is held for the settle and no longer', async (t) => {
  const gained = await write(destinationRule(['v1', 'v2']))
  t.equal(gained.heldSeconds, null, 'a subset that nobody uses waits for nothing')
  const route = virtualService([rule([to('v1', 90), to('v2', 10)])])
  const dry = await write(route, true)
  t.not(dry.replica, gained.replica)
  t.equal(dry.heldSeconds, null, 'a dry run is not held')
  // The dry run has taken the other one's turn.
  await write(destinationRule(['v1', 'v2', 'v3']))
  const used = await write(virtualService([rule([to('v1', 90), to('v3', 10)])]))
  t.ok(used.heldSeconds !== null && used.heldSeconds < SETTLED_SECONDS, `held for ${used.heldSeconds} s`)
})

t.test('a weight step is not', async (t) => {
  t.equal((await write(virtualService([rule([to('v1', 50), to('v3', 50)])]))).heldSeconds, null)
})

t.test('nor is a subset taken away before the route that left it by the other replica has settled', async (t) => {
  const left = await write(virtualService([rule([to('v3')])]))
  const dropped = await write(destinationRule(['v3']))
  t.not(dropped.replica, left.replica)
  t.ok(dropped.heldSeconds !== null && dropped.heldSeconds < SETTLED_SECONDS, `held for ${dropped.heldSeconds} s`)
})
