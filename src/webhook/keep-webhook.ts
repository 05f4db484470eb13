/** The webhook as the API server reaches it, kept in order by each replica: whom it trusts, what is served, and what becomes of writes where nobody answers. */
import { PROBE_LABEL } from '../admission/probe.ts'
import { dial } from '../certificates/dial.ts'
import type { Kept, Rotation } from '../certificates/rotation.ts'
import { type Clock, sleep } from '../kubernetes/clock.ts'
import type { Connection } from '../kubernetes/connection.ts'
import { prove } from '../kubernetes/prove.ts'
import type { ReadConfiguration, WebhookConfiguration } from '../kubernetes/webhook-configuration.ts'
import type { Telling } from './telling.ts'

/** What nobody tells of is seen within these; replicas look at different times. */
const LOOK_MS = { least: 10_000, most: 20_000 }
/** Somebody else who insists on other content must not be answered without a pause. */
const PAUSE_MS = 250
/** While something is yet to come, such as the first bundle: sooner at first. */
const SOON_MS = { first: 500, most: 10_000 }
const TURN_MS = 15_000

export interface KeeperOptions extends Telling {
  readonly connection: Connection
  readonly configuration: WebhookConfiguration
  /** Null where the pair is one of files, and whom to trust is told by somebody else. */
  readonly rotation: Rotation | null
  /** Where the webhook listens, and the name that the API server calls it by. */
  readonly address: { readonly host: string; readonly port: number; readonly servername: string }
  /** Whether this replica would judge a write now. */
  readonly isFresh: () => boolean
  readonly clock: Clock
  readonly random: () => number
}

export class WebhookKeeper {
  readonly #options: KeeperOptions
  #problem: string | null = 'certificate: none was looked at yet'
  #bundles: readonly string[] | null = null
  #version: string | null = null
  #said = ''

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Why the API server could not reach this replica's port, or could not trust it; null where it could. Asked by readiness, answered by the last look. */
  get problem(): string | null {
    return this.#problem
  }

  /** Looks until the signal ends: now and then, and at once when the configuration changes. */
  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#options
    let soonMs = SOON_MS.first
    while (!signal.aborted) {
      const settled = await this.#turn(AbortSignal.any([signal, AbortSignal.timeout(TURN_MS)]), signal)
      soonMs = settled ? SOON_MS.first : Math.min(soonMs * 1.5, SOON_MS.most)
      await this.#rest(settled ? LOOK_MS.least + random() * (LOOK_MS.most - LOOK_MS.least) : soonMs * (0.75 + random() / 2), signal)
    }
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, configuration } = this.#options
    const rested = new AbortController()
    const resting = AbortSignal.any([signal, rested.signal])
    const slept = sleep(clock, ms, resting)
    // Where it cannot be followed, the next look comes in its time.
    const changed = configuration.changed(this.#version, resting).catch(() => slept)
    await Promise.race([slept, changed])
    rested.abort()
    await sleep(clock, PAUSE_MS, signal)
  }

  /** True where nothing is yet to come. */
  async #turn(signal: AbortSignal, ended: AbortSignal): Promise<boolean> {
    const { rotation, configuration, metrics } = this.#options
    let what: 'rotate' | 'raise' = 'rotate'
    try {
      const kept = rotation === null ? null : await this.#rotate(rotation, signal)
      what = 'raise'
      const read = await configuration.read(signal)
      this.#version = read?.version ?? null
      this.#bundles = read?.bundles ?? (kept === null ? [] : [kept.bundle])
      await this.#dial()
      const enforced = read === null || (await this.#raise(read, signal))
      metrics.certificates.enforced(read === null ? null : enforced)
      return enforced && this.#problem === null && kept?.published !== false
    } catch (error) {
      if (ended.aborted) return true
      this.#fail(what, error)
      // The API server does not answer, or refuses: what it said last stands.
      await this.#dial()
      return false
    }
  }

  async #rotate(rotation: Rotation, signal: AbortSignal): Promise<Kept> {
    const kept = await rotation.look(signal, (error) => this.#fail('publish', error))
    this.#options.metrics.certificates.uses('leaf', kept.leaf.certificate)
    this.#options.metrics.certificates.uses('authority', kept.authority)
    return kept
  }

  async #dial(): Promise<void> {
    const { address, metrics, log } = this.#options
    const found =
      this.#bundles === null ? `certificate: ${this.#said}` : await problemOf(this.#bundles, (bundle) => dial({ ...address, bundle }))
    if (found !== null && this.#bundles !== null) metrics.certificates.failed('dial')
    if (found !== this.#problem)
      log.info({ problem: found }, found === null ? 'the API server can trust this replica' : 'the API server cannot trust this replica')
    this.#problem = found
  }

  /** True where every webhook has its failure policy. Nothing fails closed before a refusal was seen to arrive. */
  async #raise(read: ReadConfiguration, signal: AbortSignal): Promise<boolean> {
    const { connection, configuration, rotation, isFresh, log } = this.#options
    const { lenient, holdsPolicy, version } = read
    if (lenient.length === 0 && !holdsPolicy) return true
    if (this.#problem !== null || !isFresh()) return false
    const reason = lenient.length === 0 ? null : await prove(connection, PROBE_LABEL, signal)
    if (reason !== null) {
      this.#say(`webhooks stay at Ignore, since refusals do not arrive: ${reason}`)
      return false
    }
    const raised = await configuration.raise(lenient, version, rotation !== null, signal)
    if (raised && lenient.length > 0) log.info({ webhooks: lenient }, 'a refusal arrived as it must: these webhooks are Fail from now on')
    return raised
  }

  #fail(what: 'rotate' | 'publish' | 'raise', error: unknown): void {
    this.#options.metrics.certificates.failed(what)
    this.#say(`${what}: ${error instanceof Error ? error.message : error}`)
  }

  /** The same thing is told once until another comes. */
  #say(text: string): void {
    if (text !== this.#said) this.#options.log.warn(text)
    this.#said = text
  }
}

async function problemOf(bundles: readonly string[], ask: (bundle: string) => Promise<string | null>): Promise<string | null> {
  for (const bundle of new Set(bundles)) {
    const problem = bundle.trim() === '' ? 'the webhook configuration names no authority to trust yet' : await ask(bundle)
    if (problem !== null) return `certificate: ${problem}`
  }
  return null
}
