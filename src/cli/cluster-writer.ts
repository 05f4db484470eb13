/**
 * Writes to a cluster one by one, as whoever runs a command: each judged on what is there by the webhook's own reviewer, held until the proxies have what it
 * leans on, and then made.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createReviewer } from '../admission/judge.ts'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import type { ClusterEvent } from '../cluster/observe.ts'
import { defaultConfig } from '../config.ts'
import { isRecord } from '../kinds/fields.ts'
import { isWorkload, type ObjectRef, parseAs } from '../kinds/index.ts'
import { ApiError } from '../kubernetes/connection.ts'
import { Objects, type Stored } from '../kubernetes/objects.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import type { Io } from '../output/io.ts'
import { line } from '../output/text.ts'
import type { Author, Change } from '../review/change.ts'
import type { Decision, Reviewer } from '../review/decision.ts'
import { DEFAULT_POLICY, type Policy } from '../review/policy.ts'
import { RULE_IDS } from '../rules/index.ts'
import { type Settle, settleOf } from '../webhook/settle.ts'
import { followed, type SourceFlags, sourceOf } from './cluster-source.ts'

export interface WriterFlags extends SourceFlags {
  /** For how long each wait may last, in seconds: until Pods are Ready, until proxies have a change. */
  readonly timeout: number
  /** In Istio's root namespace: as whom istiod is asked. */
  readonly istiodAccount: string
}

export interface WantedWrite {
  readonly operation: 'apply' | 'delete'
  readonly ref: ObjectRef
  /** What to apply, or what is deleted: it names the version of its API. */
  readonly manifest: Stored
}

export interface Written {
  readonly change: Change
  /** Where it is a denial nothing was written. */
  readonly decision: Decision
  readonly heldMs: number
  /** null where it was deleted, or not written. */
  readonly stored: Stored | null
}

export interface WriteOptions {
  readonly author?: Author
  /** Judged and asked about, and not made. */
  readonly dryRun?: boolean
  /** Told what is stored before each attempt; what it throws ends the write. */
  readonly expect?: (live: Stored | null) => void
}

const POLICY: Policy = { ...DEFAULT_POLICY, showForeignNames: true, whenStale: 'deny' }
const SELF: Author = { username: 'hitless', groups: [], manager: 'hitless' }
const POLL_MS = 250
/** A status that changes under a write makes it fail; a controller that starts Pods writes a few. */
const MOST_ATTEMPTS = 20

/** Follows the cluster while `use` runs, so that each write is judged on what is there then. Rejects with HITLESS_UNREACHABLE where it cannot be read. */
export function writingTo<T>(flags: WriterFlags, io: Io, use: (writer: ClusterWriter, cluster: LiveCluster) => Promise<T>): Promise<T> {
  const { settle: defaults } = defaultConfig(RULE_IDS)
  const settings = { settle: { ...defaults, mode: 'exact' as const, serviceAccount: flags.istiodAccount } }
  let isTold = false
  const onAsked = (problem: unknown) => {
    if (problem === null || isTold) return
    isTold = true
    const reason = problem instanceof Error ? problem.message : String(problem)
    const seconds = defaults.milliseconds / 1000
    io.err(line([`istiod cannot be asked (${reason}): what a write leans on is given ${seconds} s to reach the proxies`], false))
  }
  const ended = new AbortController()
  const settle = settleOf(() => settings, onAsked, { ...io, signal: ended.signal })
  const observe = (event: ClusterEvent) => {
    if (event.type !== 'changed') return
    settle.heard(event.before, event.after)
    settle.recent.note(event.before, event.after)
  }
  const follow = async (cluster: LiveCluster) => {
    settle.follow(cluster)
    return use(new ClusterWriter(cluster, settle, flags.timeout * 1000, io), cluster)
  }
  return followed(sourceOf(flags, io.env), io, follow, observe).finally(() => ended.abort())
}

export class ClusterWriter {
  readonly objects: Objects
  readonly #timeoutMs: number
  readonly #io: Pick<Io, 'nowMs' | 'signal'>
  readonly #review: Reviewer
  #heldMs = 0

  constructor(cluster: LiveCluster, settle: Settle, timeoutMs: number, io: Pick<Io, 'nowMs' | 'signal'>) {
    this.objects = new Objects(cluster.connection)
    this.#timeoutMs = timeoutMs
    this.#io = io
    this.#review = createReviewer({
      state: cluster,
      policy: () => POLICY,
      nowMs: io.nowMs,
      settle,
      onTimeout: () => 'deny',
      onNews: (shown, found) => settle.recent.note(shown, found),
      onHeld: (heldMs) => {
        this.#heldMs += heldMs
      }
    })
  }

  read({ ref, manifest }: Pick<WantedWrite, 'ref' | 'manifest'>): Promise<Stored | null> {
    return this.objects.read(ref, String(manifest['apiVersion']), this.#io.signal)
  }

  /** Asks the API server, and through it every webhook and RBAC, about a write that is not made. Gives what would be stored. Rejects with `ApiError`. */
  async rehearse(write: WantedWrite, live: Stored | null): Promise<Stored | null> {
    return this.#send(write, live, true)
  }

  /** Makes a write where it is admitted; null where there is nothing to delete. Rejects with `ApiError` where the API server refuses. */
  async write(write: WantedWrite, options: WriteOptions = {}): Promise<Written | null> {
    this.#heldMs = 0
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(write, options)
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409 || attempt === MOST_ATTEMPTS) throw error
        await sleep(POLL_MS, undefined, { signal: this.#io.signal })
      }
    }
  }

  async #attempt(write: WantedWrite, { author = SELF, dryRun = false, expect }: WriteOptions): Promise<Written | null> {
    const { ref, operation } = write
    const { signal, nowMs } = this.#io
    const live = await this.read(write)
    if (operation === 'delete' && live === null) return null
    expect?.(live)
    const rehearsed = await this.#send(write, live, true)
    const parsed = (raw: Stored | null) => (raw === null ? null : parseAs(ref.kind, raw, DEFAULT_DOMAIN))
    const [before, after] = [parsed(live), parsed(rehearsed)]
    const change: Change = {
      operation: before === null ? 'CREATE' : after === null ? 'DELETE' : 'UPDATE',
      ref,
      before,
      after,
      dryRun,
      author
    }
    const untilMs = nowMs() + this.#timeoutMs
    const decision = await this.#review(change, signal, { isBelieved: true, remainingMs: () => untilMs - nowMs(), held: () => undefined })
    const isMade = decision.verdict !== 'deny' && !dryRun
    const stored = isMade ? await this.#send(write, live, false) : null
    return { change, decision, heldMs: this.#heldMs, stored }
  }

  async #send({ operation, ref, manifest }: WantedWrite, live: Stored | null, dryRun: boolean): Promise<Stored | null> {
    const { signal } = this.#io
    if (operation === 'apply') {
      return live === null
        ? this.objects.create(ref, manifest, { dryRun }, signal)
        : this.objects.replace(ref, manifest, live, { dryRun }, signal)
    }
    if (live !== null) await this.objects.delete(ref, live, { dryRun }, signal)
    return null
  }

  /** Resolves with how long it took, or with why it is given up; `tell` is told how many Pods are Ready whenever that changes. */
  async untilReady(
    workload: Pick<WantedWrite, 'ref' | 'manifest'>,
    tell: (text: string) => void
  ): Promise<{ ms: number; failure: string | null }> {
    const { nowMs, signal } = this.#io
    const sinceMs = nowMs()
    let told = ''
    for (;;) {
      const { ready, text, failure } = readiness(await this.read(workload), workload.ref)
      const ms = nowMs() - sinceMs
      const late = ms > this.#timeoutMs ? `${text} after ${(ms / 1000).toFixed(1)} s` : null
      if (ready || failure !== null || late !== null) return { ms, failure: ready ? null : (failure ?? late) }
      if (text !== told) tell(text)
      told = text
      await sleep(POLL_MS, undefined, { signal })
    }
  }
}

/** As `kubectl rollout status` sees it: all Pods are of the template that was written, and Ready. */
function readiness(live: Stored | null, { kind }: ObjectRef): { ready: boolean; text: string; failure: string | null } {
  const object = live === null ? null : parseAs(kind, live, DEFAULT_DOMAIN)
  if (live === null || object === null || !isWorkload(object)) return { ready: false, text: 'gone', failure: 'it is gone' }
  const status = recordIn(live, 'status')
  const { generation } = recordIn(live, 'metadata')
  const isSeen = status['observedGeneration'] === undefined || Number(status['observedGeneration']) >= Number(generation ?? 0)
  const updated = Number(status['updatedReplicas'] ?? status['updatedNumberScheduled'] ?? object.replicas)
  const ready = isSeen && object.status !== null ? Math.min(object.status.readyReplicas, updated) : 0
  const conditions = Array.isArray(status['conditions']) ? status['conditions'].filter(isRecord) : []
  const given = conditions.find(({ reason }) => reason === 'ProgressDeadlineExceeded')
  return {
    ready: isSeen && ready >= object.replicas,
    text: `${ready} of ${object.replicas} Pods Ready`,
    failure: isSeen && given !== undefined ? String(given['message'] ?? 'it makes no progress') : null
  }
}

function recordIn(object: Stored, field: string): Stored {
  const value = object[field]
  return isRecord(value) ? value : {}
}
