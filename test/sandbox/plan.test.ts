/** `hitless plan`: each step is played in every order onto the embedded cluster, which must refuse nothing and end as was asked. */

import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { load } from 'js-yaml'
import t from 'tap'
import { type MeshObject, parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { RULE_IDS } from '../../src/rules/index.ts'
import { Session } from '../../src/sandbox/session.ts'
import { ADVISED_RULES } from '../../src/sandbox/way-out.ts'
import { hitless, step, WORLD } from '../cli/commands.ts'
import { deployment, destinationRule, gateway, type Manifest, rule, service, to, virtualService } from '../manifests.ts'

interface Planned {
  readonly steps: readonly {
    readonly writes: readonly {
      readonly operation: 'apply' | 'delete'
      readonly object: string
      readonly intermediate: boolean
      readonly forNow?: string
      readonly manifest: Manifest
    }[]
    readonly waitFor: readonly string[]
  }[]
  readonly stuck: readonly { readonly object: string; readonly why: string; readonly advice: string }[]
}

const BEFORE = [service(), deployment('v1'), destinationRule(['v1']), virtualService([rule([to('v1')])])]
const AFTER = [service(), deployment('v2'), destinationRule(['v2']), virtualService([rule([to('v2')])])]

const CONTRADICTIONS = {
  '--flux': '--flux needs --write',
  '--flux --sync-waves --write x': 'either --flux or --sync-waves',
  '--apply': '--apply needs --cluster',
  '--dry-run': '--dry-run needs --apply',
  '--cluster --apply -o json': '--apply tells what it does as text',
  '--step 0': 'It must be a number from 1 to 100',
  '--timeout never': 'It must be a number of seconds'
}

interface Route {
  readonly destination: { readonly subset?: string }
  readonly weight?: number
}

function rulesOf({ spec }: Manifest): readonly (readonly Route[])[] {
  const { http = [] } = spec as { http?: readonly { readonly route: readonly Route[] }[] }
  return http.map(({ route }) => route)
}

/** By subset, of all rules. */
function weightsOf(manifest: Manifest): Readonly<Record<string, number>> {
  return Object.fromEntries(
    rulesOf(manifest).flatMap((route) => route.map(({ destination, weight = 100 }) => [destination.subset ?? '', weight]))
  )
}

/** A folder for each of the two states. */
function states(folder: string, from: readonly Manifest[], target: readonly Manifest[]): string[] {
  return [from, target].flatMap((manifests, at) => {
    const path = join(folder, at === 0 ? 'from' : 'to')
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, 'all.yaml'), manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n'))
    return [at === 0 ? '--from' : '--to', path]
  })
}

function shown({ steps }: Planned): string[][] {
  return steps.map(({ writes }) =>
    writes.map(({ operation, object, intermediate }) => `${operation} ${object}${intermediate ? ' for now' : ''}`)
  )
}

async function planned(folder: string, from: readonly Manifest[], target: readonly Manifest[], ...args: string[]): Promise<Planned> {
  const { out, err } = await hitless(['plan', ...states(folder, from, target), '-o', 'json', ...args])
  if (err !== '') throw new Error(err)
  return JSON.parse(out) as Planned
}

function parsed(manifest: Manifest): MeshObject {
  const object = parseObject(manifest, DEFAULT_DOMAIN)
  if (object === null) throw new Error(`${manifest.kind} is not read`)
  return object
}

/** Plays the steps; `turned` writes each from its end. Resolves with the writes that were refused, and the objects at the end. */
async function played(from: readonly Manifest[], { steps }: Planned, turned: boolean): Promise<{ refused: string[]; left: string[] }> {
  const session = new Session(DEFAULT_POLICY, () => 0)
  for (const manifest of from) session.sandbox.load(parsed(manifest))
  const refused: string[] = []
  for (const { writes, waitFor } of steps) {
    for (const { operation, object, manifest } of turned ? [...writes].reverse() : writes) {
      const written = parsed(manifest)
      const judged = operation === 'apply' ? await session.apply(written) : await session.delete(written)
      if (judged === null || judged.decision.verdict === 'deny') refused.push(`${operation} ${object}`)
    }
    for (const name of waitFor) session.sandbox.ready('default', name.slice(name.indexOf('/') + 1))
  }
  const snapshot = session.sandbox.snapshot()
  const kinds = ['Service', 'Deployment', 'DestinationRule', 'VirtualService', 'Gateway'] as const
  return { refused, left: kinds.flatMap((kind) => [...snapshot.all(kind)].map(specOf)).sort() }
}

function specOf(object: MeshObject): string {
  const { uid: _u, resourceVersion: _r, createdMs: _c, ...rest } = object
  return JSON.stringify(rest)
}

t.test("the guide's release: new version and both subsets, requests, the old ones away", async (t) => {
  const plan = await planned(t.testdir(), BEFORE, AFTER)
  t.strictSame(shown(plan), [
    ['apply Deployment default/helloworld-v2', 'apply DestinationRule default/helloworld for now'],
    ['apply VirtualService default/helloworld'],
    ['apply DestinationRule default/helloworld', 'delete Deployment default/helloworld-v1']
  ])
  t.strictSame(plan.steps[0]?.waitFor, ['Deployment default/helloworld-v2'])
  const subsets = plan.steps[0]?.writes[1]?.manifest['spec'] as { subsets: { name: string }[] }
  t.strictSame(
    subsets.subsets.map(({ name }) => name),
    ['v1', 'v2']
  )
  for (const turned of [false, true]) t.strictSame((await played(BEFORE, plan, turned)).refused, [])
})

t.test('nothing is written twice where waiting is enough', async (t) => {
  const both = [service(), deployment('v1'), deployment('v2'), destinationRule(['v1', 'v2'])]
  const from = [...both, virtualService([rule([to('v1', 50), to('v2', 50)])])]
  const target = [service(), deployment('v2'), destinationRule(['v2', 'v3']), virtualService([rule([to('v2')])])]
  t.strictSame(shown(await planned(t.testdir(), from, target)), [
    ['apply VirtualService default/helloworld'],
    ['apply DestinationRule default/helloworld', 'delete Deployment default/helloworld-v1']
  ])
})

t.test('a Gateway goes after what is bound to it', async (t) => {
  const routed = virtualService([rule([to('v1')])], { hosts: ['shop.example'], gateways: ['gateway'] }, { name: 'shop' })
  const plan = await planned(t.testdir(), [...BEFORE, gateway(), routed], BEFORE)
  t.strictSame(shown(plan), [['delete VirtualService default/shop'], ['delete Gateway default/gateway']])
})

t.test('where there is no safe sequence it says why, and writes nothing', async (t) => {
  const relabelled = deployment('v1', {}, { app: 'helloworld', version: 'v2' })
  const target = [
    service(),
    relabelled,
    destinationRule(['v1'], { subsets: [{ name: 'v1', labels: { version: 'v2' } }] }),
    ...BEFORE.slice(3)
  ]
  const folder = t.testdir()
  const { exit, out } = await hitless(['plan', ...states(folder, BEFORE, target), '--write', join(folder, 'steps')])
  t.equal(exit, 1)
  t.match(out, 'There is no safe sequence')
  t.match(out, /apply Deployment default\/helloworld-v1: hitless: 100% of requests .*\[workload-in-use\]/)
  t.match(out, /What to change in the state to: keep this workload as it is, and give its new version a name of its own beside it\.\n/)
  t.notOk(existsSync(join(folder, 'steps')))
})

t.test('an object in a version that nobody reads is neither gone nor planned for', async (t) => {
  const target = [...AFTER.slice(0, 3), { ...virtualService([rule([to('v2')])]), apiVersion: 'networking.istio.io/v2' }]
  const { exit, out, err } = await hitless(['plan', ...states(t.testdir(), BEFORE, target)])
  t.match({ exit, out, err }, { exit: 2, out: '', err: 'VirtualService of networking.istio.io/v2, a version that hitless does not read' })
  const knative = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name: 'a' } }
  t.match(await hitless(['plan', ...states(join(t.testdirName, 'other'), BEFORE, [...BEFORE, knative])]), { exit: 0 })
})

t.test('what only the API server writes is no difference', async (t) => {
  const dumped = BEFORE.map((manifest) => ({
    ...manifest,
    metadata: {
      ...manifest.metadata,
      uid: 'u',
      resourceVersion: '7',
      generation: 2,
      creationTimestamp: '2026-01-01T00:00:00Z',
      managedFields: []
    },
    status: { readyReplicas: 2, replicas: 2 }
  }))
  const { exit, out } = await hitless(['plan', ...states(t.testdir(), dumped, BEFORE)])
  t.equal(exit, 0)
  t.equal(out, 'Nothing is to be written: the two states are the same.\n')
})

t.test('the steps as folders, deletions where an apply does not see them', async (t) => {
  const folder = t.testdir()
  const [from, target] = [t.testdirName, join(folder, 'steps')]
  const { exit, out } = await hitless(['plan', ...states(from, BEFORE, AFTER), '--write', target])
  t.equal(exit, 0)
  t.match(
    out,
    /^5 writes in 3 steps\.\n1\. apply Deployment .*\n {3}apply DestinationRule .* with the subsets of both states\n {3}then wait until Ready: Deployment .*\n2\. /
  )
  t.strictSame(globSync('**/*.yaml', { cwd: target }).sort(), [
    '01/deployment-default-helloworld-v2.yaml',
    '01/destinationrule-default-helloworld.yaml',
    '02/virtualservice-default-helloworld.yaml',
    '03/delete/deployment-default-helloworld-v1.yaml',
    '03/destinationrule-default-helloworld.yaml'
  ])
  t.strictSame(load(readFileSync(join(target, '03/delete/deployment-default-helloworld-v1.yaml'), 'utf8')), {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'helloworld-v1', namespace: 'default' }
  })
  t.strictSame(load(readFileSync(join(target, '03/destinationrule-default-helloworld.yaml'), 'utf8')), AFTER[2])
  const again = await hitless(['plan', ...states(from, BEFORE, AFTER), '--write', target])
  t.match(again, { exit: 2, err: /steps is not empty \[HITLESS_USAGE\]/ })
})

t.test("Argo CD's waves, where one sync can do it", async (t) => {
  const folder = t.testdir()
  const from = [service(), deployment('v1'), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])]
  const target = [...from.slice(0, 3), deployment('v2'), virtualService([rule([to('v2')])])]
  const args = ['plan', ...states(folder, from, target), '--write', join(folder, 'waves'), '--sync-waves']
  t.equal((await hitless(args)).exit, 0)
  const waves = globSync('*.yaml', { cwd: join(folder, 'waves') })
    .sort()
    .map((file) => {
      const { metadata } = load(readFileSync(join(folder, 'waves', file), 'utf8')) as Manifest
      const { annotations = {} } = metadata as { annotations?: Record<string, string> }
      return [file, annotations['argocd.argoproj.io/sync-wave']]
    })
  t.strictSame(Object.fromEntries(waves), {
    'deployment-default-helloworld-v1.yaml': undefined,
    'deployment-default-helloworld-v2.yaml': '0',
    'destinationrule-default-helloworld.yaml': undefined,
    'service-default-helloworld.yaml': undefined,
    'virtualservice-default-helloworld.yaml': '1'
  })
  const twice = await hitless(['plan', ...states(join(folder, 'other'), BEFORE, AFTER), '--write', join(folder, 'no'), '--sync-waves'])
  t.match(twice, { exit: 2, err: /DestinationRule default\/helloworld is written more than once, which one sync cannot do/ })
})

t.test('requests move in steps of some percent, and all else with the first of them', async (t) => {
  const plan = await planned(t.testdir(), BEFORE, AFTER, '--step', '40')
  t.strictSame(
    plan.steps.slice(1).map(({ writes }) => writes.map(({ object, forNow, manifest }) => [object, forNow, weightsOf(manifest)])),
    [
      [['VirtualService default/helloworld', 'with 40% of the requests moved', { v2: 40, v1: 60 }]],
      [['VirtualService default/helloworld', 'with 80% of the requests moved', { v2: 80, v1: 20 }]],
      [['VirtualService default/helloworld', undefined, { v2: 100 }]],
      [
        ['DestinationRule default/helloworld', undefined, {}],
        ['Deployment default/helloworld-v1', undefined, {}]
      ]
    ]
  )
  for (const turned of [false, true]) t.strictSame((await played(BEFORE, plan, turned)).refused, [])
})

t.test('each rule moves by itself; one that is new, or leads elsewhere than to destinations, is there from the start', async (t) => {
  const both = [service(), deployment('v1'), deployment('v2'), destinationRule(['v1', 'v2'])]
  const debug = [{ headers: { debug: { exact: 'on' } } }]
  const from = [...both, virtualService([rule([to('v1', 90), to('v2', 10)], debug), rule([to('v1')])])]
  const target = [...both, virtualService([rule([to('v1', 60), to('v2', 40)], debug), rule([to('v2')])])]
  const { steps } = await planned(t.testdir(), from, target, '--step', '30')
  t.strictSame(
    steps.map(({ writes }) => writes.map(({ manifest }) => rulesOf(manifest).map((each) => each.map(({ weight }) => weight)))),
    [
      [
        [
          [60, 40],
          [30, 70]
        ]
      ],
      [
        [
          [60, 40],
          [60, 40]
        ]
      ],
      [
        [
          [60, 40],
          [90, 10]
        ]
      ],
      [[[60, 40], [undefined]]]
    ],
    'the first rule has moved as far as it is to by the first step'
  )
  const moved = [...both, virtualService([rule([to('v2')], debug), rule([to('v1')])])]
  const added = await planned(t.testdir(), [...both, virtualService([rule([to('v1')])])], moved, '--step', '10')
  t.equal(added.steps.length, 1, 'a rule that was not there moves nothing bit by bit')
})

t.test('weights that are no percent, and three ways to go', async (t) => {
  const three = [service(), ...['v1', 'v2', 'v3'].map((each) => deployment(each)), destinationRule(['v1', 'v2', 'v3'])]
  const from = [...three, virtualService([rule([to('v1', 2), to('v2', 1)])])]
  const target = [...three, virtualService([rule([to('v2', 1), to('v3', 2)])])]
  const { steps } = await planned(t.testdir(), from, target, '--step', '25')
  const weights = steps.map(({ writes }) => weightsOf(writes[0]?.manifest ?? service()))
  t.strictSame(weights, [
    { v2: 33, v3: 25, v1: 42 },
    { v2: 33, v3: 50, v1: 17 },
    { v2: 1, v3: 2 }
  ])
})

t.test('backends of the Gateway API move alike; one that names no weight has 1', async (t) => {
  const service = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ port: 80 }] }
  })
  const route = (backendRefs: readonly object[]) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'shop', namespace: 'default' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'shop' }], rules: [{ backendRefs }] }
  })
  const backend = (name: string, weight?: number) => ({ name, port: 80, ...(weight === undefined ? {} : { weight }) })
  const world = ['shop', 'shop-v1', 'shop-v2'].map(service)
  const from = [...world, route([backend('shop-v1'), backend('shop-v2', 3)])]
  const { steps } = await planned(t.testdir(), from, [...world, route([backend('shop-v2')])], '--step', '20')
  const shown = steps.flatMap(({ writes }) =>
    writes.map(({ manifest }) => (manifest['spec'] as { rules: { backendRefs: object[] }[] }).rules[0]?.backendRefs)
  )
  t.strictSame(shown, [[backend('shop-v2', 95), backend('shop-v1', 5)], [backend('shop-v2')]])
})

t.test('a folder a step for Flux, each with a Kustomization that waits for the one before', async (t) => {
  const folder = t.testdir()
  const from = [service(), deployment('v1'), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])]
  const target = [service(), from[2] ?? service(), deployment('v2'), virtualService([rule([to('v2')])])]
  const { exit, err } = await hitless(['plan', ...states(folder, from, target), '--write', join(folder, 'mesh'), '--flux'])
  t.equal(exit, 0, err)
  t.match(err, /^Deployment default\/helloworld-v1 must go last; these Kustomizations delete nothing/)
  t.strictSame(globSync('**/*.yaml', { cwd: join(folder, 'mesh') }).sort(), [
    '01/deployment-default-helloworld-v2.yaml',
    '01/destinationrule-default-helloworld.yaml',
    '01/service-default-helloworld.yaml',
    '02/virtualservice-default-helloworld.yaml',
    'step-01.yaml',
    'step-02.yaml'
  ])
  t.match(load(readFileSync(join(folder, 'mesh/step-02.yaml'), 'utf8')), {
    kind: 'Kustomization',
    spec: { dependsOn: [{ name: 'step-01' }], path: './mesh/02', wait: true, prune: false }
  })
  t.notMatch(load(readFileSync(join(folder, 'mesh/step-01.yaml'), 'utf8')), { spec: { dependsOn: [] } })
})

t.test('a world of twenty changed objects is planned within a second', async (t) => {
  const named = (manifest: Manifest, name: string): Manifest =>
    JSON.parse(JSON.stringify(manifest).replaceAll('helloworld', name)) as Manifest
  const five = (state: readonly Manifest[]) => ['a', 'b', 'c', 'd', 'e'].flatMap((name) => state.map((manifest) => named(manifest, name)))
  const folders = states(t.testdir(), five(BEFORE), five(AFTER))
  const before = process.cpuUsage()
  const { out } = await hitless(['plan', ...folders])
  const { user, system } = process.cpuUsage(before)
  t.match(out, /^25 writes in 3 steps\.\n/)
  t.ok(user + system < 1_000_000, `${(user + system) / 1000} ms of processor time`)
})

t.test('every advice is on a rule', (t) => {
  for (const rule of ADVISED_RULES) t.ok(RULE_IDS.includes(rule), rule)
  t.end()
})

t.test('bad input plans nothing', async (t) => {
  t.match(await hitless(['plan', '--from', WORLD]), { exit: 2, err: /plan needs both --from, or --cluster, and --to/ })
  t.match(await hitless(['plan', '--from', WORLD, '--to', WORLD, '--sync-waves']), { exit: 2, err: /--sync-waves needs --write/ })
  for (const [args, said] of Object.entries(CONTRADICTIONS)) {
    t.match(await hitless(['plan', '--from', WORLD, '--to', WORLD, ...args.split(' ')]), { exit: 2, out: '', err: said }, args)
  }
  t.match(await hitless(['plan', '--from', WORLD, '--to', 'nowhere']), { exit: 2, out: '', err: /nowhere: cannot be read/ })
  t.match(await hitless(['plan', '--from', WORLD, '--from', step('01-subset-v2'), '--to', '-'], { stdin: 'a: b: c' }), { exit: 2, out: '' })
})

const versions = fc.uniqueArray(fc.constantFrom('v1', 'v2', 'v3'), { minLength: 1 })
const world = fc.record({ carried: versions, defined: versions, running: versions }).map(({ carried, defined, running }) => {
  const served = carried.filter((version) => defined.includes(version) && running.includes(version))
  const all = served.length === 0 ? ['v1'] : served
  const weights = all.map((version, at) => to(version, at === 0 ? 100 - 10 * (all.length - 1) : 10))
  return [
    service(),
    ...[...new Set([...running, ...all])].sort().map((version) => deployment(version)),
    destinationRule([...new Set([...defined, ...all])].sort()),
    virtualService([rule(weights)])
  ]
})

t.test('between any two states in which all is served there is a sequence, and it holds in either order', async (t) => {
  const folder = t.testdir()
  let at = 0
  const holds = fc.asyncProperty(world, world, async (from, target) => {
    at += 1
    const plan = await planned(join(folder, String(at)), from, target, ...(at % 2 === 0 ? [] : ['--step', String(10 + (at % 50))]))
    const wanted = target.map((manifest) => specOf(parsed(manifest))).sort()
    for (const turned of [false, true]) {
      const { refused, left } = await played(from, plan, turned)
      if (refused.length > 0) throw new Error(`refused: ${refused.join(', ')} of ${JSON.stringify(shown(plan))}`)
      t.strictSame(left, wanted)
    }
    return plan.stuck.length === 0
  })
  await fc.assert(holds, { numRuns: 60, seed: 20261125 })
  t.ok(at >= 60)
})

t.test('what it writes stays in its folder, whatever the objects are called', async (t) => {
  const folder = t.testdir()
  const name = '/../../../../outside'
  const target = join(folder, 'a/b/steps')
  const { exit } = await hitless(['plan', ...states(folder, BEFORE, [...BEFORE, service({}, { name })]), '--write', target])
  t.equal(exit, 0)
  t.strictSame(
    globSync('**/*.yaml', { cwd: folder }).filter((file) => file.includes('outside')),
    ['a/b/steps/01/service-default-_.._.._.._.._outside.yaml']
  )
})

t.test('two objects whose names make one file name have a file each, in steps and in waves', async (t) => {
  const folder = t.testdir()
  const routes = (namespace: string, name: string) => virtualService([rule([to('v1')])], {}, { namespace, name })
  const alike = [routes('a-b', 'c'), routes('a', 'b-c'), routes('A', 'b-C')]
  const given = states(folder, BEFORE, [...BEFORE, ...alike, routes('a', 'n'.repeat(300))])
  for (const layout of [['steps'], ['waves', '--sync-waves']]) {
    const target = join(folder, layout[0] ?? '')
    const { exit, err } = await hitless(['plan', ...given, '--write', target, ...layout.slice(1)])
    t.equal(exit, 0, err)
    const files = globSync('**/virtualservice-[aA]-*.yaml', { cwd: target })
    const written = files.map((file) => load(readFileSync(join(target, file), 'utf8')) as Manifest)
    t.strictSame(new Set(written.map(({ metadata }) => `${metadata['namespace']}/${metadata['name']}`)).size, 4)
    t.equal(new Set(files.map((file) => file.toLowerCase())).size, 4, 'also where a file system knows no case')
  }
})
