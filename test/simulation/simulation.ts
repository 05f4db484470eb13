/** Plays a plan: API server, controllers, replicas and writers in one process, on one virtual clock. The same plan gives the same trace. */
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { type Random, seeded } from '../random.ts'
import { VirtualClock } from '../virtual-clock.ts'
import type { Attempt } from './attempt.ts'
import { Controllers } from './controllers.ts'
import { HitlessWebhook } from './hitless-webhook.ts'
import { type Counts, describe, Judge, type Violation } from './judge.ts'
import { Network, unlessAborted } from './network.ts'
import type { Plan, Step, Weather, Writer } from './plan.ts'
import type { Planted } from './planted.ts'
import { Replica } from './replica.ts'
import { type Answer, type ApiRequest, placeOf } from './request.ts'
import { ApiServer } from './server.ts'
import { Store } from './store.ts'
import { type Client, LEFT, type Webhook } from './writes.ts'

/** The clock's zero. */
const START = Date.parse('2026-01-01T00:00:00Z')
/** Longer than every pause between two tries to connect. */
const CALM_MS = 60_000
/** Longer than a watch that has fallen silent goes unnoticed. */
const SILENT_CALM_MS = 400_000
const POLICY: Policy = { ...DEFAULT_POLICY, whenStale: 'warn' }

export interface Outcome {
  readonly trace: readonly string[]
  readonly violations: readonly Violation[]
  readonly counts: Counts
  /** The most writes that a replica had in its ledger. */
  readonly mostPending: number
}

export interface SimulationOptions {
  /** A fault planted in every replica. */
  readonly planted?: Planted
}

export function simulate(plan: Plan, options: SimulationOptions = {}): Promise<Outcome> {
  return new Simulation(plan, options).run()
}

class Simulation {
  readonly #plan: Plan
  readonly #options: SimulationOptions
  readonly #clock = new VirtualClock()
  readonly #store = new Store(() => `${new Date(START + this.#clock.now()).toISOString().slice(0, 19)}Z`)
  readonly #judge = new Judge(this.#store, POLICY, () => this.#clock.now())
  readonly #trace: string[] = []
  readonly #server: ApiServer
  readonly #controllers: Controllers
  readonly #networks: readonly Network[]
  readonly #replicas: Replica[]
  /** Nobody is asked before the replicas are there. */
  #registered = false
  #calm = false
  #mostPending = 0
  #generation = 0

  constructor(plan: Plan, options: SimulationOptions) {
    this.#plan = plan
    this.#options = options
    const { hopMs, pageLimit, quota, replicas, podMs, storeMs } = plan
    const hitless = new HitlessWebhook({
      clock: this.#clock,
      hopMs,
      replicas: () => this.#replicas.filter(({ isReady }) => isReady),
      revision: () => this.#store.revision,
      unanswered: (attempt, replica, error) => this.#unanswered(attempt, replica, error)
    })
    const webhooks = [hitless, this.#otherWebhook()].map((webhook) => this.#whenRegistered(webhook))
    const { clock, store } = { clock: this.#clock, store: this.#store }
    this.#server = new ApiServer({ store, clock, webhooks, witness: this.#judge, storeMs, pageLimit, quota: () => quota })
    this.#networks = Array.from({ length: replicas }, (_, at) => {
      return new Network({ server: this.#server, clock, random: this.#random(`network ${at}`), user: 'hitless', hopMs })
    })
    this.#replicas = this.#networks.map((_, at) => this.#replica(at))
    const send = (request: ApiRequest, user: string) => this.#send(request, user, this.#random(`controller ${store.revision}`))
    this.#controllers = new Controllers({ store, clock, random: this.#random('controllers'), send, podMs })
    store.follow(({ revision, type, kind, object, by }) => {
      const { namespace = '', name } = object.metadata
      this.#say(`${revision} ${type} ${kind} ${namespace}/${name} by ${by}`)
    })
  }

  async run(): Promise<Outcome> {
    const { initial, weather, writers } = this.#plan
    const clock = this.#clock
    for (const request of initial) this.#must(request)
    await clock.runUntil(3 * this.#plan.podMs)
    for (const replica of this.#replicas) replica.start()
    await clock.runUntil(Number.POSITIVE_INFINITY, () => this.#replicas.every(({ isReady }) => isReady))
    this.#registered = true
    for (const each of weather) clock.after(each.atMs, () => this.#fall(each))
    let isDone = false
    Promise.all(writers.map((writer) => this.#write(writer))).then(() => {
      isDone = true
    })
    await clock.runUntil(clock.now() + 3_600_000, () => isDone)
    if (!isDone) this.#judge.tell('late', 'a writer was not answered within an hour')
    await this.#end()
    const { violations, counts } = this.#judge
    return { trace: this.#trace, violations, counts, mostPending: this.#mostPending }
  }

  /** In quiet, all that was begun comes to its end. */
  async #end(): Promise<void> {
    this.#calm = true
    for (const network of this.#networks) network.mostLateMs = 0
    await this.#clock.runUntil(this.#clock.now() + (this.#plan.weather.some(({ what }) => what === 'silent') ? SILENT_CALM_MS : CALM_MS))
    for (const replica of this.#replicas) {
      this.#compare(replica)
      const pending = replica.cluster.pending().length
      if (pending + replica.held > 0) this.#judge.tell('not-forgotten', `${replica.name}: ${pending} pending, ${replica.held} held`)
    }
    const ended = Promise.all(this.#replicas.map((replica) => replica.stop()))
    await this.#clock.runUntil(this.#clock.now() + 10_000)
    await ended
  }

  /** In quiet, a replica comes to show what etcd holds. */
  #compare(replica: Replica): void {
    const shown = new Map(replica.kinds().flatMap((kind) => replica.objects(kind).map((object) => [keyOf(object), object.resourceVersion])))
    for (const kind of replica.kinds()) {
      for (const object of this.#store.world.all(kind)) {
        if (shown.get(keyOf(object)) !== object.resourceVersion) this.#judge.tell('not-converged', `${replica.name} ${keyOf(object)}`)
        shown.delete(keyOf(object))
      }
    }
    for (const key of shown.keys()) this.#judge.tell('not-converged', `${replica.name} still shows ${key}`)
  }

  async #write({ name, steps, stopsAtRefusal }: Writer): Promise<void> {
    for (const step of steps) {
      await this.#clock.sleep(step.waitMs)
      const { status } = await this.#step(step, name)
      if (stopsAtRefusal && status >= 400 && status !== 404 && status !== 409) return
    }
  }

  async #step({ request, patienceMs, dice }: Step, user: string): Promise<Answer> {
    const left = new AbortController()
    const cancel =
      patienceMs === undefined ? () => undefined : this.#clock.after(patienceMs, () => left.abort(new Error('the client left')))
    const client = { user, random: seeded(dice), signal: left.signal }
    const answer = await unlessAborted(this.#server.answer(request, client), left.signal).catch(() => LEFT)
    cancel()
    this.#say(`${user} ${request.method} ${request.path} ${answer.status} ${(answer.body as { message?: string }).message ?? ''}`)
    return answer
  }

  #send(request: ApiRequest, user: string, random: Random): Promise<Answer> {
    return this.#server.answer(request, { user, random, signal: new AbortController().signal })
  }

  /** Before the beginning nobody refuses. */
  #must(request: ApiRequest): void {
    const place = placeOf(request.path)
    if (place === null) throw new Error(`there is nothing at ${request.path}`)
    const { namespace, kind } = place
    const manifest = request.body as Parameters<Store['born']>[1]
    const located = namespace === null ? manifest : { ...manifest, metadata: { ...manifest.metadata, namespace } }
    this.#store.create(kind, this.#store.born(kind, located), 'admin')
  }

  #fall(weather: Weather): void {
    this.#say(`weather ${JSON.stringify(weather)}`)
    switch (weather.what) {
      case 'compact':
        this.#store.compacted = this.#store.revision
        return
      case 'flap':
        this.#controllers.flap(weather.pod, weather.forMs)
        return
      case 'restart':
        this.#restart(weather.replica)
        return
      default:
        this.#disturb(weather)
    }
  }

  #disturb(weather: Extract<Weather, { replica: number }>): void {
    const network = this.#networks[weather.replica]
    if (network === undefined) return
    if (weather.what === 'late') network.mostLateMs = weather.ms
    if (weather.what === 'down') {
      network.isDown = true
      this.#clock.after(weather.forMs, () => {
        network.isDown = false
      })
    }
    for (const watch of network.watches('kind' in weather ? weather.kind : null)) {
      if (weather.what === 'reset' || weather.what === 'down') watch.reset()
      if (weather.what === 'end') watch.end()
      if (weather.what === 'cut') watch.cut()
      if (weather.what === 'silent') watch.fallSilent()
    }
  }

  #restart(at: number): void {
    if (this.#networks[at] === undefined) return
    this.#replicas[at]?.stop()
    const replica = this.#replica(at)
    this.#replicas[at] = replica
    replica.start()
  }

  #replica(at: number): Replica {
    const transport = this.#networks[at]
    if (transport === undefined) throw new Error(`there is no replica ${at}`)
    const name = `replica-${at}`
    const { planted } = this.#options
    return new Replica({
      name,
      clock: this.#clock,
      random: this.#random(`${name} ${this.#generation++}`),
      transport: planted?.transport?.(transport) ?? transport,
      policy: POLICY,
      settleMs: this.#plan.settleMs,
      planted: planted?.state ?? ((state) => state),
      observe: (event) => {
        if (event.type !== 'changed' && event.type !== 'compared')
          this.#say(`${name} ${event.type} ${event.kind}${'why' in event ? ` ${event.why}` : ''}`)
      }
    })
  }

  #otherWebhook(): Webhook {
    const { refusals, refusalMs } = this.#plan
    return {
      name: 'other.example.com',
      isAsked: () => true,
      ask: async (_attempt: Attempt, random: Random) => {
        if (this.#calm) return null
        await this.#clock.sleep(refusalMs * random() ** 4)
        return random() < refusals ? 'it does not please' : null
      }
    }
  }

  /** A replica that hears the API server answers it in time. */
  #unanswered(attempt: Attempt, replica: Replica, error: unknown): void {
    const at = this.#replicas.indexOf(replica)
    const isDisturbed = this.#plan.weather.some((each) => each.what === 'down' && each.replica === at)
    if (at !== -1 && !isDisturbed) this.#judge.tell('late', `${describe(attempt)} by ${replica.name}: ${error}`)
  }

  #whenRegistered(webhook: Webhook): Webhook {
    return {
      name: webhook.name,
      isAsked: (asked) => this.#registered && webhook.isAsked(asked),
      ask: async (attempt: Attempt, random: Random, signal: Client['signal']) => {
        const refusal = await webhook.ask(attempt, random, signal)
        this.#mostPending = Math.max(this.#mostPending, ...this.#replicas.map(({ cluster }) => cluster.pending().length))
        this.#say(`${attempt.id} ${webhook.name} ${attempt.review?.replica ?? ''} ${refusal ?? 'admits'}`)
        return refusal
      }
    }
  }

  /** Each has numbers of its own, so that a plan without one of its parts leaves the others' as they are. */
  #random(name: string): Random {
    let seed = this.#plan.seed
    for (let at = 0; at < name.length; at++) seed = Math.imul(seed ^ name.charCodeAt(at), 0x01000193)
    return seeded(seed)
  }

  #say(line: string): void {
    this.#trace.push(`${this.#clock.now().toFixed(3)} ${line}`)
  }
}

function keyOf({ kind, namespace, name }: { readonly kind: string; readonly namespace: string; readonly name: string }): string {
  return `${kind} ${namespace}/${name}`
}
