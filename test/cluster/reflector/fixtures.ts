/** A live cluster behind a proxy, what it told, and what the API server itself holds. */

import { EventEmitter, on } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LiveCluster } from '../../../src/cluster/live-cluster.ts'
import type { ClusterEvent } from '../../../src/cluster/observe.ts'
import { DEFAULT_TIMINGS, type Timings } from '../../../src/cluster/timings.ts'
import { type Kind, kindModule, type MeshObject, parseAs } from '../../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../../src/mesh/names/hosts.ts'
import type { Snapshot } from '../../../src/mesh/snapshot/snapshot.ts'
import type { Change } from '../../../src/review/change.ts'
import { decide } from '../../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../../src/review/policy.ts'
import type { ControlPlane } from '../../rig/control-plane.ts'

/** The product's own waits, shorter, so that a test sees what they lead to. */
export const QUICK: Timings = {
  ...DEFAULT_TIMINGS,
  retryBaseMs: 20,
  retryMaxMs: 500,
  healthyAfterMs: 500,
  idleMs: 1500,
  listIdleMs: 1500,
  listMs: 5000,
  requestMs: 3000,
  staleMs: 3000,
  pendingMs: 300,
  lagMs: 300,
  comparePauseMs: 300
}

const BOUND_MS = 30_000

export class Followed {
  readonly cluster: LiveCluster
  readonly events: ClusterEvent[] = []
  readonly #controller = new AbortController()
  readonly #emitter = new EventEmitter()
  /** The fewest objects that the snapshot held of a kind since it was synced first, and whether it ever forgot one. */
  readonly fewest = new Map<Kind, number>()
  forgot = false

  constructor(kubeconfig: string, timings: Partial<Timings> = {}, kinds?: readonly Kind[]) {
    this.cluster = new LiveCluster({
      source: { kubeconfig, context: null },
      timings: { ...QUICK, ...timings },
      ...(kinds === undefined ? {} : { kinds }),
      observe: (event) => {
        this.events.push(event)
        this.#look()
        this.#emitter.emit('event', event)
      }
    })
  }

  start(): Promise<void> {
    return this.cluster.start(this.#controller.signal)
  }

  async stop(): Promise<void> {
    this.#controller.abort()
    await this.cluster.ended()
  }

  /** Calls back after each event, in the same turn. */
  each(callback: () => void): void {
    this.#emitter.on('event', callback)
  }

  /** Waits until `holds`, asked again after each event, and from the start. */
  async until(what: string, holds: () => boolean): Promise<void> {
    if (holds()) return
    try {
      for await (const _ of on(this.#emitter, 'event', { signal: AbortSignal.timeout(BOUND_MS) })) if (holds()) return
    } catch (cause) {
      throw new Error(`waited in vain until ${what}; last events: ${this.events.slice(-8).map(describe).join('; ')}`, { cause })
    }
  }

  #look(): void {
    for (const event of this.events) {
      if (event.type !== 'synced') continue
      const size = [...this.cluster.snapshot().all(event.kind)].length
      this.fewest.set(event.kind, Math.min(this.fewest.get(event.kind) ?? size, size))
      this.forgot ||= !this.cluster.snapshot().knows(event.kind)
    }
  }

  objects(kind: Kind): MeshObject[] {
    return byName([...this.cluster.snapshot().all(kind)])
  }

  /** How often a kind was interrupted for this reason. */
  interruptions(kind: Kind, why: string): number {
    return this.events.filter((event) => event.type === 'interrupted' && event.kind === kind && event.why === why).length
  }

  count(type: ClusterEvent['type'], kind: Kind): number {
    return this.events.filter((event) => event.type === type && 'kind' in event && event.kind === kind).length
  }
}

/** The objects of a kind that the API server holds, as the model reads them. */
export async function held(plane: ControlPlane, kind: Kind): Promise<MeshObject[]> {
  const list = await call<{ items: unknown[] }>(plane, 'GET', collection(kind))
  return byName(list.items.map((item) => parseAs(kind, item, DEFAULT_DOMAIN)))
}

/** A request of the test's own, past every proxy. Throws on an answer that is no success. */
export async function call<T>(plane: ControlPlane, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T> {
  const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const answer = await plane.api.request<T>(method, path, { ...(body === undefined ? {} : { body }), contentType })
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body
}

export function collection(kind: Kind, namespace?: string): string {
  const { group, versions, plural } = kindModule(kind).api
  const root = group === '' ? `/api/${versions[0]}` : `/apis/${group}/${versions[0]}`
  return namespace === undefined ? `${root}/${plural}` : `${root}/namespaces/${namespace}/${plural}`
}

export async function writeService(plane: ControlPlane, name: string): Promise<void> {
  const spec = { selector: { app: name }, ports: [{ port: 80 }] }
  await call(plane, 'POST', collection('Service', 'default'), { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec })
}

export async function writeVirtualService(plane: ControlPlane, name: string): Promise<void> {
  const spec = { hosts: [name], http: [{ route: [{ destination: { host: name } }] }] }
  const body = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name }, spec }
  await call(plane, 'POST', collection('VirtualService', 'default'), body)
}

/** An app whose one subset gets all requests and is backed by a Ready Pod: to remove the subset must be refused at any time. */
export async function writeServedApp(plane: ControlPlane, name: string): Promise<void> {
  const metadata = { name }
  const networking = { apiVersion: 'networking.istio.io/v1', metadata }
  await writeService(plane, name)
  const subsets = [{ name: 'v1', labels: { version: 'v1' } }]
  await call(plane, 'POST', collection('DestinationRule', 'default'), {
    ...networking,
    kind: 'DestinationRule',
    spec: { host: name, subsets }
  })
  const http = [{ route: [{ destination: { host: name, subset: 'v1' } }] }]
  await call(plane, 'POST', collection('VirtualService', 'default'), {
    ...networking,
    kind: 'VirtualService',
    spec: { hosts: [name], http }
  })
  const spec = { nodeName: 'node-1', containers: [{ name: 'app', image: 'none' }] }
  const labels = { app: name, version: 'v1' }
  await call(plane, 'POST', collection('Pod', 'default'), { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels }, spec })
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
  await call(plane, 'PATCH', `${collection('Pod', 'default')}/${name}/status`, { status })
}

/** The verdict on the removal of that subset, by what is known at this moment. */
export function verdictOnRemoval(snapshot: Snapshot, name: string): string {
  const before = snapshot.find('DestinationRule', 'default', name)
  if (before === undefined) return 'judged without the stored object'
  const author = { username: 'alice', groups: [], manager: 'kubectl' }
  const change: Change = { operation: 'UPDATE', ref: before, before, after: { ...before, subsets: [] }, dryRun: false, author }
  return decide(change, snapshot, DEFAULT_POLICY, 0).verdict
}

/** A kubeconfig for the proxy. Plain HTTP is what that speaks, and client-node allows it only where nothing is to be verified. */
export function writeKubeconfig(directory: string, server: string, token: string): string {
  const file = join(directory, 'proxy.kubeconfig')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test'
  }
  writeFileSync(file, JSON.stringify(config))
  return file
}

/** In an order that does not depend on how the objects came. */
export function byName(objects: MeshObject[]): MeshObject[] {
  return objects.sort((one, other) => (`${one.namespace}/${one.name}` < `${other.namespace}/${other.name}` ? -1 : 1))
}

function describe(event: ClusterEvent): string {
  if (event.type === 'changed') return `changed ${(event.after ?? event.before)?.kind} ${(event.after ?? event.before)?.name}`
  return `${event.type} ${event.kind}${'why' in event ? ` ${event.why}` : ''}${'error' in event ? ` ${event.error.message}` : ''}`
}
