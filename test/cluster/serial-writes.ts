/**
 * Dependent writes, one after another, through two replicas that take turns and whose watches are late. The writer keeps a perfect model of
 * what it wrote, so it knows the right verdict on each write; every difference is a fault of hitless.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeKubeconfig } from '../reflector/fixtures.ts'
import type { Api, ApiRequest } from './api.ts'
import { startControlPlane } from './control-plane.ts'
import { type HitlessProcess, startHitless } from './hitless-process.ts'
import { type SlowWatches, startSlowWatches } from './slow-watches.ts'
import { startTurns } from './turns.ts'

export interface KindOfWrite {
  writes: number
  refused: number
  gets: number
  lists: number
  totalMs: number
}

export interface Mismatch {
  readonly what: string
  readonly wanted: Verdict
  readonly got: Verdict
  readonly message: string
  readonly read: readonly string[]
  readonly world: App
}

export interface Report {
  readonly kinds: ReadonlyMap<string, KindOfWrite>
  readonly mismatches: readonly Mismatch[]
  /** Reads of weight steps once the watches had caught up. With late ones a step can look like a gap, and that is confirmed. */
  readonly stepReads: number
}

type Verdict = 'admit' | 'deny'

/** Kinds of write that rely on nothing new: what they carry was carried before. */
export const WEIGHT_STEP = 'VS: weight step'

const NAMESPACE = 'serial'
const NETWORKING = `/apis/networking.istio.io/v1/namespaces/${NAMESPACE}`
const APPS = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`
const CORE = `/api/v1/namespaces/${NAMESPACE}`
const APP_COUNT = 4
/** A watch of a replica lags by up to so much. */
const MOST_LATE_MS = 5000

/** A Service with everything behind and before it, as the writer knows it to be. */
interface App {
  readonly name: string
  /** The track that the Service selects; null takes every Pod of the app. */
  readonly track: string | null
  /** The version that each subset selects; null where there is no DestinationRule. */
  readonly subsets: Readonly<Record<string, string>> | null
  /** Null where there is no VirtualService. */
  readonly route: readonly Weighted[] | null
  readonly workloads: Readonly<Record<string, Workload>>
}

interface Weighted {
  readonly subset: string | null
  readonly weight: number
}

/** A Deployment of one Pod; null for none, as after a scale to 0. */
interface Workload {
  readonly version: string
  readonly track: string
  readonly pod: string | null
}

/** Whether every request of the app is answered: each destination that gets any is defined, and a Ready Pod backs it. */
function isAnswered({ track, subsets, route, workloads }: App): boolean {
  const pods = Object.values(workloads).filter((workload) => workload.pod !== null && (track === null || workload.track === track))
  if (route === null) return pods.length > 0
  const carried = route.filter(({ weight }) => weight > 0 || route.length === 1)
  return carried.every(({ subset }) => {
    if (subset === null) return pods.length > 0
    const version = subsets?.[subset]
    return version !== undefined && pods.some((pod) => pod.version === version)
  })
}

/** Writes for one app, and holds each answer against the model. Anything but the two verdicts is thrown. */
class Writer {
  readonly #rig: Rig
  app: App

  constructor(rig: Rig, app: App) {
    this.#rig = rig
    this.app = app
  }

  async defineSubsets(kind: string, subsets: Readonly<Record<string, string>>): Promise<void> {
    const spec = { subsets: Object.entries(subsets).map(([name, version]) => ({ name, labels: { version } })) }
    await this.#write(`DR: ${kind}`, 'PATCH', `${NETWORKING}/destinationrules/${this.app.name}`, { spec }, { subsets })
  }

  async createRule(subsets: Readonly<Record<string, string>>): Promise<void> {
    await this.#write('DR: created', 'POST', `${NETWORKING}/destinationrules`, destinationRule(this.app.name, subsets), { subsets })
  }

  async deleteRule(): Promise<void> {
    await this.#write('DR: deleted', 'DELETE', `${NETWORKING}/destinationrules/${this.app.name}`, undefined, { subsets: null })
  }

  async route(kind: string, weights: Readonly<Record<string, number>>): Promise<void> {
    const route = Object.entries(weights).map(([subset, weight]) => ({ subset: subset === ALL ? null : subset, weight }))
    await this.#write(kind, 'PATCH', `${NETWORKING}/virtualservices/${this.app.name}`, { spec: routing(this.app.name, route) }, { route })
  }

  async createRoute(subset: string): Promise<void> {
    const route = [{ subset, weight: 100 }]
    await this.#write('VS: created', 'POST', `${NETWORKING}/virtualservices`, virtualService(this.app.name, route), { route })
  }

  async deleteRoute(): Promise<void> {
    await this.#write('VS: deleted', 'DELETE', `${NETWORKING}/virtualservices/${this.app.name}`, undefined, { route: null })
  }

  async select(kind: string, track: string | null): Promise<void> {
    // A merge patch takes a key away with null.
    const body = { spec: { selector: { app: this.app.name, track } } }
    await this.#write(`Service: ${kind}`, 'PATCH', `${CORE}/services/${this.app.name}`, body, { track })
  }

  async createWorkload(name: string, workload: Omit<Workload, 'pod'>): Promise<void> {
    const body = deployment(this.app.name, name, workload)
    await this.#write('Deployment: created', 'POST', APPS, body, this.#with(name, { ...workload, pod: null }))
    await this.#startPod(name)
  }

  async deleteWorkload(kind: string, name: string): Promise<void> {
    const { [name]: gone, ...workloads } = this.app.workloads
    const isDone = await this.#write(`Deployment: ${kind}`, 'DELETE', `${APPS}/${this.app.name}-${name}`, undefined, { workloads })
    if (isDone) await this.#stopPod(gone)
  }

  async scale(kind: string, name: string, replicas: 0 | 1): Promise<void> {
    const workload = this.#workload(name)
    const next = this.#with(name, { ...workload, pod: replicas === 0 ? null : workload.pod })
    const isDone = await this.#write(`Scale: ${kind}`, 'PATCH', `${APPS}/${this.app.name}-${name}/scale`, { spec: { replicas } }, next)
    if (!isDone) return
    if (replicas === 0) await this.#stopPod(workload)
    else if (workload.pod === null) await this.#startPod(name)
  }

  /** The Pod gets the new label as well, as one of the new template would have it. */
  async relabel(kind: string, name: string, version: string): Promise<void> {
    const workload = this.#workload(name)
    const body = { spec: { template: { metadata: { labels: { version } } } } }
    const next = this.#with(name, { ...workload, version })
    const isDone = await this.#write(`Deployment: ${kind}`, 'PATCH', `${APPS}/${this.app.name}-${name}`, body, next)
    if (!isDone || workload.pod === null) return
    await this.#rig.must('PATCH', `${CORE}/pods/${workload.pod}`, { metadata: { labels: { version } } })
  }

  async #startPod(name: string): Promise<void> {
    const workload = this.#workload(name)
    const body = pod(this.app.name, name, workload, this.#rig.serial())
    await this.#rig.must('POST', `${CORE}/pods`, body)
    await this.#rig.must('PATCH', `${CORE}/pods/${body.metadata.name}/status`, READY)
    this.app = { ...this.app, ...this.#with(name, { ...workload, pod: body.metadata.name }) }
  }

  async #stopPod(workload: Workload | undefined): Promise<void> {
    if (workload?.pod) await this.#rig.must('DELETE', `${CORE}/pods/${workload.pod}`, { gracePeriodSeconds: 0 })
  }

  #workload(name: string): Workload {
    const workload = this.app.workloads[name]
    if (workload === undefined) throw new Error(`there is no workload ${name}`)
    return workload
  }

  #with(name: string, workload: Workload): Pick<App, 'workloads'> {
    return { workloads: { ...this.app.workloads, [name]: workload } }
  }

  /** True where the write was made. */
  async #write(kind: string, method: Method, path: string, body: unknown, change: Partial<App>): Promise<boolean> {
    const next = { ...this.app, ...change }
    const got = await this.#rig.judged({ kind, method, path, body, wanted: isAnswered(next) ? 'admit' : 'deny', world: this.app })
    if (got === 'admit') this.app = next
    return got === 'admit'
  }
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** The route to the whole Service, whatever the subset. */
const ALL = ''
const BOTH = { v1: 'v1', v2: 'v2' }

interface JudgedWrite {
  readonly kind: string
  readonly method: Method
  readonly path: string
  readonly body: unknown
  readonly wanted: Verdict
  readonly world: App
}

/** The difference between the model and hitless ends the scenario: from there on the two live in different worlds. */
class Differs extends Error {}

class Rig {
  readonly kinds = new Map<string, KindOfWrite>()
  readonly mismatches: Mismatch[] = []
  readonly #api: Api
  readonly #replicas: readonly Replica[]
  readonly #turn: () => number
  #serial = 0
  writes = 0

  constructor(api: Api, replicas: readonly Replica[], turn: () => number) {
    this.#api = api
    this.#replicas = replicas
    this.#turn = turn
  }

  serial(): number {
    return ++this.#serial
  }

  async must(method: Method, path: string, body: unknown): Promise<void> {
    const { status, body: answer } = await this.#api.request(method, path, requestOf(method, body))
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
  }

  async judged({ kind, method, path, body, wanted, world }: JudgedWrite): Promise<Verdict> {
    const started = performance.now()
    const readBefore = this.#replicas.map(({ watches }) => watches.reads.length)
    const answer = await this.#api.request<{ message?: string }>(method, path, requestOf(method, body))
    const totalMs = performance.now() - started
    const got = verdictOf(answer)
    const replica = this.#replicas[this.#turn()]
    if (replica === undefined) throw new Error('no replica was asked')
    await this.#count(kind, got, replica, totalMs)
    if (got === wanted) return got
    const read = replica.watches.reads.slice(readBefore[this.#turn()])
    const what = `${kind}: ${method} ${path} ${JSON.stringify(body)}`
    this.mismatches.push({ what, wanted, got, message: answer.body.message ?? answer.warnings.join(' '), read, world })
    throw new Differs(what)
  }

  /** Only one replica works at a time, so what its counters gained is this write's. */
  async #count(kind: string, got: Verdict, replica: Replica, totalMs: number): Promise<void> {
    const { gets, lists } = await replica.readsSince()
    const sum = this.kinds.get(kind) ?? { writes: 0, refused: 0, gets: 0, lists: 0, totalMs: 0 }
    this.kinds.set(kind, sum)
    this.writes += 1
    sum.writes += 1
    sum.refused += got === 'deny' ? 1 : 0
    sum.gets += gets
    sum.lists += lists
    sum.totalMs += totalMs
  }
}

function requestOf(method: Method, body: unknown): ApiRequest {
  if (body === undefined) return {}
  return method === 'PATCH' ? { body, contentType: 'application/merge-patch+json' } : { body }
}

function verdictOf({ status, body }: { status: number; body: { message?: string } }): Verdict {
  if (status < 300) return 'admit'
  if (status === 403 && body.message?.includes('denied the request: hitless:')) return 'deny'
  throw new Error(`${status} ${JSON.stringify(body)}`)
}

class Replica {
  readonly watches: SlowWatches
  readonly #hitless: HitlessProcess
  #gets = 0
  #lists = 0

  constructor(watches: SlowWatches, hitless: HitlessProcess) {
    this.watches = watches
    this.#hitless = hitless
  }

  async readsSince(): Promise<{ gets: number; lists: number }> {
    const text = await (await fetch(`http://127.0.0.1:${this.#hitless.healthPort}/metrics`)).text()
    const value = (type: string) => Number(new RegExp(`^hitless_confirm_reads_total{type="${type}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
    const [gets, lists] = [value('get'), value('list')]
    const since = { gets: gets - this.#gets, lists: lists - this.#lists }
    this.#gets = gets
    this.#lists = lists
    return since
  }
}

type Random = () => number
type Scenario = (writer: Writer, random: Random) => Promise<void>

const pick = <T>(random: Random, values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0]

/** Each begins and ends with all requests to v1, subset v1 alone defined, Pods of v1 (track blue) and of v2 (track green). */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'grow and shrink': async (writer, random) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.route('VS: uses a new subset', { v1: 90, v2: 10 })
    for (let step = 0; step < 3; step++) {
      const weight = 1 + Math.floor(random() * 98)
      await writer.route(WEIGHT_STEP, { v1: 100 - weight, v2: weight })
    }
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  dangle: async (writer, random) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
    await writer.route('VS: uses a subset just dropped', pick<Record<string, number>>(random, [{ v2: 100 }, { v1: 50, v2: 50 }]))
    await writer.route('VS: names a missing subset with weight 0', { v1: 100, v2: 0 })
    await writer.route('VS: leaves a subset', { v1: 100 })
  },
  'dropped in use': async (writer, random) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.route('VS: uses a new subset', pick<Record<string, number>>(random, [{ v2: 100 }, { v1: 50, v2: 50 }]))
    await writer.defineSubsets('drops a subset in use', { v1: 'v1' })
    await writer.deleteRule()
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'a release and its end': async (writer, random) => {
    await writer.defineSubsets('gains a subset', { v1: 'v1', v3: 'v3' })
    await writer.route('VS: uses a subset without Pods', { v1: 50, v3: 50 })
    await writer.createWorkload('c', { version: 'v3', track: 'green' })
    await writer.route('VS: uses a subset just Ready', { v1: 50, v3: 50 })
    await away(writer, random, 'in use', 'c')
    await writer.route('VS: leaves a subset', { v1: 100 })
    await away(writer, random, 'unused', 'c')
    await writer.route('VS: uses a subset whose Pods just went', { v1: 50, v3: 50 })
    if ('c' in writer.app.workloads) {
      if (writer.app.workloads['c']?.pod === null) await writer.scale('to 1', 'c', 1)
      if (writer.app.workloads['c']?.version !== 'v3') await writer.relabel('template relabelled back', 'c', 'v3')
      await writer.route('VS: uses a subset just Ready', { v1: 50, v3: 50 })
      await writer.route('VS: leaves a subset', { v1: 100 })
      await writer.deleteWorkload('deleted, unused', 'c')
    }
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'two Deployments behind one subset': async (writer, random) => {
    await writer.defineSubsets('gains a subset', { v1: 'v1', v3: 'v3' })
    await writer.createWorkload('c', { version: 'v3', track: 'green' })
    await writer.createWorkload('d', { version: 'v3', track: 'green' })
    await writer.route('VS: uses a subset just Ready', { v1: 50, v3: 50 })
    await away(writer, random, 'the other one serves', 'c')
    await away(writer, random, 'the last one', 'd')
    await writer.route('VS: leaves a subset', { v1: 100 })
    if ('c' in writer.app.workloads) await writer.deleteWorkload('deleted, unused', 'c')
    await writer.deleteWorkload('deleted, unused', 'd')
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'a selector': async (writer) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.select('selector still takes the Pods', 'blue')
    await writer.route('VS: uses a subset the selector just left', { v2: 100 })
    await writer.select('selector widened', null)
    await writer.route('VS: uses a subset the selector just took', { v1: 50, v2: 50 })
    await writer.select('selector leaves a subset in use', 'blue')
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.select('selector leaves a subset in use', 'green')
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
  },
  'a selector after its Pods': async (writer, random) => {
    await writer.createWorkload('c', { version: 'v1', track: 'green' })
    await writer.select('selector moves to Pods just Ready', 'green')
    await away(writer, random, 'the last one', 'c')
    await writer.select('selector widened', null)
    await writer.deleteWorkload('deleted, the other one serves', 'c')
    await writer.select('selector leaves a subset in use', 'green')
  },
  'a subset of other labels': async (writer) => {
    await writer.defineSubsets('gains a subset', BOTH)
    await writer.route('VS: uses a new subset', { v1: 50, v2: 50 })
    await writer.defineSubsets('relabels a subset to no Pods', { v1: 'v1', v2: 'v3' })
    await writer.createWorkload('c', { version: 'v3', track: 'green' })
    await writer.defineSubsets('relabels a subset to Pods just Ready', { v1: 'v1', v2: 'v3' })
    await writer.deleteWorkload('deleted, the last one', 'c')
    await writer.deleteWorkload('deleted, unused', 'b')
    await writer.defineSubsets('relabels a subset to Pods just gone', BOTH)
    await writer.route('VS: leaves a subset', { v1: 100 })
    await writer.defineSubsets('drops an unused subset', { v1: 'v1' })
    await writer.deleteWorkload('deleted, unused', 'c')
    await writer.createWorkload('b', { version: 'v2', track: 'green' })
  },
  'a DestinationRule that goes and comes': async (writer) => {
    await writer.route('VS: leaves every subset', { [ALL]: 100 })
    await writer.deleteRule()
    await writer.route('VS: uses a subset just dropped', { v1: 100 })
    await writer.createRule({ v1: 'v1' })
    await writer.route('VS: uses a new subset', { v1: 100 })
  },
  'a VirtualService that goes and comes': async (writer) => {
    await writer.deleteRoute()
    await writer.createRoute('v2')
    await writer.deleteRule()
    await writer.createRoute('v1')
    await writer.createRule({ v1: 'v1' })
    await writer.createRoute('v1')
    await writer.deleteRule()
  }
}

/** The three ways to take a Deployment's Pods from their subset. */
async function away(writer: Writer, random: Random, why: string, name: string): Promise<void> {
  const way = pick(random, ['delete', 'scale', 'relabel'])
  if (way === 'delete') await writer.deleteWorkload(`deleted, ${why}`, name)
  else if (way === 'scale') await writer.scale(`to 0, ${why}`, name, 0)
  else await writer.relabel(`template relabelled, ${why}`, name, 'v9')
}

export interface SerialWritesOptions {
  readonly writes: number
  readonly seed: number
  /** Told how far it is. */
  readonly say?: (line: string) => void
}

/** Makes at least so many writes, whole scenarios each. */
export async function serialWrites({ writes, seed, say = () => undefined }: SerialWritesOptions): Promise<Report> {
  const releases: (() => unknown)[] = []
  try {
    const plane = await startControlPlane({ controllers: false })
    releases.push(plane.stop)
    const tls = ['--tls-cert', join(plane.directory, 'turns.crt'), '--tls-key', join(plane.directory, 'turns.key')]
    writeFileSync(join(plane.directory, 'turns.crt'), plane.certificate.cert)
    writeFileSync(join(plane.directory, 'turns.key'), plane.certificate.key)
    const random = seeded(seed)
    const lateness = seeded(seed + 1)
    let mostLateMs = MOST_LATE_MS
    const replicas: Replica[] = []
    const ports: number[] = []
    for (let count = 0; count < 2; count++) {
      const watches = await startSlowWatches(plane, () => lateness() * mostLateMs)
      releases.push(watches.close)
      const directory = mkdtempSync(join(plane.directory, 'replica-'))
      const kubeconfig = writeKubeconfig(directory, watches.url, plane.token)
      const flags = [...tls, '--settle', '0', '--log-level', 'error']
      const hitless = await startHitless(plane, { kubeconfig, flags, register: false })
      releases.push(hitless.stop)
      replicas.push(new Replica(watches, hitless))
      ports.push(hitless.port)
    }
    const turns = await startTurns(plane.certificate, plane.ca, ports)
    releases.push(turns.close)
    const rig = new Rig(plane.api, replicas, turns.last)
    await rig.must('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
    const writers: Writer[] = []
    for (let count = 0; count < APP_COUNT; count++) writers.push(await newApp(rig))
    await plane.registerWebhook({ url: `https://127.0.0.1:${turns.port}/validate`, caBundle: plane.ca, timeoutSeconds: 10 })
    await play(rig, writers, writes, random, say)
    mostLateMs = 0
    return { kinds: rig.kinds, mismatches: rig.mismatches, stepReads: await stepReads(rig, writers) }
  } finally {
    for (const release of releases.reverse()) await release()
  }
}

async function play(rig: Rig, writers: Writer[], writes: number, random: Random, say: (line: string) => void): Promise<void> {
  const scenarios = Object.values(SCENARIOS) as [Scenario, ...Scenario[]]
  while (rig.writes < writes) {
    const index = Math.floor(random() * writers.length)
    const writer = writers[index]
    if (writer === undefined) throw new Error(`there is no writer ${index}`)
    const before = rig.writes
    try {
      await pick(random, scenarios)(writer, random)
    } catch (error) {
      if (!(error instanceof Differs)) throw error
      say(describe(rig.mismatches.at(-1)))
      writers[index] = await newApp(rig)
    }
    if (Math.floor(before / 500) < Math.floor(rig.writes / 500)) say(`${rig.writes} writes, ${rig.mismatches.length} wrong`)
  }
}

/** Weight steps by both replicas, as soon as their watches have shown them what is carried. */
async function stepReads(rig: Rig, [writer]: readonly Writer[]): Promise<number> {
  if (writer === undefined) return 0
  await writer.defineSubsets('gains a subset', BOTH)
  await writer.route('VS: uses a new subset', { v1: 90, v2: 10 })
  await sleep(MOST_LATE_MS + 500)
  const before = readsOf(rig.kinds.get(WEIGHT_STEP))
  for (let weight = 20; weight <= 90; weight += 5) await writer.route(WEIGHT_STEP, { v1: 100 - weight, v2: weight })
  return readsOf(rig.kinds.get(WEIGHT_STEP)) - before
}

function readsOf(kind: KindOfWrite | undefined): number {
  return kind === undefined ? 0 : kind.gets + kind.lists
}

export function describe(mismatch: Mismatch | undefined): string {
  if (mismatch === undefined) return ''
  const { what, wanted, got, message, read, world } = mismatch
  return `wrong ${got}, wanted ${wanted}: ${what}\n  said: ${message}\n  read: ${read.join(' ')}\n  world: ${JSON.stringify(world)}`
}

/** The same numbers for the same seed (mulberry32). */
function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

/** An app as every scenario finds it, in an order in which each write is harmless. */
async function newApp(rig: Rig): Promise<Writer> {
  const name = `app-${rig.serial()}`
  const workloads: Record<string, Workload> = {}
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { selector: { app: name }, ports: [PORT] } }
  await rig.must('POST', `${CORE}/services`, service)
  for (const [unit, version, track] of [
    ['a', 'v1', 'blue'],
    ['b', 'v2', 'green']
  ] as const) {
    const body = pod(name, unit, { version, track }, rig.serial())
    await rig.must('POST', APPS, deployment(name, unit, { version, track }))
    await rig.must('POST', `${CORE}/pods`, body)
    await rig.must('PATCH', `${CORE}/pods/${body.metadata.name}/status`, READY)
    workloads[unit] = { version, track, pod: body.metadata.name }
  }
  await rig.must('POST', `${NETWORKING}/destinationrules`, destinationRule(name, { v1: 'v1' }))
  const route = [{ subset: 'v1', weight: 100 }]
  await rig.must('POST', `${NETWORKING}/virtualservices`, virtualService(name, route))
  return new Writer(rig, { name, track: null, subsets: { v1: 'v1' }, route, workloads })
}

const PORT = { name: 'http', port: 3000 }
const HASH = '5d8f7c9b6'
const READY = {
  status: {
    phase: 'Running',
    podIP: '10.244.0.1',
    podIPs: [{ ip: '10.244.0.1' }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }]
  }
}

type Labelled = Omit<Workload, 'pod'>

function deployment(app: string, unit: string, { version, track }: Labelled): unknown {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `${app}-${unit}` },
    spec: {
      replicas: 1,
      // A selector cannot change, so what a scenario relabels is not in it.
      selector: { matchLabels: { app, unit } },
      template: { metadata: { labels: { app, unit, version, track } }, spec: { containers: [{ name: 'app', image: 'example/app' }] } }
    }
  }
}

/** As its ReplicaSet would have made it. */
function pod(app: string, unit: string, { version, track }: Labelled, serial: number) {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-${unit}-${HASH}`, uid: `${app}-${unit}`, controller: true }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${app}-${unit}-${HASH}-${serial}`,
      labels: { app, unit, version, track, 'pod-template-hash': HASH },
      ownerReferences: [owner]
    },
    spec: { nodeName: 'node-1', terminationGracePeriodSeconds: 0, containers: [{ name: 'app', image: 'example/app' }] }
  }
}

function destinationRule(app: string, subsets: Readonly<Record<string, string>>): unknown {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: app },
    spec: { host: app, subsets: Object.entries(subsets).map(([name, version]) => ({ name, labels: { version } })) }
  }
}

function virtualService(app: string, route: readonly Weighted[]): unknown {
  return { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: app }, spec: routing(app, route) }
}

function routing(app: string, route: readonly Weighted[]): unknown {
  const destination = (subset: string | null) => ({ host: app, port: { number: PORT.port }, ...(subset === null ? {} : { subset }) })
  return { hosts: [app], http: [{ route: route.map(({ subset, weight }) => ({ destination: destination(subset), weight })) }] }
}

/** Reads of each kind of write, and how long an answer took. */
export function table(kinds: Report['kinds']): string {
  const rows = [...kinds].sort(([one], [other]) => (one < other ? -1 : 1))
  const line = (name: string, cells: readonly string[]) => name.padEnd(58) + cells.map((cell) => cell.padStart(9)).join('')
  return [
    line('kind of write', ['writes', 'refused', 'gets', 'lists', 'ms']),
    ...rows.map(([name, { writes, refused, gets, lists, totalMs }]) =>
      line(name, [String(writes), String(refused), ...[gets, lists, totalMs].map((sum) => (sum / writes).toFixed(1))])
    )
  ].join('\n')
}
