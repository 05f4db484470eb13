/** What a running webhook tells of its live state, while Istio comes and goes beneath it. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { destinationRule, rule, service, to, virtualService } from '../manifests.ts'
import { installBinaries } from '../rig/binaries.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(30 * 60_000)

const plane = await startControlPlane({ controllers: false, istio: false })
t.teardown(() => plane.stop())
const { istioDefinitions } = await installBinaries()
const hitless = await startHitless(plane)
t.teardown(() => hitless.stop())

/** The sum of a metric's values over all label sets that contain this text. */
async function sum(metric: string, labels = ''): Promise<number> {
  const lines = (await hitless.metrics()).split('\n').filter((line) => line.startsWith(metric) && line.includes(labels))
  return lines.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 90_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}\n${hitless.log().slice(-2000)}`)
    await sleep(100)
  }
}

async function kubectl(args: string, input?: unknown): Promise<void> {
  const { code, stderr } = await plane.kubectl(args.split(' '), input === undefined ? {} : { input: JSON.stringify(input) })
  if (code !== 0) throw new Error(stderr)
}

const lists = (kind: string) => sum('hitless_state_lists_total', `kind="${kind}"`)

t.test('without Istio it is Ready, and says what it follows', async (t) => {
  t.equal((await fetch(`http://127.0.0.1:${hitless.healthPort}/readyz`)).status, 200)
  t.equal(await sum('hitless_state_fresh'), 1)
  const metrics = await hitless.metrics()
  t.match(metrics, /^hitless_state_age_seconds\{kind="Pod"\} \d/m)
  t.notMatch(metrics, /^hitless_state_age_seconds\{kind="VirtualService"\}/m)
  t.match(hitless.log(), /"kind":"VirtualService","msg":"the cluster does not serve this kind: waiting for it"/)
})

t.test('Istio is noticed when it is installed, and what it serves is judged', async (t) => {
  await kubectl(`apply --server-side -f ${istioDefinitions}`)
  await kubectl('wait --for=condition=Established crd/virtualservices.networking.istio.io crd/destinationrules.networking.istio.io')
  const kinds = ['VirtualService', 'DestinationRule', 'Gateway', 'ServiceEntry', 'WorkloadEntry', 'Sidecar']
  await until('all of its kinds are listed', async () => (await Promise.all(kinds.map(lists))).every((count) => count === 1))
  for (const manifest of [service({ selector: null }), destinationRule(['v1']), virtualService([rule([to('v1')])])]) {
    await kubectl('apply -f -', manifest)
  }
  const { code, stderr } = await plane.kubectl(['apply', '-f', '-'], { input: JSON.stringify(destinationRule(['v2'])) })
  t.not(code, 0, stderr)
  t.match(stderr, '[subset-in-use]')
})

t.test('a kind that goes, and comes back, does not cost readiness for long', async (t) => {
  await kubectl('delete crd destinationrules.networking.istio.io')
  await until('it is told', async () =>
    hitless
      .log()
      .includes(
        '"kind":"DestinationRule","msg":"the cluster does not serve this kind: waiting for it"',
        hitless.log().indexOf('"kind":"DestinationRule","objects":')
      )
  )
  t.equal((await fetch(`http://127.0.0.1:${hitless.healthPort}/readyz`)).status, 200)
  await kubectl(`apply --server-side -f ${istioDefinitions}`)
  await until('it is listed again', async () => (await lists('DestinationRule')) === 2)
})

t.test('a restart of the API server is told, and no difference is left', async (t) => {
  const before = await sum('hitless_watch_interruptions_total')
  await plane.restart('kube-apiserver')
  await until('interruptions are counted', async () => (await sum('hitless_watch_interruptions_total')) > before)
  await until('all is fresh', async () => (await sum('hitless_state_fresh')) === 1)
  t.match(hitless.log(), /"msg":"watch interrupted"/)
  t.equal(await sum('hitless_state_drift_total'), 0)
})
