/** A write that another webhook refuses, on a real API server: what hitless admitted of it is not believed. */
import t from 'tap'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startLateReplicas } from '../rig/late-replicas.ts'
import { REFUSAL, startOtherWebhook } from './other-webhook.ts'

t.setTimeout(5 * 60_000)

const ISTIO = '/apis/networking.istio.io/v1/namespaces/default'

const plane = await startControlPlane({ controllers: false })
t.teardown(() => plane.stop())
// Without a selector nothing is known of its endpoints, so only subsets can be missing.
for (const manifest of [service({ selector: null }), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])])
  await create(manifest)
const replicas = await startLateReplicas(plane, () => 0, ['--settle', '0'])
t.teardown(() => replicas.stop())
const other = await startOtherWebhook(plane)
t.teardown(() => other.stop())
await replicas.register()

const route = (subset: string) => patch(`${ISTIO}/virtualservices/helloworld`, virtualService([rule([to(subset)])]))
const dryRun = () => patch(`${ISTIO}/destinationrules/helloworld?dryRun=All`, destinationRule(['v1', 'v2', 'v3']))
const define = (...subsets: string[]) => patch(`${ISTIO}/destinationrules/helloworld`, destinationRule(subsets))

t.test('the subset that the refused route would have left cannot be taken away', async (t) => {
  for (let round = 0; round < 4; round++) {
    other.fate = 'refuse'
    t.match(await route('v2'), { status: 403, body: { message: REFUSAL } })
    other.fate = 'admit'
    // Replicas answer by turns: the next write comes to the one that admitted the refused one, or to the other.
    if (round % 2 === 0) await dryRun()
    t.match(await define('v2'), { status: 403, body: { message: /hitless: .*\[subset-in-use\]/ } })
  }
})

t.test('and a route may be made to a subset that a refused rule would have taken away', async (t) => {
  other.fate = 'refuse'
  t.match(await define('v1'), { status: 403, body: { message: REFUSAL } })
  other.fate = 'admit'
  await dryRun()
  t.match(await route('v2'), { status: 200 })
})

async function create(manifest: Manifest): Promise<void> {
  const path = manifest.kind === 'Service' ? '/api/v1/namespaces/default/services' : `${ISTIO}/${manifest.kind.toLowerCase()}s`
  const { status, body } = await plane.api.request('POST', path, { body: manifest })
  if (status >= 300) throw new Error(`POST ${path}: ${status} ${JSON.stringify(body)}`)
}

function patch(path: string, { spec }: Manifest) {
  return plane.api.request('PATCH', path, { body: { spec }, contentType: 'application/merge-patch+json' })
}
