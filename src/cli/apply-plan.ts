/** `hitless plan --apply`: the writes of a plan made one by one, as whoever runs it, each judged on what is there and held until the proxies have what it leans on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { createReviewer } from '../admission/judge.ts'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import { isRecord } from '../kinds/fields.ts'
import { formatRef, isWorkload, type ObjectRef, parseAs, refKey } from '../kinds/index.ts'
import { ApiError } from '../kubernetes/connection.ts'
import { Objects, type Stored } from '../kubernetes/objects.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import { EXIT, type Io } from '../output/io.ts'
import { line } from '../output/text.ts'
import type { Change } from '../review/change.ts'
import type { Reviewer } from '../review/decision.ts'
import { DEFAULT_POLICY, type Policy } from '../review/policy.ts'
import type { PlannedWrite, Sequence } from '../sandbox/planner.ts'
import type { Settle } from '../webhook/settle.ts'
import { wanted } from './plan-states.ts'
import { lineOf } from './plan-text.ts'

export interface ApplyOptions {
  /** The API server is asked about every write, and none is made. */
  readonly dryRun: boolean
  /** For how long each wait may last: until Pods are Ready, until proxies have a change. */
  readonly timeoutMs: number
}

export interface AppliedTo {
  readonly cluster: LiveCluster
  readonly settle: Settle
  /** The objects of the plan as they were when it was made, by their keys. */
  readonly stored: ReadonlyMap<string, Stored>
}

const POLICY: Policy = { ...DEFAULT_POLICY, showForeignNames: true, whenStale: 'deny' }
const POLL_MS = 250
/** A status that changes under a write makes it fail; a controller that starts Pods writes a few. */
const MOST_ATTEMPTS = 20
const AGAIN = 'Run this again: it plans anew from what is there.'

/** What the plan did not foresee: nothing is written after it. */
class Surprise extends Error {
  override readonly name = 'Surprise'
  readonly remedy: string

  constructor(message: string, remedy = AGAIN) {
    super(message)
    this.remedy = remedy
  }
}

/** Gives 0 where all was written, or would be; 1 where it stopped. Tells of each write as it is made. */
export async function applyPlan(sequence: Sequence, to: AppliedTo, options: ApplyOptions, io: Io): Promise<number> {
  const run = new Run(to, options, io)
  const writes = sequence.steps.flatMap(({ writes }) => writes)
  if (writes.length === 0) return EXIT.ok
  let made = 0
  try {
    for (const write of writes) await run.rehearse(write, sequence)
    io.out(line([`The API server would accept ${counted(writes.length)}${options.dryRun ? '; none was made.' : '.'}`], false))
    if (options.dryRun) return EXIT.ok
    for (const step of sequence.steps) {
      for (const write of step.writes) {
        io.out(line([`[${made + 1}/${writes.length}] ${lineOf(write)}`, await run.make(write)], false))
        made += 1
      }
      for (const workload of step.waitFor) await run.untilReady(workload)
    }
    io.out(line([`Done: ${counted(writes.length)}.`], false))
    return EXIT.ok
  } catch (error) {
    const surprise = asSurprise(error, io)
    io.err(line([`stopped after ${made} of ${counted(writes.length)}: ${surprise.message} ${surprise.remedy}`], false))
    return EXIT.denied
  }
}

class Run {
  readonly #objects: Objects
  readonly #stored: Map<string, Stored>
  readonly #options: ApplyOptions
  readonly #io: Io
  readonly #review: Reviewer
  #heldMs = 0

  constructor({ cluster, settle, stored }: AppliedTo, options: ApplyOptions, io: Io) {
    this.#objects = new Objects(cluster.connection)
    this.#stored = new Map(stored)
    this.#options = options
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

  /** Asks the API server, and through it every webhook and RBAC, about a write that is not made. */
  async rehearse(write: PlannedWrite, { steps }: Sequence): Promise<void> {
    const isIn = (other: PlannedWrite) =>
      other.operation === 'apply' && other.ref.kind === 'Namespace' && other.ref.name === write.ref.namespace
    // Nothing can be asked about what is to stand in a namespace that is yet to come.
    if (steps.some(({ writes }) => writes.some(isIn)) && !this.#stored.has(refKey(write.ref))) return
    await this.#send(write, this.#stored.get(refKey(write.ref)) ?? null, true)
  }

  /** Gives what there is to say of it. */
  async make(write: PlannedWrite): Promise<string> {
    this.#heldMs = 0
    for (let attempt = 1; ; attempt++) {
      try {
        const said = await this.#attempt(write)
        return this.#heldMs === 0 ? said : `${said}, held ${seconds(this.#heldMs)} until the proxies had what it leans on`
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409 || attempt === MOST_ATTEMPTS) throw error
        await sleep(POLL_MS, undefined, { signal: this.#io.signal })
      }
    }
  }

  async #attempt(write: PlannedWrite): Promise<string> {
    const { ref, operation, manifest } = write
    const { signal, nowMs } = this.#io
    const live = await this.#objects.read(ref, String(manifest['apiVersion']), signal)
    if (operation === 'delete' && live === null) return ': gone already'
    this.#expect(ref, live)
    const rehearsed = await this.#send(write, live, true)
    const parsed = (raw: Stored | null) => (raw === null ? null : parseAs(ref.kind, raw, DEFAULT_DOMAIN))
    const [before, after] = [parsed(live), operation === 'delete' ? null : parsed(rehearsed)]
    const change: Change = {
      operation: before === null ? 'CREATE' : after === null ? 'DELETE' : 'UPDATE',
      ref,
      before,
      after,
      dryRun: false,
      author: { username: 'hitless', groups: [], manager: 'hitless' }
    }
    const untilMs = nowMs() + this.#options.timeoutMs
    const { verdict, message } = await this.#review(change, signal, {
      isBelieved: true,
      remainingMs: () => untilMs - nowMs(),
      held: () => undefined
    })
    if (verdict === 'deny') throw new Surprise(message)
    const stored = await this.#send(write, live, false)
    if (operation === 'delete') this.#stored.delete(refKey(ref))
    else this.#stored.set(refKey(ref), stored ?? {})
    return ': written'
  }

  async #send({ operation, ref, manifest }: PlannedWrite, live: Stored | null, dryRun: boolean): Promise<Stored | null> {
    const { signal } = this.#io
    if (operation === 'apply') {
      return live === null
        ? this.#objects.create(ref, manifest, { dryRun }, signal)
        : this.#objects.replace(ref, manifest, live, { dryRun }, signal)
    }
    if (live !== null) await this.#objects.delete(ref, live, { dryRun }, signal)
    return null
  }

  /** Of an object that somebody else has written since, the plan knows nothing. */
  #expect(ref: ObjectRef, live: Stored | null): void {
    const known = this.#stored.get(refKey(ref)) ?? null
    if (isDeepStrictEqual(specOf(live), specOf(known))) return
    throw new Surprise(`somebody else has changed ${formatRef(ref)} since this was planned.`)
  }

  async untilReady(ref: ObjectRef): Promise<void> {
    const { nowMs, out, signal } = this.#io
    const sinceMs = nowMs()
    let told = ''
    for (;;) {
      const live = await this.#objects.read(ref, String(this.#stored.get(refKey(ref))?.['apiVersion']), signal)
      const { ready, text, failure } = readiness(live, ref)
      if (ready) {
        out(line([`      ${formatRef(ref)}: Ready after ${seconds(nowMs() - sinceMs)}`], false))
        return
      }
      const late = nowMs() - sinceMs > this.#options.timeoutMs ? `${text} after ${seconds(nowMs() - sinceMs)}` : null
      if (failure !== null || late !== null) {
        const look = `See kubectl describe ${ref.kind.toLowerCase()} -n ${ref.namespace} ${ref.name}; when its Pods are Ready, run this again.`
        throw new Surprise(`${formatRef(ref)}: ${failure ?? late}.`, look)
      }
      if (text !== told) out(line([`      ${formatRef(ref)}: ${text}`], false))
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

/** What somebody wants of the object; how many Pods is an autoscaler's business. */
function specOf(raw: Stored | null): unknown {
  const { metadata: _m, spec, ...rest } = wanted(raw) ?? {}
  const { replicas: _r, ...own } = isRecord(spec) ? spec : {}
  return { ...rest, own, exists: raw !== null }
}

function recordIn(object: Stored, field: string): Stored {
  const value = object[field]
  return isRecord(value) ? value : {}
}

/** Whatever it is, it ends the run and is told; a defect is thrown on. */
function asSurprise(error: unknown, { signal }: Io): Surprise {
  if (error instanceof Surprise) return error
  if (signal.aborted) return new Surprise('it was asked to.')
  if (error instanceof ApiError)
    return new Surprise(`${error.message.replace(/\.?$/, '.')}`, `Mend that, then run this again: it goes on from what is there.`)
  throw error
}

function counted(writes: number): string {
  return `${writes} ${writes === 1 ? 'write' : 'writes'}`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
