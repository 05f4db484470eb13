/** The mesh's own settings, in its ConfigMap. */
import t from 'tap'
import { kindOf, parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { World } from '../../src/mesh/snapshot/snapshot.ts'
import { parsed } from '../changes.ts'

const configMap = (mesh: string, name = 'istio', namespace = 'istio-system') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data: { mesh }
})

const SAID = `
rootNamespace: config
outboundTrafficPolicy: { mode: REGISTRY_ONLY }
defaultServiceExportTo: ['.']
defaultVirtualServiceExportTo: ['.', web]
defaultDestinationRuleExportTo: ['*']
defaultConfig: { discoveryAddress: istiod:15012 }
somethingNew: { of: [tomorrow] }
`
const OPTIONS = {
  rootNamespace: 'config',
  outboundTrafficPolicy: 'REGISTRY_ONLY',
  defaultServiceExportTo: ['.'],
  defaultVirtualServiceExportTo: ['.', 'web'],
  defaultDestinationRuleExportTo: ['*']
}
const DEFAULTS = { rootNamespace: 'istio-system', istiodNamespace: 'istio-system', domain: 'cluster.local', revision: 'default' }

t.test('what it says counts, what it leaves out is as Istio has it, and what is not known means nothing', async (t) => {
  const world = new World()
  t.strictSame(world.settings, DEFAULTS)
  world.set(parsed(configMap(SAID)))
  t.strictSame(world.settings, { ...DEFAULTS, ...OPTIONS })
  world.set(parsed(configMap('')))
  t.strictSame(world.settings, DEFAULTS)
  world.set(parsed(configMap(SAID)))
  world.delete({ kind: 'MeshConfig', namespace: 'istio-system', name: 'istio' })
  t.strictSame(world.settings, DEFAULTS)
})

t.test('what is given comes before it', async (t) => {
  const world = new World({ outboundTrafficPolicy: 'ALLOW_ANY', defaultServiceExportTo: ['*'] })
  world.set(parsed(configMap(SAID)))
  t.strictSame(world.settings, { ...DEFAULTS, ...OPTIONS, outboundTrafficPolicy: 'ALLOW_ANY', defaultServiceExportTo: ['*'] })
})

t.test("which one it is depends on istiod's namespace and the revision", async (t) => {
  const world = new World({ rootNamespace: 'mesh', revision: 'canary' })
  for (const other of [configMap(SAID), configMap(SAID, 'istio', 'mesh'), configMap(SAID, 'istio-canary')]) {
    world.set(parsed(other))
    t.equal(world.settings.outboundTrafficPolicy, undefined)
  }
  world.set(parsed(configMap(SAID, 'istio-canary', 'mesh')))
  t.match(world.settings, { outboundTrafficPolicy: 'REGISTRY_ONLY', rootNamespace: 'mesh', istiodNamespace: 'mesh' })
})

t.test('numbers of protobuf are read too', async (t) => {
  const world = new World()
  world.set(parsed(configMap('outboundTrafficPolicy: { mode: 0 }')))
  t.equal(world.settings.outboundTrafficPolicy, 'REGISTRY_ONLY')
})

const MALFORMED: Record<string, [string, RegExp]> = {
  'no YAML': ['outboundTrafficPolicy: {', /data\.mesh must be YAML/],
  'a list': ['- a', /data\.mesh must be an object/],
  'another type': ['defaultServiceExportTo: everybody', /data\.mesh\.defaultServiceExportTo must be a list/],
  'an unknown mode': ['outboundTrafficPolicy: { mode: SOME }', /data\.mesh\.outboundTrafficPolicy\.mode must be ALLOW_ANY or REGISTRY_ONLY/]
}
for (const [name, [text, says]] of Object.entries(MALFORMED)) {
  t.test(`${name} cannot be read`, async (t) => t.throws(() => parseObject(configMap(text), DEFAULT_DOMAIN), { message: says }))
}

t.test('other ConfigMaps are no kind that anybody reads, whatever is in them', async (t) => {
  t.equal(parseObject(configMap('- a', 'settings'), DEFAULT_DOMAIN), null)
  t.equal(parseObject(configMap('- a', 'istiod'), DEFAULT_DOMAIN), null)
  t.equal(kindOf('v1', 'ConfigMap'), 'MeshConfig')
})

t.test('with discoverySelectors, what stands in other namespaces is not there, and comes with a label', async (t) => {
  const namespace = (labels: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'lab', labels, resourceVersion: '1' }
  })
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'lab' }, spec: {} }
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', namespace: 'lab', labels: { app: 'a' } } }
  const selecting = configMap(
    'discoverySelectors: [{ matchLabels: { mesh: "on" } }, { matchExpressions: [{ key: kubernetes.io/metadata.name, operator: In, values: [web] }] }]'
  )
  const world = new World()
  const shown = () => [...world.all('Service'), ...world.lookup('podByLabel', 'lab/app=a'), ...world.podsAnywhere({ app: 'a' })].length
  for (const manifest of [namespace({}), service, pod]) world.set(parsed(manifest))
  t.equal(shown(), 3, 'all of it without selectors')
  world.set(parsed(selecting))
  t.equal(shown(), 0)
  t.equal(world.find('Service', 'lab', 'a'), undefined)
  t.ok(world.stored('Service', 'lab', 'a'), 'it is stored all the same')
  world.set(parsed(namespace({ mesh: 'on' })))
  t.equal(shown(), 3)
  world.set(parsed(namespace({ mesh: 'off' })))
  t.equal(shown(), 0)
  world.set(parsed(configMap('')))
  t.equal(shown(), 3)
})
