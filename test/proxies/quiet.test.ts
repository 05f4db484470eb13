/** Quiet for long enough, by what was heard. */
import t from 'tap'
import { Quiet } from '../../src/proxies/quiet.ts'
import { parsed } from '../changes.ts'
import { deployment, destinationRule, httpRoute, kubernetesGateway, referenceGrant } from '../manifests.ts'

function heard() {
  let now = 1000
  const quiet = new Quiet(
    () => 100,
    () => now
  )
  const at = (ms: number, what = parsed(destinationRule(['v1']))) => {
    now = ms
    quiet.heard(null, what)
  }
  const since = (changedMs: number, ms: number) => {
    now = ms
    return quiet.since(changedMs)
  }
  return { at, since }
}

t.test('after the last change', async (t) => {
  const { at, since } = heard()
  at(2000)
  t.notOk(since(2000, 2099))
  t.ok(since(2000, 2100))
  t.notOk(since(2050, 2149), 'a change that is still to be heard')
})

t.test('between a change and a later one', async (t) => {
  const { at, since } = heard()
  at(2000)
  at(2200)
  at(2250)
  t.ok(since(2000, 2251))
  t.notOk(since(2200, 2251))
  t.ok(since(2200, 14_201), 'istiod keeps nothing back for longer')
})

t.test('what istiod pushes nothing for is no noise', async (t) => {
  const { at, since } = heard()
  at(2000)
  at(2099, parsed(deployment('v1')))
  t.ok(since(2000, 2100))
})

const PEER_AUTHENTICATION = {
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'strict', namespace: 'default' }
}
const MESH_CONFIG = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'istio', namespace: 'istio-system' }, data: { mesh: '{}' } }

for (const manifest of [PEER_AUTHENTICATION, httpRoute([]), kubernetesGateway([]), referenceGrant('default', 'HTTPRoute'), MESH_CONFIG]) {
  t.test(`${manifest['kind']} is pushed like any other configuration`, async (t) => {
    const { at, since } = heard()
    at(2000)
    at(2099, parsed(manifest))
    t.notOk(since(2000, 2100))
  })
}
