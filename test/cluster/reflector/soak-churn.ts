/** Writes as a busy cluster makes them, of a size that stays: apps whose routes, subsets and Pods change, and one that never does. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kind, kindModule } from '../../../src/kinds/index.ts'
import type { ControlPlane } from '../../rig/control-plane.ts'
import { collection } from './fixtures.ts'

const APPS = 100
const PODS = 10
const WRITERS = 4
const NAMESPACE = 'default'
/** The app that the careless write is about. */
const STEADY = 'steady'
const READY = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } }

type Fields = Record<string, unknown>

/** A write that must be refused: the one subset that the steady app's route sends to is gone from its DestinationRule. */
export function careless(): Fields {
  return destinationRule(STEADY, ['v2'])
}

export class Churn {
  readonly #plane: ControlPlane
  readonly #everyMs: number
  #stop = new AbortController()
  #writers: Promise<unknown> = Promise.resolve()
  #turn = 0
  writes = 0

  constructor(plane: ControlPlane, writesPerSecond: number) {
    this.#plane = plane
    this.#everyMs = (1000 * WRITERS) / writesPerSecond
  }

  async fill(): Promise<void> {
    await this.#put('Service', service(STEADY))
    await this.#put('DestinationRule', destinationRule(STEADY, ['v1']))
    await this.#put('VirtualService', virtualService(STEADY, { v1: 100 }))
    await this.#startPod(STEADY, 0)
    for (let app = 0; app < APPS; app++) {
      await this.#put('Service', service(nameOf(app)))
      await this.#put('DestinationRule', destinationRule(nameOf(app), ['v1', 'v2']))
      await this.#put('VirtualService', virtualService(nameOf(app), { v1: 100 }))
      await this.#put('Gateway', gateway(nameOf(app)))
      await Promise.all(Array.from({ length: PODS }, (_, at) => this.#startPod(nameOf(app), at)))
    }
  }

  go(): void {
    this.#stop = new AbortController()
    this.#writers = Promise.all(Array.from({ length: WRITERS }, () => this.#write(this.#stop.signal)))
  }

  /** Resolves when the last write is made. */
  async pause(): Promise<void> {
    this.#stop.abort()
    await this.#writers
  }

  /** The API server may be down, or the object be gone with its definition: the next turn brings it back. */
  async #write(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#change(this.#turn++).catch(() => undefined)
      await sleep(this.#everyMs)
    }
  }

  async #change(turn: number): Promise<void> {
    const app = nameOf((turn * 31) % APPS)
    const at = Math.floor(turn / APPS) % PODS
    switch (turn % 8) {
      case 0:
        return this.#put('VirtualService', virtualService(app, { v1: turn % 100, v2: 100 - (turn % 100) }))
      case 1:
        return this.#put('DestinationRule', destinationRule(app, turn % 2 === 0 ? ['v1', 'v2'] : ['v1', 'v2', `v${turn % 50}`]))
      case 2:
        return this.#put('Service', service(app, { track: String(turn % 10) }))
      case 3:
        return this.#put('Gateway', gateway(app, turn % 5))
      case 4:
        return this.#delete('Gateway', app)
      case 5:
        return this.#delete('Pod', `${app}-${at}`)
      default:
        return this.#startPod(app, at)
    }
  }

  async #startPod(app: string, at: number): Promise<void> {
    await this.#put('Pod', pod(app, at))
    const path = `${collection('Pod', NAMESPACE)}/${app}-${at}/status`
    await this.#plane.api.request('PATCH', path, { body: READY, contentType: 'application/merge-patch+json' })
  }

  async #put(kind: Kind, manifest: Fields & { metadata: { name: string } }): Promise<void> {
    const path = `${collection(kind, NAMESPACE)}/${manifest.metadata.name}?fieldManager=soak&force=true`
    const { group, versions } = kindModule(kind).api
    const body = { apiVersion: group === '' ? versions[0] : `${group}/${versions[0]}`, kind, ...manifest }
    await this.#plane.api.request('PATCH', path, { body, contentType: 'application/apply-patch+yaml' })
    this.writes += 1
  }

  async #delete(kind: Kind, name: string): Promise<void> {
    await this.#plane.api.request('DELETE', `${collection(kind, NAMESPACE)}/${name}`, { body: { gracePeriodSeconds: 0 } })
    this.writes += 1
  }
}

function nameOf(app: number): string {
  return `app-${app}`
}

function service(app: string, labels: Fields = {}) {
  return { metadata: { name: app, labels }, spec: { selector: { app }, ports: [{ name: 'http', port: 80 }] } }
}

function destinationRule(app: string, versions: readonly string[]) {
  const subsets = versions.map((version) => ({ name: version, labels: { version } }))
  return { metadata: { name: app, namespace: NAMESPACE }, spec: { host: app, subsets } }
}

function virtualService(app: string, weights: Readonly<Record<string, number>>) {
  const route = Object.entries(weights).map(([subset, weight]) => ({ destination: { host: app, subset }, weight }))
  return { metadata: { name: app }, spec: { hosts: [app], http: [{ route }] } }
}

function gateway(app: string, port = 0) {
  const servers = [{ port: { number: 8080 + port, name: 'http', protocol: 'HTTP' }, hosts: [`${app}.example.com`] }]
  return { metadata: { name: app }, spec: { selector: { istio: 'ingressgateway' }, servers } }
}

function pod(app: string, at: number) {
  const labels = { app, version: at % 2 === 0 ? 'v1' : 'v2' }
  return { metadata: { name: `${app}-${at}`, labels }, spec: { nodeName: 'node-1', containers: [{ name: 'app', image: 'example/app' }] } }
}
