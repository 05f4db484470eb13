/**
 * How the cost of one decision grows with one dimension of a world: routes of a table, hosts of an object, namespaces, Sidecars, Pods. Each shape is
 * measured with 10, 100 and 1,000 in one run, in time of a core, so that it can be read on a busy machine too. Where one route of a table is changed, the size of the table should not matter; what truly
 * differs should cost the same each.
 */
import { type MeshObject, parseObject } from '../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../src/mesh/names/hosts.ts'
import { MeshWorld } from '../src/mesh/routing/gateway-api/compiled.ts'
import { TooMuchWork } from '../src/mesh/snapshot/metered.ts'
import type { World } from '../src/mesh/snapshot/snapshot.ts'
import type { Change } from '../src/review/change.ts'
import { decide, judgeInParts } from '../src/review/decide.ts'
import type { Verdict } from '../src/review/decision.ts'
import { DEFAULT_POLICY } from '../src/review/policy.ts'
import type { Row } from './report.ts'
import type { Fields } from './worlds.ts'

const SIZES = [10, 100, 1000] as const
/** Each size is decided so often, or for so long, but never less than `FEWEST` times; the first half warms up. */
const MOST = 400
const FEWEST = 4
const LONGEST_MS = 400

export interface Shape {
  readonly name: string
  readonly verdict: Verdict
  /** `table`: one route changed in a table of N, at most 3 times the cost of N = 10. `each`: N things that differ, at most 30 µs each. */
  readonly grows: 'table' | 'each'
  world(size: number): Fields[]
  /** Objects of which the state turns to and fro, as writes do: `turn` counts them. null: it is deleted. */
  write(size: number, turn: number): { readonly before: Fields | null; readonly after: Fields | null }
}

const COMMON = 'shared.team.svc.cluster.local'

export const SHAPES: readonly Shape[] = [
  {
    name: 'N VirtualServices merged on one gateway host, weight step in one',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), gateway(['*']), ...many(size, (at) => merged(at, 10))],
    write: (size, turn) => step((weight) => merged(size >> 1, weight), turn)
  },
  {
    name: 'the same of N namespaces',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), gateway(['*']), ...many(size, (at) => ofTenant(at, 10))],
    write: (size, turn) => step((weight) => ofTenant(size >> 1, weight), turn)
  },
  {
    name: 'the same, each to a service of its own',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...services(size, 'team'), gateway(['*']), ...many(size, (at) => toOwn(at, 10))],
    write: (size, turn) => step((weight) => toOwn(size >> 1, weight), turn)
  },
  {
    name: 'N HTTPRoutes merged on one gateway host, weight step in one',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), ...versions(), ...kubernetesGateway(), ...many(size, (at) => httpRoute(at, 10))],
    write: (size, turn) => step((weight) => httpRoute(size >> 1, weight), turn)
  },
  {
    name: 'N HTTPRoutes merged on one service, weight step in one',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), ...versions(), ...many(size, (at) => httpRoute(at, 10, OF_SERVICE))],
    write: (size, turn) => step((weight) => httpRoute(size >> 1, weight, OF_SERVICE), turn)
  },
  {
    name: 'one VirtualService with N routes, one weight changed',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), routed(size, 10)],
    write: (size, turn) => step((weight) => routed(size, weight), turn)
  },
  {
    name: 'N delegates of one VirtualService at a gateway, weight step in one',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), gateway(['*']), root(size), ...many(size, (at) => delegate(at, 10))],
    write: (size, turn) => step((weight) => delegate(size >> 1, weight), turn)
  },
  {
    name: 'N header routes without fallback, fallback added',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), byHeader(size, [])],
    write: (size) => ({ before: byHeader(size, []), after: byHeader(size, [{ route: weighted(10) }]) })
  },
  {
    name: 'N gateway hosts, one VirtualService each, weight step in one',
    verdict: 'allow',
    grows: 'table',
    world: (size) => [...shared(), gateway(['*']), ...many(size, (at) => ofHosts([`host-${at}.example.com`], `host-${at}`, 10))],
    write: (size, turn) => step((weight) => ofHosts([`host-${size >> 1}.example.com`], `host-${size >> 1}`, weight), turn)
  },
  {
    name: 'N Sidecars, weight step of a shared service',
    verdict: 'allow',
    grows: 'each',
    world: (size) => [...shared(), ...many(size, namespaceOf), ...many(size, sidecar), onMesh(['shared'], 10)],
    write: (_, turn) => step((weight) => onMesh(['shared'], weight), turn)
  },
  {
    name: 'exportTo of N namespaces, weight step of a shared service',
    verdict: 'allow',
    grows: 'each',
    world: (size) => [...shared(), ...many(size, namespaceOf), onMesh(['shared'], 10, { exportTo: exportTo(size) })],
    write: (size, turn) => step((weight) => onMesh(['shared'], weight, { exportTo: exportTo(size) }), turn)
  },
  {
    name: 'DestinationRule exported to N namespaces, a carried subset removed',
    verdict: 'deny',
    grows: 'each',
    world: (size) => [
      ...shared().filter(({ kind }) => kind !== 'DestinationRule'),
      ...many(size, namespaceOf),
      onMesh(['shared'], 10),
      exported(size, ['v1', 'v2'])
    ],
    write: (size) => ({ before: exported(size, ['v1', 'v2']), after: exported(size, ['v1']) })
  },
  {
    name: 'one gateway VirtualService with N hosts, weight step',
    verdict: 'allow',
    grows: 'each',
    world: (size) => [...shared(), gateway(['*']), ofHosts(publicHosts(size), 'public', 10)],
    write: (size, turn) => step((weight) => ofHosts(publicHosts(size), 'public', weight), turn)
  },
  {
    name: 'one mesh VirtualService with N external names, weight step',
    verdict: 'allow',
    grows: 'each',
    world: (size) => [...shared(), onMesh(publicHosts(size), 10)],
    write: (size, turn) => step((weight) => onMesh(publicHosts(size), weight), turn)
  },
  {
    name: 'N namespaces with a DestinationRule of their own for a shared service, its owner removes a carried subset',
    verdict: 'deny',
    grows: 'each',
    world: (size) => [
      ...shared(),
      ...many(size, namespaceOf),
      onMesh(['shared'], 10),
      ...many(size, (at) => destinationRule(`tenant-${at}`, 'shared', COMMON, ['v1', 'v2']))
    ],
    write: () => ({
      before: destinationRule('team', 'shared', COMMON, ['v1', 'v2']),
      after: destinationRule('team', 'shared', COMMON, ['v1'])
    })
  },
  {
    name: 'wildcard DestinationRule over N services, created',
    verdict: 'allow',
    grows: 'each',
    world: (size) => services(size, 'team'),
    write: () => ({ before: null, after: destinationRule('team', 'all', '*.team.svc.cluster.local', []) })
  },
  {
    name: 'DestinationRule *.local in the root namespace over N services, created',
    verdict: 'allow',
    grows: 'each',
    world: (size) => services(size, 'team'),
    write: () => ({ before: null, after: destinationRule('istio-system', 'all', '*.local', []) })
  },
  {
    name: 'one Deployment of N Pods, deleted',
    verdict: 'deny',
    grows: 'each',
    world: (size) => [...shared(size), onMesh(['shared'], 10)],
    write: () => ({ before: deployment('shared', 'v1', 'team'), after: null })
  }
]

export async function measureShapes(): Promise<Row[]> {
  return SHAPES.flatMap(rowsOf)
}

function rowsOf(shape: Shape): Row[] {
  const [few = 0, some = 0, most = 0] = SIZES.map((size) => microseconds(shape, size))
  const [small = 0, , large = 0] = SIZES
  const digits = (value: number) => (value / 1000).toFixed(2)
  const what = `${shape.name} (N = ${SIZES.join(', ')}: ${digits(few)}, ${digits(some)}, ${digits(most)} ms)`
  const row: Row =
    shape.grows === 'table'
      ? { what, measured: most, unit: 'µs', baseline: { what: `N = ${small}`, measured: few }, bar: { of: 'ratio', most: 3 } }
      : { what: `${what}, each more`, measured: (most - few) / (large - small), unit: 'µs', bar: { of: 'measured', most: 30 } }
  const longest = { what: `${shape.name}, N = ${large}, longest part`, measured: longestPartMs(shape, large), unit: 'ms' } as const
  return [row, { ...longest, bar: { of: 'measured', most: 50 } }]
}

/** How long others wait for their turn at most: the longest part of a judgement, of the best of a few. */
function longestPartMs(shape: Shape, size: number): number {
  const world = worldOf(shape, size)
  return many(FEWEST, (turn) => {
    const work = judgeInParts(changeOf(shape, world, size, turn), world, DEFAULT_POLICY, 0)
    let longest = 0
    for (let isDone = false; !isDone; ) {
      const startMs = performance.now()
      isDone = work.next().done === true
      longest = Math.max(longest, performance.now() - startMs)
    }
    return longest
  }).reduce((least, each) => Math.min(least, each))
}

export function worldOf(shape: Shape, size: number): World {
  const world = new MeshWorld()
  for (const manifest of shape.world(size)) world.set(parsed(manifest))
  return world
}

/** The time of a core that a decision took, on average: others on the machine do not count. Infinity where it is too much work. */
function microseconds(shape: Shape, size: number): number {
  const world = worldOf(shape, size)
  const times: number[] = []
  const isLeft = () => times.length < MOST && (times.length < FEWEST || sumOf(times) < LONGEST_MS * 1000)
  for (let turn = 0; isLeft(); turn++) {
    const change = changeOf(shape, world, size, turn)
    const started = process.threadCpuUsage()
    try {
      const { verdict, message, warnings } = decide(change, world, DEFAULT_POLICY, 0)
      const { user, system } = process.threadCpuUsage(started)
      times.push(user + system)
      // A wrong decision is no measurement.
      if (verdict !== shape.verdict)
        throw new Error(`${shape.name}: ${verdict} instead of ${shape.verdict}: ${message}${warnings.join('; ')}`)
    } catch (error) {
      if (!(error instanceof TooMuchWork)) throw error
      return Infinity
    }
    // What was written turns up in the watch, parsed anew.
    const { after } = shape.write(size, turn)
    if (change.operation === 'UPDATE' && shape.verdict === 'allow' && after !== null) world.set(parsed(after))
  }
  const warm = times.slice(times.length >> 1)
  return sumOf(warm) / warm.length
}

function sumOf(times: readonly number[]): number {
  return times.reduce((sum, time) => sum + time, 0)
}

/** The write of a turn, as it is asked. */
export function changeOf(shape: Shape, world: World, size: number, turn: number): Change {
  const { before, after } = shape.write(size, turn)
  const written = parsed(after ?? before ?? {})
  if (before !== null && after !== null) world.set(parsed(before))
  const stored = world.find(written.kind, written.namespace, written.name) ?? null
  const asked = {
    ref: written,
    before: stored,
    dryRun: false,
    author: { username: 'alice', groups: [], manager: 'kubectl-client-side-apply' }
  }
  if (after === null) return { operation: 'DELETE', after: null, ...asked }
  return { operation: before === null ? 'CREATE' : 'UPDATE', after: written, ...asked }
}

function step(objectOf: (weight: number) => Fields, turn: number): { before: Fields; after: Fields } {
  const weight = (at: number) => 10 + (at % 40)
  return { before: objectOf(weight(turn)), after: objectOf(weight(turn + 1)) }
}

function many<T>(count: number, each: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => each(at))
}

/** A Service with two versions and its DestinationRule; `pods` of v1. */
function shared(pods = 1): Fields[] {
  return serviceOf('shared', 'team', pods)
}

function services(size: number, namespace: string): Fields[] {
  return many(size, (at) => [
    ...serviceOf(`app-${at}`, namespace, 1).filter(({ kind }) => kind !== 'DestinationRule'),
    virtualService(namespace, `app-${at}`, { hosts: [`app-${at}`], http: [{ route: [{ destination: { host: `app-${at}` } }] }] })
  ]).flat()
}

function serviceOf(name: string, namespace: string, pods: number): Fields[] {
  const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80 }] }
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec },
    destinationRule(namespace, name, `${name}.${namespace}.svc.cluster.local`, ['v1', 'v2']),
    ...['v1', 'v2'].map((version) => deployment(name, version, namespace)),
    ...many(pods, (at) => pod(name, 'v1', namespace, at)),
    pod(name, 'v2', namespace, 0)
  ]
}

function deployment(app: string, version: string, namespace: string): Fields {
  const labels = { app, version }
  const spec = { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels } } }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: `${app}-${version}`, namespace }, spec }
}

function pod(app: string, version: string, namespace: string, at: number): Fields {
  const hash = `5d4f8c7b9${version.slice(1)}`
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${version}-${hash}`, uid: 'uid', controller: true }
  const labels = { app, version, 'pod-template-hash': hash }
  const metadata = { name: `${owner.name}-${at}`, namespace, labels, ownerReferences: [owner] }
  return { apiVersion: 'v1', kind: 'Pod', metadata, status: { conditions: [{ type: 'Ready', status: 'True' }] } }
}

function destinationRule(namespace: string, name: string, host: string, versions: readonly string[]): Fields {
  const subsets = versions.map((version) => ({ name: version, labels: { version } }))
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name, namespace }, spec: { host, subsets } }
}

function virtualService(namespace: string, name: string, spec: Fields): Fields {
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name, namespace }, spec }
}

function weighted(weight: number): Fields[] {
  return [
    { destination: { host: COMMON, subset: 'v1' }, weight: 100 - weight },
    { destination: { host: COMMON, subset: 'v2' }, weight }
  ]
}

function byPath(at: number, weight: number): Fields {
  return { match: [{ uri: { prefix: `/app-${at}/` } }], route: weighted(weight) }
}

const AT_GATEWAY = { hosts: ['www.example.com'], gateways: ['team/gate'] }

/** The first holds the fallback. */
function merged(at: number, weight: number): Fields {
  return virtualService('team', `app-${at}`, { ...AT_GATEWAY, http: [byPath(at, weight), ...(at === 0 ? [{ route: weighted(10) }] : [])] })
}

/** Each has two versions, told apart by Services. */
function toOwn(at: number, weight: number): Fields {
  const route = [`app-${at}`, 'app-0'].map((host, place) => ({ destination: { host }, weight: place === 0 ? 100 - weight : weight }))
  return virtualService('team', `public-${at}`, {
    ...AT_GATEWAY,
    http: [{ match: [{ uri: { prefix: `/app-${at}/` } }], route }, ...(at === 0 ? [{ route }] : [])]
  })
}

/** A Service for each version, as the Gateway API has it. */
function versions(): Fields[] {
  return ['v1', 'v2'].map((version) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `shared-${version}`, namespace: 'team' },
    spec: { selector: { app: 'shared', version }, ports: [{ name: 'http', port: 80 }] }
  }))
}

function kubernetesGateway(): Fields[] {
  const listeners = [{ name: 'http', port: 80, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }]
  const metadata = { name: 'gate', namespace: 'team' }
  return [{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'Gateway', metadata, spec: { gatewayClassName: 'istio', listeners } }]
}

const OF_GATEWAY = { parentRefs: [{ name: 'gate' }], hostnames: ['www.example.com'] }
const OF_SERVICE = { parentRefs: [{ group: '', kind: 'Service', name: 'shared', port: 80 }] }

/** The first holds the fallback. */
function httpRoute(at: number, weight: number, spec: Fields = OF_GATEWAY): Fields {
  const backendRefs = ['v1', 'v2'].map((version) => ({
    name: `shared-${version}`,
    port: 80,
    weight: version === 'v1' ? 100 - weight : weight
  }))
  const matches = [{ path: { type: 'PathPrefix', value: `/app-${at}` } }]
  const rules = [{ matches, backendRefs }, ...(at === 0 ? [{ backendRefs }] : [])]
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: `app-${at}`, namespace: 'team' },
    spec: { ...spec, rules }
  }
}

function exported(size: number, subsets: readonly string[]): Fields {
  const { spec, ...rest } = destinationRule('team', 'shared', COMMON, subsets)
  return { ...rest, spec: { ...(spec as Fields), exportTo: exportTo(size) } }
}

function ofTenant(at: number, weight: number): Fields {
  const manifest = merged(at, weight)
  return { ...manifest, metadata: { name: 'public', namespace: `tenant-${at}` } }
}

function routed(size: number, weight: number): Fields {
  const http = many(size, (at) => byPath(at, at === size >> 1 ? weight : 10))
  return virtualService('team', 'shared', { hosts: ['shared'], http: [...http, { route: weighted(10) }] })
}

function root(size: number): Fields {
  const http = many(size, (at) => ({ match: [{ uri: { prefix: `/app-${at}/` } }], delegate: { name: `app-${at}` } }))
  return virtualService('team', 'root', { ...AT_GATEWAY, http: [...http, { route: weighted(10) }] })
}

function delegate(at: number, weight: number): Fields {
  return virtualService('team', `app-${at}`, { http: [{ route: weighted(weight) }] })
}

function byHeader(size: number, fallback: readonly Fields[]): Fields {
  const http = many(size, (at) => ({ match: [{ headers: { tenant: { exact: `tenant-${at}` } } }], route: weighted(10) }))
  return virtualService('team', 'shared', { hosts: ['shared'], http: [...http, ...fallback] })
}

function ofHosts(hosts: readonly string[], name: string, weight: number): Fields {
  return virtualService('team', name, { hosts, gateways: ['team/gate'], http: [{ route: weighted(weight) }] })
}

function onMesh(hosts: readonly string[], weight: number, spec: Fields = {}): Fields {
  return virtualService('team', 'shared', { hosts, http: [{ route: weighted(weight) }], ...spec })
}

function publicHosts(size: number): string[] {
  return many(size, (at) => `host-${at}.example.com`)
}

function exportTo(size: number): string[] {
  return ['.', ...many(size, (at) => `tenant-${at}`)]
}

function namespaceOf(at: number): Fields {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `tenant-${at}` } }
}

/** Each imports the shared service, and another one of its own choice. */
function sidecar(at: number): Fields {
  const egress = [{ hosts: ['./*', 'team/*', `other/app-${at}.other.svc.cluster.local`] }]
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'default', namespace: `tenant-${at}` },
    spec: { egress }
  }
}

function gateway(hosts: readonly string[]): Fields {
  const servers = [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts }]
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gate', namespace: 'team' },
    spec: { selector: { istio: 'ingressgateway' }, servers }
  }
}

function parsed(manifest: Fields): MeshObject {
  const object = parseObject(manifest, DEFAULT_DOMAIN)
  if (object === null) throw new Error(`${String(manifest['kind'])} is no kind of the model`)
  return object
}
