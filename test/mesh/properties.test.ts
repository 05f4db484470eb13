/** What must hold of the store and of regular expressions, whatever objects and patterns come; `gaps.test.ts` has the properties of gaps. */

import fc from 'fast-check'
import t from 'tap'
import { type IndexName, KINDS, type MeshObject, parseObject, refKey } from '../../src/kinds/index.ts'
import { affectedTargets, everyTarget } from '../../src/mesh/gaps/affected.ts'
import { gapsOfChange, type Target } from '../../src/mesh/gaps/gaps.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { isRe2, matchesWhole } from '../../src/mesh/names/regex.ts'
import { overlay, type Snapshot, World } from '../../src/mesh/snapshot/snapshot.ts'
import { howMany } from '../form.ts'

const RUNS = { numRuns: howMany(100, 300), seed: 20261124 }

const name = fc.constantFrom('web', 'api')
const namespace = fc.constantFrom('one', 'two')
const host = fc.constantFrom(
  'web',
  'api',
  'WEB',
  'web.one.svc.cluster.local',
  '*.one.svc.cluster.local',
  '*.svc.cluster.local',
  '*',
  'a.example'
)
const version = fc.constantFrom('v1', 'v2')
const exportTo = fc.constantFrom<string[]>([], ['.'], ['*'], ['two'])
const labels = fc.record({ app: name, version }, { requiredKeys: ['app'] })
const destination = fc.record({ host, subset: version }, { requiredKeys: ['host'] })
const route = fc.array(fc.record({ destination, weight: fc.constantFrom(1, 50) }), { minLength: 1, maxLength: 2 })

const SPECS: Readonly<Record<string, fc.Arbitrary<Record<string, unknown>>>> = {
  'v1 Service': fc.oneof(
    fc.record({ selector: labels, ports: fc.constantFrom([{ name: 'http', port: 80 }], [{ name: 'tcp', port: 90 }]) }),
    fc.record({ type: fc.constant('ExternalName'), externalName: host })
  ),
  'networking.istio.io/v1 VirtualService': fc.record(
    {
      hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
      gateways: fc.constantFrom(['mesh'], ['gate'], ['mesh', 'one/gate']),
      exportTo,
      http: fc.array(fc.oneof(fc.record({ route }), fc.record({ delegate: fc.record({ name, namespace }) })), { maxLength: 2 }),
      tcp: fc.array(fc.record({ route }), { maxLength: 1 })
    },
    { requiredKeys: ['hosts', 'http'] }
  ),
  'networking.istio.io/v1 DestinationRule': fc.record({
    host,
    exportTo,
    subsets: fc.array(
      version.map((each) => ({ name: each, labels: { version: each } })),
      { maxLength: 2 }
    )
  }),
  'networking.istio.io/v1 Gateway': fc.record({
    selector: fc.constantFrom({}, { app: 'web' }),
    servers: fc.constant([{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }])
  }),
  'networking.istio.io/v1 ServiceEntry': fc.record({
    hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
    ports: fc.constant([{ number: 80, name: 'http', protocol: 'HTTP' }]),
    resolution: fc.constantFrom('STATIC', 'DNS')
  }),
  'networking.istio.io/v1 Sidecar': fc.record({
    egress: fc.constantFrom([{ hosts: ['./*'] }], [{ hosts: ['*/*'] }], [{ hosts: ['one/web.one.svc.cluster.local'] }])
  }),
  'apps/v1 Deployment': labels.map((each) => ({ replicas: 1, template: { metadata: { labels: each } } }))
}

const object: fc.Arbitrary<MeshObject> = fc.oneof(
  ...Object.entries(SPECS).map(([type, spec]) => {
    const [apiVersion = '', kind = ''] = type.split(' ')
    const called = kind === 'Gateway' ? fc.constant('gate') : name
    return fc.record({ name: called, namespace, spec }).map(({ spec: of, ...metadata }) => parsed({ apiVersion, kind, metadata, spec: of }))
  }),
  fc.record({ name, namespace, labels, ready: fc.boolean() }).map(({ ready, ...metadata }) =>
    parsed({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
      status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] }
    })
  )
)
const objects = fc.array(object, { maxLength: 14 }).map((all) => [...new Map(all.map((each) => [refKey(each), each])).values()])
const step = fc.record({ object, gone: fc.boolean() })

/** Look-ups that lead through every index, with keys that the generated objects stand under and some that none does. */
const HOSTS = [
  'web.one.svc.cluster.local',
  'api.two.svc.cluster.local',
  '*.one.svc.cluster.local',
  '*.svc.cluster.local',
  '*',
  'a.example',
  'web'
]
const PAIRS = ['one', 'two'].flatMap((of) => ['app=web', 'app=api', 'version=v1', 'version=v2'].map((pair) => `${of}/${pair}`))
const NAMES = ['one/web', 'two/web', 'one/api', 'two/api', 'one/gate', 'two/gate']
const KEYS: Readonly<Record<IndexName, readonly string[]>> = {
  virtualServiceByHost: HOSTS,
  virtualServiceByDestination: HOSTS,
  virtualServiceByDelegate: NAMES,
  virtualServiceByGateway: ['mesh', ...NAMES],
  destinationRuleByHost: HOSTS,
  destinationRuleWithTls: [''],
  serviceByHost: HOSTS,
  serviceBySelector: PAIRS,
  serviceByExternalName: HOSTS,
  serviceByHttpPort: ['80', '90'],
  serviceEntryByHost: HOSTS,
  serviceEntryByHttpPort: ['80', '90'],
  serviceEntryByBytesPort: ['80', '90'],
  gatewayBySelector: ['', '/app=web'],
  sidecarByNamespace: ['one', 'two'],
  serviceEntryBySelector: PAIRS,
  deploymentByLabel: PAIRS,
  podByLabel: PAIRS,
  podByWorkload: ['Deployment/one/web'],
  routeObjectByNamespace: ['one', 'two'],
  // Kinds that are not among the generated ones.
  workloadEntryByLabel: [],
  endpointSliceByService: [],
  peerAuthenticationByNamespace: [],
  kubernetesGatewayByNamespace: [],
  listenerSetByGateway: [],
  grantByNamespace: [],
  httpRouteByReference: [],
  grpcRouteByReference: [],
  tlsRouteByReference: [],
  tcpRouteByReference: []
}

function parsed(manifest: unknown): MeshObject {
  const found = parseObject(manifest, DEFAULT_DOMAIN)
  if (found === null) throw new Error('the manifest is of no kind of the model')
  return found
}

function worldOf(all: readonly MeshObject[]): World {
  const world = new World()
  for (const each of all) world.set(each)
  return world
}

/** Whatever a snapshot answers, as text that no order changes. */
function answers(snapshot: Snapshot): string {
  const text = (found: Iterable<MeshObject>) => [...found].map((each) => JSON.stringify(each)).sort()
  const indexes = Object.keys(KEYS) as IndexName[]
  return JSON.stringify([
    KINDS.map((kind) => text(snapshot.all(kind))),
    KINDS.map((kind) => NAMES.map((each) => snapshot.find(kind, each.split('/')[0] ?? '', each.split('/')[1] ?? '') ?? null)),
    indexes.map((index) => KEYS[index].map((key) => text(snapshot.lookup(index, key)))),
    [{ app: 'web' }, { version: 'v1' }, { app: 'api', version: 'v2' }, {}].map((selector) => text(snapshot.podsAnywhere(selector)))
  ])
}

/** Holds for every generated case; the counterexample is shown where it does not. */
function holds<T>(statement: string, cases: fc.Arbitrary<T>, property: (value: T) => boolean): void {
  t.test(statement, async (t) => {
    t.doesNotThrow(() => fc.assert(fc.property(cases, property), RUNS))
  })
}

holds('a world after any writes and deletes answers as one built from what is left', fc.array(step, { maxLength: 30 }), (steps) => {
  const world = new World()
  const left = new Map<string, MeshObject>()
  steps.forEach(({ object: each, gone }, at) => {
    // Asked half way, so that the index of Pods by label exists while they come and go.
    if (at === steps.length >> 1) answers(world)
    if (gone) {
      world.delete(each)
      left.delete(refKey(each))
      return
    }
    world.set(each)
    left.set(refKey(each), each)
  })
  return answers(world) === answers(worldOf([...left.values()].reverse()))
})

holds(
  'a snapshot with a change laid over it answers as the world with the change made, and stays as it was',
  fc.tuple(objects, fc.array(object, { maxLength: 3 }), fc.array(object, { maxLength: 3 })),
  ([stored, removed, added]) => {
    const world = worldOf(stored)
    const untouched = answers(world)
    const shown = answers(overlay(world, { removed, added }))
    if (answers(world) !== untouched) return false
    for (const each of removed) world.delete(each)
    for (const each of added) world.set(each)
    return shown === answers(world)
  }
)

holds('no index names fewer objects than it holds', fc.tuple(objects, fc.array(object, { maxLength: 2 })), ([stored, added]) => {
  const shown = overlay(worldOf(stored), { added })
  return (Object.keys(KEYS) as IndexName[]).every((index) =>
    KEYS[index].every((key) => shown.countAtMost(index, key) >= [...shown.lookup(index, key)].length)
  )
})

holds('wildcards, aliases, delegates and Sidecars hide no gap from the hosts judged', fc.tuple(objects, object), ([stored, written]) => {
  const world = worldOf(stored)
  for (const each of ['one', 'two', 'other']) world.set(parsed({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: each } }))
  if (!['VirtualService', 'DestinationRule', 'Service'].includes(written.kind)) return true
  const after = overlay(world, { added: [written] })
  const before = world.find(written.kind, written.namespace, written.name)
  const targets = affectedTargets(world, after, before === undefined ? [written] : [before, written])
  const opened = (among: readonly Target[]) =>
    gapsOfChange(world, after, among).opened.map((gap) => JSON.stringify([gap.host, gap.port, gap.cause, gap.source, gap.path]))
  const found = new Set(opened(targets))
  return opened([...everyTarget(world), ...everyTarget(after)]).every((gap) => found.has(gap))
})

const HOSTILE = [
  '(a+)+$',
  '(a|aa)+$',
  '((a*)*)*b',
  '(.*){50}x',
  'a{1000}',
  'a{1001}',
  '((a{100}){100}){100}',
  '(?!x)a',
  '(?<=a)b',
  '(a)\\1',
  '[',
  '*',
  '(',
  '\\',
  '\u{1F600}+',
  '\uD800',
  '(?i)Ä',
  `${'('.repeat(500)}a${')'.repeat(500)}`,
  'x'.repeat(10_000),
  '.*'.repeat(500)
]
const PATHS = ['', '/', 'a'.repeat(5000), `${'a'.repeat(5000)}!`, '/'.repeat(2000), '\u{1F600}'.repeat(500), '\0']

for (const pattern of HOSTILE) {
  t.test(`${JSON.stringify(pattern.slice(0, 30))} is answered in time, and matches nothing unless it is RE2`, async (t) => {
    const started = process.cpuUsage()
    const matched = PATHS.filter((path) => matchesWhole(pattern, path))
    const { user } = process.cpuUsage(started)
    // Backtracking takes longer than anybody waits; the bound only has to tell the two apart.
    t.ok(user < 10_000_000, `${user} µs`)
    if (!isRe2(pattern)) t.strictSame(matched, [])
  })
}

holds(
  'no pattern throws, and what is no RE2 matches nothing',
  fc.tuple(fc.string({ unit: 'binary', maxLength: 60 }), fc.string()),
  ([pattern, path]) => {
    const matched = matchesWhole(pattern, path)
    return isRe2(pattern) || !matched
  }
)

t.test('the generated objects are of many kinds', async (t) => {
  const kinds = new Set(fc.sample(object, RUNS).map(({ kind }) => kind))
  t.ok(kinds.size >= 8, [...kinds].join(', '))
})
