/** Writes of the Gateway API through the real kubectl, a real API server with its CustomResourceDefinitions, and the real webhook process. */
import t from 'tap'
import {
  AT_GATEWAY,
  backend,
  backends,
  deployedGateway,
  deployment,
  gatewayClass,
  httpRoute,
  kubernetesGateway,
  type Manifest,
  namespace,
  referenceGrant,
  versionService
} from '../manifests.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'

t.setTimeout(10 * 60_000)

const plane = await startControlPlane({ gatewayApi: true })
t.teardown(() => plane.stop())
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

async function kubectl(args: string, input?: unknown): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await plane.kubectl(args.split(' '), input === undefined ? {} : { input: JSON.stringify(input) })
  return { code, text: `${stdout}${stderr}` }
}

const apply = (manifest: Manifest) => kubectl('apply -f -', manifest)
const remove = (kind: string, name: string, home = 'default') => kubectl(`delete ${kind} ${name} -n ${home}`)

async function must(outcome: Promise<{ code: number; text: string }>): Promise<void> {
  const { code, text } = await outcome
  if (code !== 0) throw new Error(text)
}

const rolledOut = (name: string, home = 'default') => must(kubectl(`rollout status deployment/${name} -n ${home} --timeout=120s`))
const split = (v1: number, v2: number) => httpRoute([backends([backend('v1', v1), backend('v2', v2)])], AT_GATEWAY)

/** There is no istiod here: what it deploys for a Gateway is written like everything else. */
const start = [kubernetesGateway(), ...deployedGateway(), versionService('v1'), deployment('v1')]
for (const manifest of start) await must(apply(manifest))
await rolledOut('web-istio')
await rolledOut('helloworld-v1')
await must(apply(httpRoute([backends([backend('v1')])], AT_GATEWAY)))

t.test('a release by HTTPRoute weights: each step too early is refused, and admitted in its turn', async (t) => {
  t.match(await apply(split(90, 10)), {
    code: 1,
    text: '10% of requests to hello.example.com through Gateway default/web would get 500: HTTPRoute default/helloworld rules[0] sends 10% to host helloworld-v2.default.svc.cluster.local, which does not exist'
  })
  await must(apply(versionService('v2')))
  const release = plane.holdUnready({ namespace: 'default', labels: { version: 'v2' } })
  await must(apply(deployment('v2')))
  t.match(await apply(split(90, 10)), {
    code: 1,
    text: 'which no Ready Pod backs. First wait until a Pod of helloworld-v2.default.svc.cluster.local is Ready'
  })
  release()
  await rolledOut('helloworld-v2')
  t.match(await apply(split(90, 10)), { code: 0 })
  t.match(await remove('deployment', 'helloworld-v1'), {
    code: 1,
    text: 'First move the requests to another version in HTTPRoute default/helloworld'
  })
  t.match(await apply(split(0, 100)), { code: 0 })
  t.match(await remove('service', 'helloworld-v1'), { code: 0 })
  t.match(await remove('deployment', 'helloworld-v1'), { code: 0 })
})

t.test('a ReferenceGrant that a route needs is not deleted, nor narrowed', async (t) => {
  const moved = (manifest: Manifest): Manifest => ({ ...manifest, metadata: { ...manifest.metadata, namespace: 'apps' } })
  for (const manifest of [namespace('apps'), moved(versionService('v3')), moved(deployment('v3'))]) await must(apply(manifest))
  await rolledOut('helloworld-v3', 'apps')
  const route = httpRoute([backends([backend('v2', 90), backend('v3', 10, { namespace: 'apps' })])], AT_GATEWAY)
  t.match(await apply(route), {
    code: 1,
    text: 'First create a ReferenceGrant in namespace apps from HTTPRoute of namespace default to Service helloworld-v3'
  })
  await must(apply(referenceGrant('apps', 'default')))
  t.match(await apply(route), { code: 0 })
  t.match(await remove('referencegrant', 'routes', 'apps'), {
    code: 1,
    text: /10% of requests to hello\.example\.com .*would get 500.*\[grant-in-use\]/
  })
  t.match(await apply(referenceGrant('apps', 'other')), { code: 1, text: '[grant-in-use]' })
  t.match(await apply(split(0, 100)), { code: 0 })
  t.match(await remove('referencegrant', 'routes', 'apps'), { code: 0 })
})

t.test('a GatewayClass whose Gateways serve is not deleted, and a regular expression that Envoy refuses is not let in', async (t) => {
  const named = { ...AT_GATEWAY, hostnames: ['own.example.com'] }
  // Of its own class, and served by the same Pods.
  const gateway = kubernetesGateway(undefined, { gatewayClassName: 'public', addresses: [{ type: 'Hostname', value: 'web-istio' }] })
  const own = { ...gateway, metadata: { ...gateway.metadata, name: 'own' } }
  const route = httpRoute([backends([backend('v2')])], { ...named, parentRefs: [{ name: 'own' }] }, { name: 'own' })
  for (const manifest of [gatewayClass('public'), own, route]) await must(apply(manifest))
  t.match(await kubectl('delete gatewayclass public'), {
    code: 1,
    text: /100% of requests to own\.example\.com through .* this takes away GatewayClass public, .*\[gateway-in-use\]/
  })
  t.match(await apply(httpRoute([backends([backend('v2')], [{ path: { type: 'RegularExpression', value: '/(?!a).*' } }])], named)), {
    code: 1,
    text: 'Envoy would refuse all routes of port 80'
  })
  await must(remove('httproute', 'own'))
  t.match(await kubectl('delete gatewayclass public'), { code: 0 })
})

t.test('a listener that serves is not taken away, nor the label by which it takes a namespace', async (t) => {
  const listener = { name: 'http', port: 80, protocol: 'HTTP' }
  t.match(await apply(kubernetesGateway([{ ...listener, hostname: 'other.example.com' }])), { code: 1, text: '[gateway-in-use]' })
  await must(kubectl('label namespace default routes=yes'))
  const selector = { matchLabels: { routes: 'yes' } }
  t.match(await apply(kubernetesGateway([{ ...listener, allowedRoutes: { namespaces: { from: 'Selector', selector } } }])), { code: 0 })
  t.match(await kubectl('label namespace default routes-'), { code: 1, text: '[grant-in-use]' })
  t.match(await remove('gateway.gateway.networking.k8s.io', 'web'), { code: 1, text: '[gateway-in-use]' })
})
