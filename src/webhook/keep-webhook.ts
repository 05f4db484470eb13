/** The webhook as the API server reaches it, kept in order by each replica: whom it trusts, what is served, and what becomes of writes where nobody answers. */
import { PROBE_LABEL } from '../admission/probe.ts'
import { dial } from '../certificates/dial.ts'
import type { Kept, Rotation } from '../certificates/rotation.ts'
import { Fields } from '../kinds/fields.ts'
import { type Clock, sleep } from '../kubernetes/clock.ts'
import { ApiError, type Connection } from '../kubernetes/connection.ts'
import { servedVersions } from '../kubernetes/discovery.ts'
import { prove } from '../kubernetes/prove.ts'
import { IGNORE_UNTIL, type Owner, type ReadConfiguration, type WebhookConfiguration } from '../kubernetes/webhook-configuration.ts'
import type { Telling } from './telling.ts'

/** What nobody tells of is seen within these; replicas look at different times. */
const LOOK_MS = { least: 10_000, most: 20_000 }
/** Somebody else who insists on other content must not be answered without a pause. */
const PAUSE_MS = 250
/** While something is yet to come, such as the first bundle: sooner at first. */
const SOON_MS = { first: 500, most: 10_000 }
const TURN_MS = 15_000
const HOUR_MS = 3_600_000
/** How long webhooks that somebody made `Ignore` by hand stay so, unless he says how long: a shift, after which somebody else is on call. */
const BY_HAND_MS = { unless: 8 * HOUR_MS, most: 30 * 24 * HOUR_MS }
const ISTIO = { group: 'networking.istio.io', version: 'v1' }

export interface KeeperOptions extends Telling {
  readonly connection: Connection
  readonly configuration: WebhookConfiguration
  /** Null where the pair is one of files, and whom to trust is told by somebody else. */
  readonly rotation: Rotation | null
  /** Where the webhook listens, and the name that the API server calls it by. */
  readonly address: { readonly host: string; readonly port: number; readonly servername: string }
  /** Whether this replica would judge a write now. */
  readonly isFresh: () => boolean
  /** Of this Pod: the configuration is removed together with it. */
  readonly namespace: string
  /** Resolves when that Namespace begins to end. */
  readonly leaving: Promise<void>
  readonly clock: Clock
  readonly nowMs: () => number
  readonly random: () => number
}

export class WebhookKeeper {
  readonly #options: KeeperOptions
  #problem: string | null = 'certificate: none was looked at yet'
  #bundles: readonly string[] | null = null
  #version: string | null = null
  #istio: string | null = null
  #isLeaving = false
  /** Null where it is not known yet, or may not be named. */
  #owner: Owner | null = null
  #mayOwn = true
  #said = ''

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Why the API server could not reach this replica's port, could not trust it, or would ask it nothing; null where all is well. Asked by readiness, answered by the last look. */
  get problem(): string | null {
    return this.#problem ?? this.#istio
  }

  /** Looks until the signal ends: now and then, and at once when the configuration changes. */
  async run(signal: AbortSignal): Promise<void> {
    const { random } = this.#options
    let soonMs = SOON_MS.first
    this.#options.leaving.then(() => {
      this.#isLeaving = true
    })
    while (!signal.aborted) {
      const settled = await this.#turn(AbortSignal.any([signal, AbortSignal.timeout(TURN_MS)]), signal)
      soonMs = settled ? SOON_MS.first : Math.min(soonMs * 1.5, SOON_MS.most)
      await this.#rest(settled ? LOOK_MS.least + random() * (LOOK_MS.most - LOOK_MS.least) : soonMs * (0.75 + random() / 2), signal)
    }
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const { clock, configuration, leaving } = this.#options
    const rested = new AbortController()
    const resting = AbortSignal.any([signal, rested.signal])
    const slept = sleep(clock, ms, resting)
    // Where it cannot be followed, the next look comes in its time.
    const changed = configuration.changed(this.#version, resting).catch(() => slept)
    await Promise.race(this.#isLeaving ? [slept] : [slept, changed, leaving])
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
      metrics.certificates.enforced(read === null ? null : read.lenient.length === 0)
      this.#istio = await this.#unasked(signal)
      const isKept = read === null || (await this.#keep(read, signal))
      return isKept && this.problem === null && kept?.published !== false
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

  /** Why writes to Istio's objects are never asked about; null where they are, or where there is no Istio yet. */
  async #unasked(signal: AbortSignal): Promise<string | null> {
    const { group, version } = ISTIO
    const served = await servedVersions(this.#options.connection, group, signal)
    if (served === null || served.includes(version)) return null
    return `istio: this cluster serves ${group} ${served.join(', ')}, and hitless is asked about ${version}, which Istio has since 1.22`
  }

  /** Does to the configuration what is due. True where nothing is yet to come. */
  async #keep(read: ReadConfiguration, signal: AbortSignal): Promise<boolean> {
    if (this.#isLeaving) return this.#lower(read, signal)
    if (read.isHandsOff) return true
    if (!(await this.#isOwned(read, signal))) return false
    const aside = await this.#setAside(read, signal)
    if (aside === null) return false
    return this.#raise(
      read,
      read.lenient.filter((name) => !aside.includes(name)),
      signal
    )
  }

  /** Without it the namespace could be deleted, and a configuration that fails writes would stay behind. False where it was just said, or could not be. */
  async #isOwned({ owners, version }: ReadConfiguration, signal: AbortSignal): Promise<boolean> {
    const { connection, configuration, namespace } = this.#options
    if (!this.#mayOwn) return true
    this.#owner ??= await namespaceOwner(connection, namespace, signal)
    if (this.#owner === null || owners.includes(this.#owner.uid)) return true
    try {
      await configuration.ownedBy(this.#owner, version, signal)
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 403) throw error
      // OwnerReferencesPermissionEnforcement lets only those name an owner who may delete the configuration.
      this.#mayOwn = false
      this.#say(`the webhook configuration would outlive its namespace: ${error.message}`)
    }
    return false
  }

  /** Nobody will answer soon: writes must not wait for that. */
  async #lower({ version, isHandsOff }: ReadConfiguration, signal: AbortSignal): Promise<boolean> {
    if (isHandsOff || !(await this.#options.configuration.lower(version, signal))) return false
    this.#say('the namespace of this release is being deleted: its webhooks are Ignore from now on')
    return true
  }

  /** The webhooks that somebody made `Ignore` by hand and that stay so for now; null where the time until when was just written. */
  async #setAside({ byHand, ignoreUntilMs, version }: ReadConfiguration, signal: AbortSignal): Promise<readonly string[] | null> {
    const { configuration, metrics, nowMs, log } = this.#options
    const now = nowMs()
    if (byHand.names.length === 0) {
      metrics.certificates.ignoredUntil(null)
      return []
    }
    // A time before the write is of another occasion.
    if (ignoreUntilMs === null || ignoreUntilMs < byHand.sinceMs || ignoreUntilMs > now + BY_HAND_MS.most) {
      const until = new Date(now + (ignoreUntilMs !== null && ignoreUntilMs > now ? BY_HAND_MS.most : BY_HAND_MS.unless)).toISOString()
      if (await configuration.ignoreUntil(until, version, signal))
        log.warn(
          { webhooks: byHand.names, until },
          `somebody made these webhooks Ignore: they stay so until then, or until ${IGNORE_UNTIL} says`
        )
      return null
    }
    const isOver = ignoreUntilMs <= now
    metrics.certificates.ignoredUntil(isOver ? null : ignoreUntilMs)
    return isOver ? [] : byHand.names
  }

  /** True where these webhooks have their failure policy. Nothing fails closed before a refusal was seen to arrive. */
  async #raise({ holds, version }: ReadConfiguration, lenient: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { connection, configuration, isFresh, log } = this.#options
    if (lenient.length === 0 && !holds) return true
    if (this.problem !== null || !isFresh()) return false
    const reason = lenient.length === 0 ? null : await prove(connection, PROBE_LABEL, signal)
    if (reason !== null) {
      this.#say(`webhooks stay at Ignore, since refusals do not arrive: ${reason}`)
      return false
    }
    const raised = await configuration.raise(lenient, version, signal)
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

async function namespaceOwner(connection: Connection, name: string, signal: AbortSignal): Promise<Owner | null> {
  const found = await connection.find(`/api/v1/namespaces/${name}`, signal)
  const uid = found === null ? undefined : new Fields(found).child('metadata')?.string('uid')
  return uid === undefined ? null : { apiVersion: 'v1', kind: 'Namespace', name, uid }
}

async function problemOf(bundles: readonly string[], ask: (bundle: string) => Promise<string | null>): Promise<string | null> {
  for (const bundle of new Set(bundles)) {
    const problem = bundle.trim() === '' ? 'the webhook configuration names no authority to trust yet' : await ask(bundle)
    if (problem !== null) return `certificate: ${problem}`
  }
  return null
}
