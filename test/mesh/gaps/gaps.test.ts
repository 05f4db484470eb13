/** What must hold of gaps in every world: properties, tried on generated ones. */
import fc from 'fast-check'
import t from 'tap'
import { affectedTargets, everyTarget } from '../../../src/mesh/gaps/affected.ts'
import { type Gap, gapsOfChange, type Target } from '../../../src/mesh/gaps/gaps.ts'
import { formatPath } from '../../../src/mesh/names/path.ts'
import { Meter, metered } from '../../../src/mesh/snapshot/metered.ts'
import { overlay, type Snapshot, type World } from '../../../src/mesh/snapshot/snapshot.ts'
import { decide } from '../../../src/review/decide.ts'
import { judgementOf, snapshotsOf } from '../../../src/review/judgement.ts'
import { DEFAULT_POLICY } from '../../../src/review/policy.ts'
import { apply, parsed, remove, worldOf } from '../../changes.ts'
import { howMany } from '../../form.ts'
import {
  deployment,
  destinationRule,
  gateway,
  type Manifest,
  namespace,
  rule,
  service,
  to,
  unready,
  virtualService
} from '../../manifests.ts'

const RUNS = { numRuns: howMany(100, 300), seed: 20261124 }
const VERSIONS = ['v1', 'v2', 'v3']

const version = fc.constantFrom(...VERSIONS)
const match = fc.constantFrom<Record<string, unknown> | null>(
  null,
  {},
  { uri: { prefix: '/' } },
  { uri: { prefix: '/a' } },
  { uri: { exact: '/a/b' } },
  { uri: { regex: '.*' } },
  { uri: { regex: '/a/[0-9]+' } },
  { headers: { x: { exact: 'a' } } },
  { headers: { x: {} } },
  { withoutHeaders: { x: { exact: 'a' } } },
  { method: { exact: 'GET' } },
  { port: 3000 },
  { sourceLabels: { app: 'helloworld' } },
  { sourceNamespace: 'other' }
)
const destination = fc.tuple(fc.option(version), fc.nat({ max: 3 })).map(([subset, weight]) => to(subset, weight))
const route = fc
  .tuple(fc.array(destination, { minLength: 1, maxLength: 3 }), fc.array(match, { maxLength: 2 }))
  .map(([destinations, matches]) => {
    // Several weights that sum to 0 are refused by Istio (2.4).
    const [first, ...others] = destinations
    const routed =
      others.length > 0 && destinations.every(({ weight }) => weight === 0) ? [{ ...first, weight: 1 }, ...others] : destinations
    const conditions = matches.filter((each) => each !== null)
    return conditions.length === 0 ? rule(routed) : rule(routed, conditions)
  })
const http = fc.array(route, { minLength: 1, maxLength: 4 })
const gateways = fc.constantFrom<Record<string, unknown>>(
  {},
  { gateways: ['gateway'], hosts: ['hello.example.com'] },
  { gateways: ['mesh', 'gateway'], hosts: ['helloworld', 'hello.example.com'] }
)
const virtual = fc
  .tuple(http, gateways, fc.constantFrom('helloworld', 'second'), fc.constantFrom<string[]>([], ['.'], ['other']))
  .map(([routes, spec, name, exportTo]) => virtualService(routes, { ...spec, exportTo }, { name }))
const rules = fc
  .tuple(
    fc.subarray(VERSIONS),
    fc.constantFrom('default', 'other'),
    fc.constantFrom('helloworld', 'second'),
    fc.constantFrom<string[]>([], ['.'], ['*'])
  )
  .map(([versions, inNamespace, name, exportTo]) => destinationRule(versions, { exportTo }, { name, namespace: inNamespace }))
const workload = fc.tuple(version, fc.boolean()).map(([of, ready]) => (ready ? deployment(of) : unready(deployment(of))))
const backend = fc.constantFrom(
  service(),
  service({ selector: { app: 'helloworld', version: 'v1' } }),
  service({ ports: [{ name: 'http', port: 80 }] })
)
const written = fc.oneof(virtual, rules, workload, backend)

const world = fc
  .tuple(fc.option(backend), fc.array(workload, { maxLength: 3 }), fc.array(rules, { maxLength: 2 }), fc.array(virtual, { maxLength: 2 }))
  .map(([one, workloads, destinationRules, virtualServices]) => [
    namespace('default'),
    namespace('other'),
    namespace('third'),
    gateway(),
    ...(one === null ? [] : [one]),
    ...workloads,
    ...destinationRules,
    ...virtualServices
  ])

function opened(before: Snapshot, after: Snapshot, targets: readonly Target[] = [...everyTarget(after)]): string[] {
  return gapsOfChange(before, after, targets).opened.map(describe).sort()
}

function describe({ context, host, port, cause, share, source, path, requestClass }: Gap): string {
  return JSON.stringify([context, host, port, cause, share.toFixed(6), source, formatPath(path), requestClass])
}

/** Holds for every generated case; the counterexample is shown where it does not. */
function holds<T>(name: string, cases: fc.Arbitrary<T>, property: (value: T) => boolean): void {
  t.test(name, async (t) => {
    t.doesNotThrow(() => fc.assert(fc.property(cases, property), RUNS))
  })
}

function changed(
  manifests: readonly Manifest[],
  manifest: Manifest
): { world: World; before: Snapshot; after: Snapshot; targets: Target[] } {
  const stored = worldOf(manifests)
  const change = apply(stored, manifest)
  const { before, after } = snapshotsOf(change, stored)
  const objects = [change.before, change.after].filter((object) => object !== null)
  return { world: stored, before, after, targets: affectedTargets(before, after, objects) }
}

t.test('the generated writes open gaps often enough for the properties to mean something', async (t) => {
  const cases = fc.sample(fc.tuple(world, written), { ...RUNS, numRuns: 300 })
  const dangerous = cases.filter(([manifests, manifest]) => {
    const { before, after, targets } = changed(manifests, manifest)
    return opened(before, after, targets).length > 0
  })
  t.ok(dangerous.length >= 20, `${dangerous.length} of ${cases.length} writes open a gap`)
})

holds('nothing is opened where nothing changes', world, (manifests) => {
  const same = worldOf(manifests)
  return opened(same, same).length === 0
})

holds('an object written again as it is opens nothing and says nothing', fc.tuple(world, written), ([manifests, manifest]) => {
  const stored = worldOf([...manifests, manifest])
  const { verdict, findings } = decide(apply(stored, manifest), stored, DEFAULT_POLICY, 0)
  return verdict === 'allow' && findings.length === 0
})

holds('a catch-all to what is served, added last, opens nothing', fc.tuple(world, virtual), ([manifests, vs]) => {
  const base = [...manifests.filter(({ kind }) => kind !== 'Service' && kind !== 'Deployment'), service(), deployment('v1'), vs]
  const spec = vs['spec'] as { http: Record<string, unknown>[] }
  const { before, after } = changed(base, { ...vs, spec: { ...spec, http: [...spec.http, rule([to(null)])] } })
  // A VirtualService of which no rule stood for a client was no part of its routes before (3.10): only what did apply is compared.
  const known = [...everyTarget(before)].map(({ context, host }) => JSON.stringify([context, host]))
  return (
    opened(
      before,
      after,
      [...everyTarget(after)].filter(({ context, host }) => known.includes(JSON.stringify([context, host])))
    ).length === 0
  )
})

holds('Pods that become Ready open nothing', fc.tuple(world, version), ([manifests, of]) => {
  const stored = worldOf([...manifests.filter(({ metadata }) => metadata['name'] !== `helloworld-${of}`), unready(deployment(of))])
  const pods = [...stored.lookup('podByWorkload', `default/Deployment/helloworld-${of}`)].map((pod) => ({ ...pod, ready: true }))
  return opened(stored, overlay(stored, { added: pods })).length === 0
})

holds('comparing the hosts that a write can affect finds what comparing all finds', fc.tuple(world, written), ([manifests, manifest]) => {
  const { before, after, targets } = changed(manifests, manifest)
  const every = new Map([...everyTarget(before), ...everyTarget(after)].map((target) => [JSON.stringify(target), target]))
  const routed = new Set([...every.values()].map(({ host }) => host))
  const found = new Set(
    opened(
      before,
      after,
      targets.filter(({ host }) => routed.has(host))
    )
  )
  return opened(before, after, [...every.values()]).every((gap) => found.has(gap))
})

holds('whatever is deleted, the answer is one of three and its message fits', fc.tuple(world, written), ([manifests, manifest]) => {
  const stored = worldOf([...manifests, manifest])
  const { verdict, message, warnings } = decide(remove(stored, manifest), stored, DEFAULT_POLICY, 0)
  return (
    (verdict === 'deny') === (message !== '') && Buffer.byteLength(message) <= 1024 && warnings.every((each) => [...each].length <= 120)
  )
})

const HOSTILE = fc.oneof(
  fc.constantFrom(
    '(a+)+$',
    '(.*)*',
    '(a|aa)+$',
    '(?!x)',
    '(?<=a)b',
    '\\1',
    'a{1000}{1000}',
    'x'.repeat(10_000),
    '[',
    '*',
    '(?P<n>a)',
    '\\C',
    '(?i)A',
    '\u{1F600}+',
    '\0'
  ),
  fc.string({ maxLength: 200 })
)

holds('a hostile regular expression never throws, and is valid RE2 or matches nothing', fc.tuple(HOSTILE, HOSTILE), ([one, other]) => {
  const routes = [
    rule([to('v1')], [{ uri: { regex: one } }, { headers: { x: { regex: other } } }]),
    rule([to('v2')], [{ uri: { exact: '/a'.repeat(50) } }, { headers: { x: { exact: 'a'.repeat(50) } } }]),
    rule([to('v1')])
  ]
  const { verdict } = decideOn([service(), deployment('v1'), deployment('v2'), destinationRule(['v1', 'v2'])], virtualService(routes))
  return verdict !== 'deny'
})

t.test(
  'hosts that lose the same routes cost one look at these, and of the classes that are lost at each so many are told as anybody reads',
  async (t) => {
    const many = <T>(count: number, each: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => each(at))
    const routes = [...many(600, (at) => rule([to('v1')], [{ uri: { prefix: `/${at}/` } }])), rule([to('v2')])]
    const shop = virtualService(routes, { hosts: many(600, (at) => `s${at}.com`), gateways: ['gateway'] })
    const versions = [deployment('v1'), deployment('v2'), destinationRule(['v1', 'v2'])]
    const world = worldOf([namespace('default'), service(), ...versions, gateway(), shop])
    for (const [written, change, lost] of [
      ['the routes', remove(world, shop), 'no-virtual-host'],
      ['the gateway', remove(world, gateway()), 'no-listener'],
      ['what most of them send to', apply(world, destinationRule(['v2'])), 'subset']
    ] as const) {
      const meter = new Meter(5_000_000)
      const { gaps, opened } = judgementOf(change, metered(world, meter))
      t.ok(meter.spent < 1_000_000, `${written}: ${meter.spent} steps`)
      t.ok(gaps.length <= 600 * 65, `${gaps.length} gaps`)
      t.equal(new Set(opened.map(({ host }) => host)).size, 600)
      t.ok(opened.every(({ cause }) => cause === lost))
      t.strictSame(new Set(opened.map(({ servedBy }) => servedBy?.isFallback)), new Set(lost === 'subset' ? [false] : [true, false]))
    }
  }
)

function decideOn(manifests: readonly Manifest[], manifest: Manifest) {
  const stored = worldOf([namespace('default'), ...manifests])
  return decide({ ...apply(stored, manifest), after: parsed(manifest) }, stored, DEFAULT_POLICY, 0)
}
