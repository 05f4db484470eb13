/** Who can see a host differently: few contexts, however many namespaces there are. */
import t from 'tap'
import { affectedTargets } from '../../../src/mesh/gaps/affected.ts'
import { gatewayContexts, meshContexts } from '../../../src/mesh/gaps/contexts.ts'
import type { Target } from '../../../src/mesh/gaps/gaps.ts'
import type { Snapshot } from '../../../src/mesh/snapshot/snapshot.ts'
import { decide } from '../../../src/review/decide.ts'
import { judgementOf, snapshotsOf } from '../../../src/review/judgement.ts'
import { DEFAULT_POLICY } from '../../../src/review/policy.ts'
import { apply, remove, worldOf } from '../../changes.ts'
import { howMany } from '../../form.ts'
import {
  deployment,
  destinationRule,
  gateway,
  guide,
  guideWith,
  HOST,
  type Manifest,
  namespace,
  rule,
  service,
  to,
  virtualService
} from '../../manifests.ts'
import { Dice, keyOfManifest } from './dice.ts'
import { fatesOf } from './plain.ts'

const namespaces = (count: number) => Array.from({ length: count }, (_, at) => namespace(`team-${String(at).padStart(4, '0')}`))
const inNamespaces = (...manifests: Manifest[]) => [...guideWith(...manifests), ...namespaces(50)]

function seenBy(manifests: readonly Manifest[]): string[] {
  return meshContexts([worldOf(manifests)], HOST).map(({ namespace: name, labels }) => `${name} ${JSON.stringify(labels)}`)
}

t.test('all namespaces that nothing about the host names share one answer', async (t) => {
  t.same(seenBy([...guide(), ...namespaces(1000)]), ['default {}'], 'of what one namespace says alone, so do its own clients')
  const hidden = virtualService([rule([to('v1')])], { exportTo: ['.'] })
  t.same(seenBy([...guideWith(hidden), ...namespaces(1000)]), ['default {}', 'team-0000 {}'])
})

t.test('the cost of a decision does not grow with the number of namespaces', async (t) => {
  const lookUps = (count: number) => {
    const counted = counting(worldOf([...guide(), ...namespaces(count)]))
    decide(apply(worldOf(guide()), virtualService([rule([to('v1', 50), to('v2', 50)])])), counted.snapshot, DEFAULT_POLICY, 0)
    return counted.count()
  }
  t.equal(lookUps(1000), lookUps(10))
})

t.test('a DestinationRule of a namespace gives its clients a context of their own', async (t) => {
  const own = destinationRule(['v1'], { host: HOST }, { name: 'own', namespace: 'team-0007' })
  t.same(seenBy(inNamespaces(own)), ['default {}', 'team-0007 {}', 'team-0000 {}'])
})

t.test('so do a Sidecar, an export by name, and a source namespace', async (t) => {
  const sidecar = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'default', namespace: 'team-0003' },
    spec: { egress: [{ hosts: ['default/*'] }] }
  }
  t.ok(seenBy(inNamespaces(sidecar)).includes('team-0003 {}'))
  t.ok(seenBy(inNamespaces(virtualService([rule([to('v1')])], { exportTo: ['team-0004'] }))).includes('team-0004 {}'))
  t.ok(seenBy(inNamespaces(virtualService([rule([to('v1')], [{ sourceNamespace: 'team-0005' }])]))).includes('team-0005 {}'))
})

t.test('Sidecars that import alike what concerns a Service are one, and others are not', async (t) => {
  const sidecar = (at: number, hosts: readonly string[], rest: object = {}, port: object = {}): Manifest => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'default', namespace: `team-000${at}` },
    spec: { egress: [{ hosts: [...hosts, `far/app-${at}.example.com`], ...port }], ...rest }
  })
  const seen = (...sidecars: readonly Manifest[]) => seenBy(inNamespaces(...sidecars)).filter((each) => /team-000[1-4]/.test(each)).length
  const alike = (hosts: readonly string[], rest?: object, port?: object) => [1, 2].map((at) => sidecar(at, hosts, rest, port))
  t.equal(seen(...alike(['default/*'])), 1, 'what else they import does not matter')
  t.equal(seen(...alike(['near/*'])), 2, 'without the Service, what else they import decides whether anything listens')
  t.equal(seen(...alike(['default/*', `~*/${HOST}`])), 2)
  t.equal(seen(...alike(['default/*'], {}, { port: { number: 80 } })), 2)
  t.equal(seen(sidecar(1, ['default/*']), sidecar(2, ['default/*'], { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } })), 2)
})

t.test('clients are told apart by labels only where something asks for them', async (t) => {
  const web = deployment('web', {}, { app: 'web' })
  t.same(seenBy(guideWith(web)), ['default {}'])
  const asked = virtualService([rule([to('v1')], [{ sourceLabels: { app: 'web' } }]), rule([to('v2')])])
  t.same(seenBy(guideWith(web, asked)), ['default {}', 'default {"app":"web"}'])
})

t.test('a gateway is its Pods, by namespace, or one beside its object where none is known', async (t) => {
  t.same(gatewayContexts(worldOf(guideWith(gateway())), 'default/gateway'), [
    { kind: 'gateway', namespace: 'default', labels: { istio: 'ingressgateway' } }
  ])
  const pods = { ...deployment('gw', {}, { istio: 'ingressgateway' }), metadata: { name: 'gw', namespace: 'istio-system' } }
  t.same(gatewayContexts(worldOf(guideWith(gateway(), pods)), 'default/gateway'), [
    { kind: 'gateway', namespace: 'istio-system', labels: { istio: 'ingressgateway' } }
  ])
})

const pod = (name: string, inNamespace: string, labels: Record<string, string>): Manifest => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: inNamespace, labels }
})
const many = <T>(count: number, each: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => each(at))
const ofLabel = (count: number) =>
  virtualService([...many(count, (at) => rule([to('v3')], [{ sourceLabels: { team: `t${at}` } }])), rule([to('v1')])])

t.test('a client is found by its labels in a namespace that nothing else names', async (t) => {
  const world = worldOf([...guide(), ...namespaces(10), pod('client', 'team-0007', { team: 't1' })])
  const { verdict, message } = decide(apply(world, ofLabel(3)), world, DEFAULT_POLICY, 0)
  t.equal(verdict, 'deny')
  t.match(message, 'from Pods team=t1 would get 503')
})

t.test('clients beyond those that are told apart are said not to be judged', async (t) => {
  const clients = many(200, (at) => pod(`client${at}`, 'default', { team: `t${at}` }))
  const world = worldOf([...guide(), ...clients])
  const few = decide(apply(world, ofLabel(40)), world, DEFAULT_POLICY, 0)
  t.equal(few.verdict, 'deny', 'forty sets of labels are told apart')
  t.same(few.warnings, [])
  const routes = many(200, (at) => rule([to('v1')], [{ sourceLabels: { team: `t${at}` } }]))
  const { verdict, warnings } = decide(apply(world, virtualService([...routes, rule([to('v1')])])), world, DEFAULT_POLICY, 0)
  t.equal(verdict, 'warn')
  t.match(warnings, [/^requests to helloworld.* from some clients were not judged/])
})

t.test("a stranger's Pods with a gateway's labels do not hide its own", async (t) => {
  const strangers = many(300, (at) => pod(`a${at}`, 'stranger', { istio: 'ingressgateway', at: `${at}` }))
  const own = pod('gateway', 'zz-ingress', { istio: 'ingressgateway', 'statefulset.kubernetes.io/pod-name': 'gateway-0' })
  const [first] = gatewayContexts(worldOf(guideWith(gateway(), ...strangers, own)), 'default/gateway')
  t.same(first, { kind: 'gateway', namespace: 'zz-ingress', labels: { istio: 'ingressgateway' } })
})

/** What each kind's controller leaves on its Pods beside the template's labels. */
const LEFT_BY: Readonly<Record<string, Record<string, string>>> = {
  DaemonSet: { 'controller-revision-hash': '6d5f', 'pod-template-generation': '1' },
  StatefulSet: {
    'controller-revision-hash': 'gateway-6d5f',
    'statefulset.kubernetes.io/pod-name': 'gateway-0',
    'apps.kubernetes.io/pod-index': '0'
  }
}

for (const [kind, left] of Object.entries(LEFT_BY)) {
  t.test(`a gateway that a ${kind} runs is down once that is deleted`, async (t) => {
    const labels = { istio: 'ingressgateway' }
    const spec = { selector: { matchLabels: labels }, template: { metadata: { labels } } }
    const workload = { apiVersion: 'apps/v1', kind, metadata: { name: 'gateway', namespace: 'default' }, spec }
    const ownerReferences = [{ apiVersion: 'apps/v1', kind, name: 'gateway', uid: 'u' }]
    const proxy = pod('gateway-0', 'default', { ...labels, ...left })
    const owned = { ...proxy, metadata: { ...proxy.metadata, ownerReferences } }
    const edge = virtualService([rule([to('v1')])], { hosts: ['shop.example.com'], gateways: ['gateway'] }, { name: 'edge' })
    const world = worldOf([...guide(), gateway(), edge, workload, owned])
    const { verdict, message } = decide(remove(world, workload), world, DEFAULT_POLICY, 0)
    t.equal(verdict, 'deny')
    t.match(message, 'shop.example.com')
  })
}

const EVERYWHERE = ['default', 'near', 'far', 'beyond']
const EXPORTS = [['.'], ['*'], ['near'], ['near', 'far'], ['far', 'beyond'], ['.', 'near'], ['~']]

/** Of a random namespace, and exported to others. */
function exported(dice: Dice, manifest: Manifest): Manifest {
  const { kind, metadata } = manifest
  const names = dice.one(EXPORTS)
  const placed = { ...metadata, namespace: dice.one(['default', 'default', 'near']) }
  if (kind === 'Gateway' || kind === 'Deployment' || dice.chance(0.3)) return manifest
  if (kind === 'Service') return { ...manifest, metadata: { ...metadata, annotations: { 'networking.istio.io/exportTo': names.join() } } }
  const host = kind === 'DestinationRule' ? { host: dice.one([HOST, HOST, '*.local']) } : {}
  return { ...manifest, metadata: placed, spec: { ...(manifest['spec'] as object), ...host, exportTo: names } }
}

function sidecarOf(dice: Dice): Manifest {
  const hosts = dice.one([['./*'], ['default/*'], ['*/*'], [`default/${HOST}`], ['near/*'], ['*/*', `~default/${HOST}`]])
  const others = dice.one([[], ['far/elsewhere.example.com'], ['beyond/other.beyond.svc.cluster.local'], ['default/www.example.com']])
  const egress = dice.chance(0.2) ? [{ port: { number: 80 }, hosts: others }, { hosts }] : [{ hosts: [...hosts, ...others] }]
  const policy = dice.chance(0.3) ? { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } } : {}
  const metadata = { name: 'default', namespace: dice.one([...EVERYWHERE, 'istio-system']) }
  return { apiVersion: 'networking.istio.io/v1', kind: 'Sidecar', metadata, spec: { egress, ...policy } }
}

/** What becomes of each class, whoever asks. */
const fates = (before: Snapshot, after: Snapshot, target: Target) => JSON.stringify(fatesOf(before, after, target))

const WORLDS = howMany(25, 150)

t.test(`${WORLDS} random worlds: clients of every namespace fare as those of one that stands for them`, async (t) => {
  let apart = 0
  for (let seed = 0; seed < WORLDS; seed++) {
    const dice = new Dice(2000 + seed)
    const object = () => exported(dice, dice.object())
    const stored = [...new Map([service(), ...dice.many(8, object)].map((each) => [keyOfManifest(each), each])).values()]
    const sidecars = dice.chance(0.5) ? dice.many(4, () => sidecarOf(dice)) : []
    const world = worldOf([...EVERYWHERE.map((name) => namespace(name)), gateway(), ...stored, ...sidecars])
    for (let turn = 0; turn < 4; turn++) {
      const change = dice.chance(0.2) ? remove(world, dice.one(stored)) : apply(world, exported(dice, dice.edit(dice.one(stored))))
      const judged = judgementOf(change, world)
      const { before, after } = snapshotsOf(judged.change, world)
      const objects = [judged.change.before, judged.change.after].filter((each) => each !== null)
      const ofMesh = affectedTargets(before, after, objects).filter(({ context }) => context.kind === 'mesh')
      for (const [host, targets] of Map.groupBy(ofMesh, (target) => target.host)) {
        const known = new Set(targets.map((target) => fates(before, after, target)))
        if (known.size > 1) apart++
        for (const name of EVERYWHERE) {
          const context = { kind: 'mesh' as const, namespace: name, labels: {} }
          const found = fates(before, after, { context, host, namespace: 'default' })
          t.ok(known.has(found), `world ${seed}, write ${turn}: ${name} to ${host}: ${found}`)
        }
      }
    }
  }
  t.ok(apart > WORLDS / 5, `${apart} hosts that clients see differently`)
})

/** A snapshot that counts what is asked of it. */
function counting(base: Snapshot): { snapshot: Snapshot; count: () => number } {
  let count = 0
  const snapshot = new Proxy(base, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      count++
      return value.bind(target)
    }
  })
  return { snapshot, count: () => count }
}
