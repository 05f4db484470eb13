/**
 * Minutes of churn and faults on a real API server: afterwards the store equals the server, no difference was found on the way, no review
 * was answered from an empty store, and memory is where it was.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DEFAULT_KINDS } from '../../../src/cluster/live-cluster.ts'
import { DEFAULT_TIMINGS, type Timings } from '../../../src/cluster/timings.ts'
import type { Kind, MeshObject } from '../../../src/kinds/index.ts'
import { type ControlPlane, startControlPlane } from '../../rig/control-plane.ts'
import { type Answer, FaultProxy } from './fault-proxy.ts'
import { call, collection, held, writeKubeconfig } from './fixtures.ts'
import { Churn, careless } from './soak-churn.ts'
import type { Question, Sample } from './soak-follower.ts'
import { STREAM_FAULTS } from './stream-faults.ts'

/** The product's own waits, shorter. A comparison waits longer than a dead stream can go unnoticed, so that what it finds is no delay. */
const TIMINGS: Timings = {
  ...DEFAULT_TIMINGS,
  retryMaxMs: 1_000,
  watchSeconds: 30,
  idleMs: 5_000,
  listIdleMs: 5_000,
  listMs: 20_000,
  requestMs: 5_000,
  staleMs: 20_000,
  compareMs: 30_000,
  comparePauseMs: 25_000
}

const FAULT_EVERY_MS = 4_000
const STORM_MS = 2_500
const CHECK_EVERY_MS = 45_000
const EQUAL_WITHIN_MS = 60_000
const GATEWAYS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io'

export interface SoakOptions {
  readonly minutes: number
  /** Churn's writes in a second. */
  readonly writesPerSecond: number
  readonly say: (line: string) => void
}

export interface SoakReport {
  readonly samples: readonly Sample[]
  readonly last: Sample
  readonly writes: number
  readonly faults: Readonly<Record<string, number>>
  /** Moments without churn at which every kind was compared with the server, object by object. */
  readonly checks: number
  readonly objects: number
  /** Kinds that never became equal to the server's, with the moment. */
  readonly unequal: readonly string[]
}

export async function soak({ minutes, writesPerSecond, say }: SoakOptions): Promise<SoakReport> {
  const plane = await startControlPlane({ controllers: false, gatewayApi: true })
  const proxy = new FaultProxy(plane)
  const faults = new Faults(plane, proxy, await proxy.listen())
  const churn = new Churn(plane, writesPerSecond)
  const follower = new Follower(faults.kubeconfig)
  try {
    await churn.fill()
    await follower.ready
    return await run({ endMs: performance.now() + minutes * 60_000, plane, churn, follower, faults, say })
  } finally {
    await churn.pause()
    await follower.stop()
    await proxy.close()
    await plane.stop()
  }
}

interface Running {
  readonly endMs: number
  readonly plane: ControlPlane
  readonly churn: Churn
  readonly follower: Follower
  readonly faults: Faults
  readonly say: (line: string) => void
}

async function run(running: Running): Promise<SoakReport> {
  const { endMs, churn, faults } = running
  const samples: Sample[] = []
  const unequal: string[] = []
  let checks = 0
  let objects = 0
  do {
    churn.go()
    const checkMs = Math.min(performance.now() + CHECK_EVERY_MS, endMs)
    while (performance.now() < checkMs) {
      await sleep(FAULT_EVERY_MS)
      await faults.strike()
    }
    await churn.pause()
    const found = await compareAll(running)
    checks += 1
    objects = found.objects
    unequal.push(...found.unequal.map((kind) => `${kind} at check ${checks}`))
    const sample = await running.follower.ask<Sample>({ ask: 'sample' })
    samples.push(sample)
    tell(running, checks, sample)
  } while (performance.now() < endMs)
  const last = await running.follower.ask<Sample>({ ask: 'sample' })
  return { samples, last, writes: churn.writes, faults: faults.counts, checks, objects, unequal }
}

function tell({ endMs, say, churn, faults }: Running, check: number, { heapMb, rssMb, drifted, reviews, lists }: Sample): void {
  const leftMinutes = Math.max(0, (endMs - performance.now()) / 60_000).toFixed(1)
  const struck = Object.values(faults.counts).reduce((sum, count) => sum + count, 0)
  say(
    `check ${check}: heap ${heapMb.toFixed(1)} MB, RSS ${rssMb.toFixed(0)} MB, drift ${drifted}, lists ${lists}, writes ${churn.writes}, ` +
      `faults ${struck}, reviews ${JSON.stringify(reviews)}, ${leftMinutes} minutes left`
  )
}

/** Each kind is asked for until it is as the server has it: what the last fault broke must mend itself. */
async function compareAll({ plane, follower }: Running): Promise<{ objects: number; unequal: Kind[] }> {
  const unequal: Kind[] = []
  let objects = 0
  for (const kind of DEFAULT_KINDS) {
    const deadline = performance.now() + EQUAL_WITHIN_MS
    await untilAnswered(plane, collection(kind))
    const expected = await held(plane, kind)
    objects += expected.length
    const isEqual = async () => JSON.stringify(await follower.ask<MeshObject[]>({ ask: 'objects', kind })) === JSON.stringify(expected)
    while (!(await isEqual())) {
      if (performance.now() > deadline) {
        unequal.push(kind)
        break
      }
      await sleep(200)
    }
  }
  return { objects, unequal }
}

/** Breaks one thing at a time, each in its turn. */
class Faults {
  readonly counts: Record<string, number> = {}
  readonly kubeconfig: string
  readonly #plane: ControlPlane
  readonly #proxy: FaultProxy
  readonly #url: string
  #token = 'token-0'
  #storm: Answer | 'hang' | null = null
  #turn = 0

  constructor(plane: ControlPlane, proxy: FaultProxy, url: string) {
    this.#plane = plane
    this.#proxy = proxy
    this.#url = url
    this.kubeconfig = writeKubeconfig(plane.directory, url, this.#token)
    proxy.answer = (_path, authorization) =>
      authorization === `Bearer ${this.#token}` ? this.#storm : { status: 401, body: { code: 401, reason: 'Unauthorized' } }
  }

  async strike(): Promise<void> {
    const faults: readonly (readonly [string, () => Promise<void> | void])[] = [
      ...STREAM_FAULTS.map(({ name, harm }) => [name, () => this.#proxy.streams().forEach(harm)] as const),
      ['429 with Retry-After', () => this.#rage({ status: 429, headers: { 'retry-after': '1' }, body: { code: 429 } })],
      ['500s', () => this.#rage({ status: 500, body: 'no Status' })],
      ['a server that does not answer', () => this.#rage('hang')],
      ['a slow trickle', () => this.#trickle()],
      ['a new token', () => this.#rotate()],
      ['a definition removed and added', () => this.#redefine()],
      ['a restart of kube-apiserver', () => this.#restart('kube-apiserver')],
      ['a restart of etcd', () => this.#restart('etcd')]
    ]
    const [name, harm] = faults[this.#turn++ % faults.length] ?? ['nothing', () => undefined]
    this.#proxy.requests.length = 0
    await harm()
    this.counts[name] = (this.counts[name] ?? 0) + 1
  }

  /** What is under way ends, and whatever is asked for a while is answered like this. */
  async #rage(answer: Answer | 'hang'): Promise<void> {
    this.#storm = answer
    for (const stream of this.#proxy.streams()) stream.reset()
    await sleep(STORM_MS)
    this.#storm = null
  }

  async #trickle(): Promise<void> {
    this.#proxy.trickleMs = 50
    for (const stream of this.#proxy.streams()) stream.reset()
    await sleep(STORM_MS)
    this.#proxy.trickleMs = 0
  }

  #rotate(): void {
    this.#token = `token-${this.#turn}`
    writeKubeconfig(this.#plane.directory, this.#url, this.#token)
    for (const stream of this.#proxy.streams()) stream.reset()
  }

  /** On a machine that does much else the API server takes longer than a test would wait for it. */
  async #restart(component: 'kube-apiserver' | 'etcd'): Promise<void> {
    await this.#plane.restart(component).catch(() => untilAnswered(this.#plane, '/readyz'))
  }

  async #redefine(): Promise<void> {
    const { spec } = await call<{ spec: unknown }>(this.#plane, 'GET', GATEWAYS)
    await call(this.#plane, 'DELETE', GATEWAYS)
    while ((await this.#plane.api.request('GET', GATEWAYS)).status !== 404) await sleep(100)
    const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', spec }
    const metadata = { name: 'gateways.networking.istio.io' }
    await call(this.#plane, 'POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', { ...definition, metadata })
  }
}

async function untilAnswered(plane: ControlPlane, path: string): Promise<void> {
  while ((await plane.api.request('GET', path).catch(() => null))?.status !== 200) await sleep(500)
}

/** The process that follows, and the questions to it. */
class Follower {
  readonly ready: Promise<unknown>
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, (value: unknown) => void>()
  #id = 0

  constructor(kubeconfig: string) {
    const script = join(import.meta.dirname, 'soak-follower.ts')
    const args = [kubeconfig, JSON.stringify(TIMINGS), JSON.stringify(careless())]
    this.#process = fork(script, args, { execArgv: ['--expose-gc'] })
    this.#process.on('message', ({ id, value }: { id: number; value: unknown }) => this.#waiting.get(id)?.(value))
    this.ready = this.#expect(0)
  }

  ask<T>(question: Question): Promise<T> {
    const id = ++this.#id
    const answer = this.#expect<T>(id)
    this.#process.send({ ...question, id })
    return answer
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null) await this.ask({ ask: 'stop' })
  }

  #expect<T>(id: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const ended = () => reject(new Error('the follower ended'))
      this.#process.once('exit', ended)
      this.#waiting.set(id, (value) => {
        this.#process.off('exit', ended)
        this.#waiting.delete(id)
        resolve(value as T)
      })
    })
  }
}
