/** Worlds of any number of hosts, alike but for their size, and the writes that a release makes to one of their hosts. */

import { type MeshObject, parseObject } from '../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../src/mesh/names/hosts.ts'
import { World } from '../src/mesh/snapshot/snapshot.ts'
import type { Change } from '../src/review/change.ts'
import type { Verdict } from '../src/review/decision.ts'

const NAMESPACES = 100
/** Of 10 Pods for each host. */
const PODS = { v1: 4, v2: 4, v3: 2 }
const VERSIONS = Object.keys(PODS)

export type Fields = Record<string, unknown>

/** One kind of write, to any host of a world, and the verdict that it must get. */
export interface Write {
  readonly name: string
  readonly verdict: Verdict
  /** It concerns every host of a namespace, so its cost is that of as many. */
  readonly wide?: boolean
  change(world: World, host: number): Change
}

export const WRITES: readonly Write[] = [
  {
    name: 'weight step between carried subsets',
    verdict: 'allow',
    change: (world, host) => update(world, virtualService(host, { v1: 60, v2: 40 }))
  },
  {
    name: 'first weight on a subset',
    verdict: 'allow',
    change: (world, host) => update(world, virtualService(host, { v1: 50, v2: 45, v3: 5 }))
  },
  {
    name: 'carried subset removed',
    verdict: 'deny',
    change: (world, host) => update(world, destinationRule(host, ['v2', 'v3']))
  },
  {
    name: 'Deployment deleted',
    verdict: 'deny',
    change: (world, host) => remove(world, deployment(host, 'v1'))
  },
  {
    name: 'Service selector changed',
    verdict: 'deny',
    change: (world, host) => update(world, service(host, { app: nameOf(host), version: 'v2' }))
  },
  {
    name: 'DestinationRule for a namespace',
    verdict: 'allow',
    wide: true,
    change: (_, host) => create(wildcardRule(host))
  }
]

/** A world of Services, each with a VirtualService, a DestinationRule, three Deployments and ten Ready Pods, in a hundred namespaces. */
export function worldOfHosts(hosts: number): World {
  const world = new World()
  for (const manifest of namespaces()) world.set(parsed(manifest))
  for (let host = 0; host < hosts; host++) {
    for (const manifest of [...configurationOf(host), ...workloadsOf(host), ...podsOf(host)]) world.set(parsed(manifest))
  }
  return world
}

export function namespaces(): Fields[] {
  return Array.from({ length: NAMESPACES }, (_, at) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespaceOf(at) } }))
}

/** Service, DestinationRule and VirtualService of a host. */
export function configurationOf(host: number): Fields[] {
  return [service(host, { app: nameOf(host) }), destinationRule(host, VERSIONS), virtualService(host, { v1: 90, v2: 10 })]
}

export function workloadsOf(host: number): Fields[] {
  return VERSIONS.map((version) => deployment(host, version))
}

export function podsOf(host: number, most = Infinity): Fields[] {
  return Object.entries(PODS).flatMap(([version, pods]) => Array.from({ length: Math.min(pods, most) }, (_, at) => pod(host, version, at)))
}

/** What the API server asks when a weight of a host's VirtualService is moved. */
export function reviewOf(host: number): string {
  const known = reviews.get(host)
  if (known !== undefined) return known
  const review = JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: weightStep(host) })
  reviews.set(host, review)
  return review
}

const reviews = new Map<number, string>()

function weightStep(host: number): Fields {
  const kind = { group: 'networking.istio.io', version: 'v1', kind: 'VirtualService' }
  const resource = { group: 'networking.istio.io', version: 'v1', resource: 'virtualservices' }
  return {
    uid: `705ab4f5-6393-11e8-b7cc-42010a80${String(host).padStart(4, '0')}`,
    kind,
    resource,
    requestKind: kind,
    requestResource: resource,
    name: nameOf(host),
    namespace: namespaceOf(host),
    operation: 'UPDATE',
    userInfo: { username: 'alice', uid: '014fbff9a07c', groups: ['system:authenticated', 'release-managers'] },
    object: managed(virtualService(host, { v1: 60, v2: 40 })),
    oldObject: managed(virtualService(host, { v1: 90, v2: 10 })),
    dryRun: false,
    options: { kind: 'UpdateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'kubectl-client-side-apply' }
  }
}

/** With the bookkeeping of its writers, as the API server stores it. */
export function managed(manifest: Fields): Fields {
  const fieldsV1 = { 'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } }, 'f:spec': { '.': {}, 'f:hosts': {}, 'f:http': {} } }
  const entry = { manager: 'kubectl-client-side-apply', operation: 'Update', apiVersion: manifest['apiVersion'], fieldsType: 'FieldsV1' }
  const metadata = {
    ...(manifest['metadata'] as Fields),
    creationTimestamp: '2026-11-01T08:00:00Z',
    generation: 3,
    managedFields: [{ ...entry, time: '2026-11-01T08:00:00Z', fieldsV1 }]
  }
  return { ...manifest, metadata }
}

function service(host: number, selector: Fields): Fields {
  return { apiVersion: 'v1', kind: 'Service', metadata: metadata(host), spec: { selector, ports: [{ name: 'http', port: 80 }] } }
}

export function virtualService(host: number, weights: Readonly<Record<string, number>>): Fields {
  const route = Object.entries(weights).map(([subset, weight]) => ({ destination: { host: nameOf(host), subset }, weight }))
  const debug = { match: [{ headers: { 'x-debug': { exact: 'true' } } }], route: [{ destination: { host: nameOf(host), subset: 'v1' } }] }
  const spec = { hosts: [nameOf(host)], http: [debug, { route }] }
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: metadata(host), spec }
}

function destinationRule(host: number, versions: readonly string[]): Fields {
  const spec = { host: nameOf(host), subsets: versions.map((version) => ({ name: version, labels: { version } })) }
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: metadata(host), spec }
}

function wildcardRule(host: number): Fields {
  const spec = { host: `*.${namespaceOf(host)}.svc.cluster.local`, trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } }
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name: 'all', namespace: namespaceOf(host) }, spec }
}

function deployment(host: number, version: string): Fields {
  const labels = labelsOf(host, version)
  const spec = { replicas: 4, selector: { matchLabels: labels }, template: { metadata: { labels } } }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...metadata(host), name: `${nameOf(host)}-${version}` }, spec }
}

function pod(host: number, version: string, at: number): Fields {
  const hash = `5d4f8c7b9${version.slice(1)}`
  const owner = `${nameOf(host)}-${version}-${hash}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata(host),
      name: `${owner}-p${at}`,
      labels: { ...labelsOf(host, version), 'pod-template-hash': hash },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: `${owner}-uid`, controller: true }]
    },
    spec: { nodeName: `node-${host % 50}`, containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] }
  }
}

function metadata(host: number): Fields {
  return { name: nameOf(host), namespace: namespaceOf(host), uid: `uid-${host}`, resourceVersion: String(1000 + host) }
}

function labelsOf(host: number, version: string): Fields {
  return { app: nameOf(host), version }
}

export function nameOf(host: number): string {
  return `app-${host}`
}

export function namespaceOf(host: number): string {
  return `team-${host % NAMESPACES}`
}

function create(manifest: Fields): Change {
  const after = parsed(manifest)
  return { operation: 'CREATE', ref: after, before: null, after, ...ASKED }
}

function update(world: World, manifest: Fields): Change {
  const after = parsed(manifest)
  return { operation: 'UPDATE', ref: after, before: stored(world, after), after, ...ASKED }
}

function remove(world: World, manifest: Fields): Change {
  const ref = parsed(manifest)
  return { operation: 'DELETE', ref, before: stored(world, ref), after: null, ...ASKED }
}

const ASKED = { dryRun: false, author: { username: 'alice', groups: [], manager: 'kubectl-client-side-apply' } }

function stored(world: World, { kind, namespace, name }: MeshObject): MeshObject {
  const found = world.find(kind, namespace, name)
  if (found === undefined) throw new Error(`there is no ${kind} ${namespace}/${name}`)
  return found
}

function parsed(manifest: Fields): MeshObject {
  const object = parseObject(manifest, DEFAULT_DOMAIN)
  if (object === null) throw new Error(`${String(manifest['kind'])} is no kind of the model`)
  return object
}
