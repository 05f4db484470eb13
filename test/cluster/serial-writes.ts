/**
 * Dependent writes, one after another, through two replicas that take turns and whose watches are late. The writer keeps a perfect model of
 * what it wrote, so it knows the right verdict on each write; every difference is a fault of hitless.
 */
import { EventEmitter, once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Random, seeded } from '../random.ts'
import type { Api, ApiRequest } from '../rig/api.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import type { HitlessProcess } from '../rig/hitless-process.ts'
import { startLateReplicas } from '../rig/late-replicas.ts'
import type { SlowWatches } from '../rig/slow-watches.ts'
import { type Fate, type OtherWebhook, REFUSAL, startOtherWebhook } from './other-webhook.ts'
import { type App, type Judge, type JudgedWrite, type Method, NAMESPACE, newApp, type Verdict, type Writer } from './serial-app.ts'
import { BOTH, pick, SCENARIOS, type Scenario, WEIGHT_STEP } from './serial-scenarios.ts'

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
  /** Writes that another webhook refused, whose client went away, or that a quota refused. */
  readonly lost: Rig['lost']
  /** Reads of weight steps once the watches had caught up. With late ones a step can look like a gap, and that is confirmed. */
  readonly stepReads: number
}

const APP_COUNT = 4
/** A watch of a replica lags by up to so much. */
const MOST_LATE_MS = 5000

/** The difference between the model and hitless ends the scenario: from there on the two live in different worlds. */
class Differs extends Error {}

class Rig implements Judge {
  readonly kinds = new Map<string, KindOfWrite>()
  readonly mismatches: Mismatch[] = []
  readonly #api: Api
  readonly #replicas: readonly Replica[]
  readonly #turn: () => number
  readonly #fates: Fates
  #serial = 0
  writes = 0
  /** Writes that something else than hitless kept from being made. */
  readonly lost = { refused: 0, left: 0, quota: 0 }

  constructor(api: Api, replicas: readonly Replica[], turn: () => number, fates: Fates) {
    this.#api = api
    this.#replicas = replicas
    this.#turn = turn
    this.#fates = fates
  }

  serial(): number {
    return ++this.#serial
  }

  /** Resolves when the API server's own view of quotas has the one of this namespace. */
  async isFull(namespace: string): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'probe-' } }
    const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`
    while ((await this.#api.request('POST', path, { body })).status === 201) await sleep(20)
  }

  async must(method: Method, path: string, body: unknown): Promise<void> {
    const { status, body: answer } = await this.#api.request(method, path, requestOf(method, body))
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`)
  }

  async judged({ kind, method, path, body, wanted, world }: JudgedWrite): Promise<Verdict | 'lost'> {
    const fate = this.#fates.next()
    if (fate === 'keep') return this.#left(method, path, body)
    const started = performance.now()
    const readBefore = this.#replicas.map(({ watches }) => watches.reads.length)
    const answer = await this.#api.request<{ message?: string }>(method, path, requestOf(method, body))
    const totalMs = performance.now() - started
    this.#fates.over()
    const lost = lossOf(answer)
    if (lost !== null) this.lost[lost] += 1
    if (lost !== null) return 'lost'
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

  /** The client goes once hitless has answered, while the other webhook is still asked: nothing is made of the write then. */
  async #left(method: Method, path: string, body: unknown): Promise<'lost'> {
    const client = new AbortController()
    const sent = this.#api.request(method, path, { ...requestOf(method, body), signal: client.signal }).catch(() => null)
    // Where a quota or a busy server ends it sooner, the other webhook is not asked.
    const ended = await Promise.race([sent, this.#fates.answered().then(() => null)])
    if (ended === null) {
      client.abort()
      await sent
      await this.#fates.left()
    } else if (ended.status < 300) throw new Error(`${method} ${path} was made, though the other webhook has not answered`)
    this.#fates.over()
    this.lost.left += 1
    return 'lost'
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

/** What becomes of the next write, whatever hitless says of it. */
interface Fates {
  next(): Fate
  /** Both webhooks were asked, and hitless has answered. */
  answered(): Promise<unknown>
  left(): Promise<unknown>
  over(): void
}

/** A tenth is refused by another webhook, and of some the client goes away; where `random` is null, none. */
function fatesOf(other: OtherWebhook, random: () => Random | null, hitless: () => Promise<unknown>): Fates {
  let answered: Promise<unknown> = Promise.resolve()
  return {
    next() {
      const chance = random()?.() ?? 1
      other.fate = chance < 0.1 ? 'refuse' : chance < 0.12 ? 'keep' : 'admit'
      if (other.fate === 'keep') answered = Promise.all([other.asked(), hitless()])
      return other.fate
    },
    answered: () => answered,
    left: () => other.left(),
    over() {
      other.fate = 'admit'
    }
  }
}

function lossOf({ status, body }: { status: number; body: { message?: string } }): 'refused' | 'quota' | null {
  if (status === 403 && body.message?.includes(REFUSAL)) return 'refused'
  return status === 403 && body.message?.includes('exceeded quota') ? 'quota' : null
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
    const text = await this.#hitless.metrics()
    const value = (type: string) => Number(new RegExp(`^hitless_confirm_reads_total{type="${type}"} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
    const [gets, lists] = [value('get'), value('list')]
    const since = { gets: gets - this.#gets, lists: lists - this.#lists }
    this.#gets = gets
    this.#lists = lists
    return since
  }
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
    const random = seeded(seed)
    const lateness = seeded(seed + 1)
    let mostLateMs = MOST_LATE_MS
    const answers = new EventEmitter()
    const answered = async () => answers.emit('answer')
    const late = await startLateReplicas(plane, () => lateness() * mostLateMs, ['--settle', '0', '--log-level', 'error'], answered)
    releases.push(late.stop)
    const other = await startOtherWebhook(plane)
    releases.push(other.stop)
    const replicas = late.replicas.map(({ watches, hitless }) => new Replica(watches, hitless))
    let chances: Random | null = null
    const fates = fatesOf(
      other,
      () => chances,
      () => once(answers, 'answer')
    )
    const rig = new Rig(plane.api, replicas, late.turns.last, fates)
    await rig.must('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })
    const writers: Writer[] = []
    for (let count = 0; count < APP_COUNT; count++) writers.push(await newApp(rig))
    await late.register()
    chances = seeded(seed + 2)
    await play(rig, writers, writes, random, say)
    chances = null
    mostLateMs = 0
    return { kinds: rig.kinds, mismatches: rig.mismatches, lost: rig.lost, stepReads: await stepReads(rig, [await newApp(rig)]) }
  } finally {
    for (const release of releases.reverse()) await release()
  }
}

async function play(rig: Rig, writers: Writer[], writes: number, random: Random, say: (line: string) => void): Promise<void> {
  const scenarios = Object.values(SCENARIOS) as [Scenario, ...Scenario[]]
  while (rig.writes < writes) {
    const index = Math.floor(random() * writers.length)
    const writer = random() < 0.05 ? await appUnderQuota(rig) : writers[index]
    if (writer === undefined) throw new Error(`there is no writer ${index}`)
    const before = rig.writes
    try {
      await pick(random, scenarios)(writer, random)
    } catch (error) {
      // A scenario goes on as if all its writes were made: what it then finds missing is no fault.
      if (!(error instanceof Differs) && !writer.isDisturbed) throw error
      if (error instanceof Differs) say(describe(rig.mismatches.at(-1)))
      writer.isDisturbed = true
    }
    if (writer.isDisturbed && writer === writers[index]) writers[index] = await newApp(rig)
    if (Math.floor(before / 500) < Math.floor(rig.writes / 500)) say(`${rig.writes} writes, ${rig.mismatches.length} wrong`)
  }
}

/** An app in a namespace in which nothing more can be created. */
async function appUnderQuota(rig: Rig): Promise<Writer> {
  const namespace = `full-${rig.serial()}`
  await rig.must('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const writer = await newApp(rig, namespace)
  const counted = ['deployments.apps', 'destinationrules.networking.istio.io', 'virtualservices.networking.istio.io', 'configmaps']
  const none = Object.fromEntries(counted.map((resource) => [`count/${resource}`, '0']))
  const quota = `/api/v1/namespaces/${namespace}/resourcequotas`
  await rig.must('POST', quota, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard: none } })
  // As its controller would write it, which does not run here.
  await rig.must('PATCH', `${quota}/none/status`, { status: { hard: none, used: none } })
  await rig.isFull(namespace)
  return writer
}

/** Weight steps by both replicas, as soon as their watches have shown them what is carried. */
async function stepReads(rig: Rig, [writer]: readonly Writer[]): Promise<number> {
  if (writer === undefined) return 0
  await writer.defineSubsets('gains a subset', BOTH)
  await writer.route('VS: uses a new subset', { v1: 90, v2: 10 })
  const reads = () => readsOf(rig.kinds.get(WEIGHT_STEP))
  // Both watches have caught up once a step by each replica reads nothing.
  for (let quiet = 0, tries = 0; quiet < 2 && tries < 100; tries++) {
    await sleep(MOST_LATE_MS / 20)
    const sofar = reads()
    await writer.route(WEIGHT_STEP, { v1: 89 + (tries % 2), v2: 11 - (tries % 2) })
    quiet = reads() === sofar ? quiet + 1 : 0
  }
  const before = reads()
  for (let weight = 20; weight <= 90; weight += 5) await writer.route(WEIGHT_STEP, { v1: 100 - weight, v2: weight })
  return reads() - before
}

function readsOf(kind: KindOfWrite | undefined): number {
  return kind === undefined ? 0 : kind.gets + kind.lists
}

export function describe(mismatch: Mismatch | undefined): string {
  if (mismatch === undefined) return ''
  const { what, wanted, got, message, read, world } = mismatch
  return `wrong ${got}, wanted ${wanted}: ${what}\n  said: ${message}\n  read: ${read.join(' ')}\n  world: ${JSON.stringify(world)}`
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
