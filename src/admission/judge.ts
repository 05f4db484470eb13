/** The reviewer: judges a change on the cache, reads what its decision rests on, and judges again (design, section 3). */

import { setTimeout as timeout } from 'node:timers/promises'
import { HitlessError } from '../errors.ts'
import { formatRef, type Kind, type MeshObject, type ObjectRef, refKey } from '../kinds/index.ts'
import type { Pod } from '../kinds/pod.ts'
import { selects } from '../mesh/names/labels.ts'
import { TooMuchWork } from '../mesh/snapshot/metered.ts'
import { type Difference, overlay, podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { ListQuery, State, Write } from '../mesh/snapshot/state.ts'
import { podsLeaving, sameTemplate } from '../mesh/snapshot/workloads.ts'
import { alwaysAdmitted, isNoOp } from '../review/always-admitted.ts'
import type { Author, Change } from '../review/change.ts'
import { ADMITTED, judge as judgeChange } from '../review/decide.ts'
import type { Decision, Reviewer } from '../review/decision.ts'
import { type Doubts, doubtsOf } from '../review/doubts.ts'
import { warningText } from '../review/message.ts'
import type { Policy } from '../review/policy.ts'

/** A write that was admitted can take this long to be stored: the API server's own limit for a request is a minute, other webhooks' 30 s. */
const PENDING_MS = 30_000
/** A creation is stored within a few milliseconds of its last webhook's answer. */
const STORING_MS = 100
/** A look can raise a new doubt: a listed VirtualService has destinations, whose Pods may be gone. More than that means a moving target. */
const MOST_ROUNDS = 5
const UNREAD = 'fresh facts could not be read'

export interface ReviewerOptions {
  readonly state: State
  readonly policy: () => Policy
  readonly nowMs: () => number
  /** Resolves after so many milliseconds, or when the signal ends. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
  /** Whether an author may let objects of a namespace past a rule. Absent where there is nobody to ask: then everybody may. */
  readonly mayExempt?: (author: Author, namespace: string, rule: string, signal: AbortSignal) => Promise<boolean>
  /** Told of what a read found that the watch has not shown yet. */
  readonly onNews?: (cached: MeshObject | null, stored: MeshObject | null) => void
  /** Told of the reads that a review made, for metrics. */
  readonly onReads?: (change: Change, reads: number, lists: number, changedVerdict: boolean) => void
}

/** Rejects where no judgement could be made and the policy asks for an error then; with HITLESS_TOO_COMPLEX where one would take too long. */
export function createReviewer(options: ReviewerOptions): Reviewer {
  const reviewer = freshReviewer(options)
  return async (change, signal, asker) => {
    try {
      return await reviewer(change, signal, asker)
    } catch (cause) {
      if (!(cause instanceof TooMuchWork)) throw cause
      throw new HitlessError('HITLESS_TOO_COMPLEX', `${formatRef(change.ref)} takes ${cause.message} to judge: make several of it`, {
        cause
      })
    }
  }
}

function freshReviewer(options: ReviewerOptions): Reviewer {
  const { state, policy, nowMs, onReads, sleep = systemSleep } = options
  const own = new OwnWrites(nowMs)
  return async (asking, signal, asker) => {
    const stale = staleness(state, policy())
    if (stale !== null && needsJudgement(asking, state, policy())) return admitUnjudged(policy(), asking, stale)
    const change = await withStoredTemplate(asking, state, signal).catch((cause: unknown) => new Error(UNREAD, { cause }))
    if (change instanceof Error) return admitUnjudged(policy(), asking, change)
    const facts = new Map<string, Fact>()
    const access = new Access(options, change)
    const known = () => overlay(state.snapshot(), own.known(facts))
    const judge = () => judgeChange(change, known(), policy(), nowMs(), access.mayExempt)
    let judged = judge()
    const first = judged.decision.verdict
    const asked = { reads: change === asking ? 0 : 1, lists: 0 }
    const read = new Set<string>()
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const doubts = unread(doubtsOf(judged), read)
      if (doubts.reads.length + doubts.lists.length > 0) {
        asked.reads += doubts.reads.length
        asked.lists += doubts.lists.length
        const found = await gatherStored(state, own, doubts, signal, sleep).catch((cause: unknown) => new Error(UNREAD, { cause }))
        if (found instanceof Error) return admitUnjudged(policy(), change, found)
        for (const fact of found) {
          facts.set(refKey(fact.ref), fact)
          tellNews(fact, state.snapshot(), options)
        }
      } else if (!(await access.ask(judged.decision.claims, signal))) break
      judged = judge()
    }
    const { decision } = judged
    if (asked.reads + asked.lists > 0) onReads?.(change, asked.reads, asked.lists, first !== decision.verdict)
    if (decision.verdict !== 'deny' && !change.dryRun && asker?.isBelieved !== false) {
      own.note(change, state.snapshot())
      state.admitted(change)
    }
    return decision
  }
}

/** Who may exempt from what, asked only of rules whose denial an annotation claims to be let past. */
class Access {
  readonly #options: ReviewerOptions
  readonly #change: Change
  readonly #answers = new Map<string, boolean>()

  constructor(options: ReviewerOptions, change: Change) {
    this.#options = options
    this.#change = change
  }

  readonly mayExempt = (rule: string): boolean => !this.#isChecked() || this.#answers.get(rule) === true

  /** False where there was nothing new to ask. Who cannot be asked about is not allowed. */
  async ask(rules: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { mayExempt } = this.#options
    const fresh = rules.filter((rule) => !this.#answers.has(rule))
    if (mayExempt === undefined || fresh.length === 0) return false
    const { author, ref } = this.#change
    const asked = fresh.map(async (rule) => {
      this.#answers.set(rule, await mayExempt(author, ref.namespace, rule, signal).catch(() => false))
    })
    await Promise.all(asked)
    return true
  }

  #isChecked(): boolean {
    return this.#options.mayExempt !== undefined && this.#options.policy().exemptionsNeedAccess
  }
}

const systemSleep = (ms: number, signal: AbortSignal): Promise<void> => timeout(ms, undefined, { signal })

interface OwnWrite extends Write {
  /** Names of the Pods that go with a Deployment. */
  readonly leaving: ReadonlySet<string>
  readonly atMs: number
  readonly mark: number
}

/** This replica's admitted writes that a read may not show yet. */
class OwnWrites {
  readonly #writes = new Map<string, OwnWrite>()
  readonly #nowMs: () => number
  #mark = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  mark(): number {
    return this.#mark
  }

  /** `snapshot` is that of the moment, without the write. */
  note({ ref, before, after }: Change, snapshot: Snapshot): void {
    const key = refKey(ref)
    const leaving = new Set(podsLeaving({ ref, after }, snapshot).map(({ name }) => name))
    this.#writes.delete(key)
    this.#writes.set(key, { ref, before, after, leaving, atMs: this.#nowMs(), mark: ++this.#mark })
    for (const [oldest, { atMs }] of this.#writes) {
      if (this.#nowMs() - atMs < PENDING_MS) break
      this.#writes.delete(oldest)
    }
  }

  /** What facts say of the cluster, but for objects whose admitted write they do not show yet: such a write counts until it is stored or given up. */
  known(facts: ReadonlyMap<string, Fact>): Difference {
    const removed: ObjectRef[] = []
    const added: MeshObject[] = []
    for (const [key, { ref, object, mark }] of facts) {
      if (object?.kind === 'Pod' && this.#isTakenAway(object, mark)) continue
      const write = this.#writes.get(key)
      if (write !== undefined && (write.mark > mark || (!isUnseenCreation(write, object) && this.#isPending(write, object)))) continue
      if (object === null) removed.push(ref)
      else added.push(object)
    }
    return { removed, added }
  }

  /** An object whose creation was admitted just now is not there: not yet, or no more. */
  mayBeStoring(facts: readonly Fact[]): boolean {
    return facts.some(({ ref, object }) => {
      const write = this.#writes.get(refKey(ref))
      return write !== undefined && isUnseenCreation(write, object) && this.#nowMs() - write.atMs < STORING_MS
    })
  }

  /** A Pod was read before its Deployment's write was admitted, or is one of those that the write takes away, and still to be seen for a moment. */
  #isTakenAway(pod: Pod, mark: number): boolean {
    const write = this.#writes.get(refKey({ kind: 'Deployment', namespace: pod.namespace, name: pod.deployment }))
    return pod.deployment !== '' && write !== undefined && (write.mark > mark || write.leaving.has(pod.name))
  }

  #isPending({ before, atMs }: OwnWrite, object: MeshObject | null): boolean {
    return this.#nowMs() - atMs < PENDING_MS && (before?.resourceVersion ?? '') === (object?.resourceVersion ?? '')
  }
}

/** Nothing before and nothing now: of a creation, only time tells whether it is still to be stored or was deleted since. */
function isUnseenCreation({ before }: Write, object: MeshObject | null): boolean {
  return before === null && object === null
}

/** What the API server held under a name; null for nothing. */
interface Fact {
  readonly ref: ObjectRef
  readonly object: MeshObject | null
  /** This replica's last admitted write before it was asked. */
  readonly mark: number
}

function tellNews({ ref, object }: Fact, snapshot: Snapshot, { onNews }: ReviewerOptions): void {
  const cached = snapshot.find(ref.kind, ref.namespace, ref.name) ?? null
  if (cached?.resourceVersion !== object?.resourceVersion) onNews?.(cached, object)
}

/** A Scale tells no labels, and the cached Deployment, by which they are known, may be an old one: a scale to 0 is judged by the stored one. */
async function withStoredTemplate(change: Change, state: State, signal: AbortSignal): Promise<Change> {
  const { ref, before, after } = change
  if (before?.kind !== 'Deployment' || after?.kind !== 'Deployment') return change
  if (before.replicas === 0 || after.replicas > 0 || !sameTemplate(before, after)) return change
  const stored = await state.facts.read({ ...ref, kind: 'Deployment' }, signal)
  if (stored === null) return change
  return { ...change, before: { ...stored, replicas: before.replicas }, after: { ...stored, replicas: 0 } }
}

/** Reads again where a creation admitted just now may have been on its way. */
async function gatherStored(
  state: State,
  own: OwnWrites,
  doubts: Doubts,
  signal: AbortSignal,
  sleep: NonNullable<ReviewerOptions['sleep']>
): Promise<Fact[]> {
  const facts = await gather(state, doubts, own.mark(), signal)
  if (!own.mayBeStoring(facts)) return facts
  await sleep(STORING_MS, signal)
  return gather(state, doubts, own.mark(), signal)
}

async function gather(state: State, { reads, lists }: Doubts, mark: number, signal: AbortSignal): Promise<Fact[]> {
  const [objects, found] = await Promise.all([
    Promise.all(reads.map(async (ref) => ({ ref, object: await state.facts.read(ref, signal), mark }))),
    Promise.all(lists.map(async (query) => listFacts(query, await state.facts.list(query, signal), state.snapshot(), mark)))
  ])
  return [...objects, ...found.flat()]
}

/** A list says what is there and, of what the cache shows, what is not. */
function listFacts(query: ListQuery, objects: readonly MeshObject[], snapshot: Snapshot, mark: number): Fact[] {
  const listed = new Set(objects.map(refKey))
  const gone = [...cached(query, snapshot)].filter((object) => !listed.has(refKey(object)))
  const changed = objects.filter(
    (object) => snapshot.find(object.kind, object.namespace, object.name)?.resourceVersion !== object.resourceVersion
  )
  return [...changed.map((object) => ({ ref: object, object, mark })), ...gone.map((ref) => ({ ref, object: null, mark }))]
}

function cached({ kind, namespace, selector }: ListQuery, snapshot: Snapshot): MeshObject[] {
  if (kind === 'Pod' && namespace !== null && selector !== null) return podsSelected(snapshot, namespace, selector)
  return [...snapshot.all<Kind>(kind)].filter(
    (object) => (namespace === null || object.namespace === namespace) && (selector === null || selects(selector, object.labels))
  )
}

function unread({ reads, lists }: Doubts, read: Set<string>): Doubts {
  const isNew = (key: string) => !read.has(key) && read.add(key) !== undefined
  return { reads: reads.filter((ref) => isNew(refKey(ref))), lists: lists.filter((list) => isNew(JSON.stringify(list))) }
}

/** What is admitted whatever is known of the cluster is admitted where little is known: namespaces go on being deleted. */
function needsJudgement(change: Change, state: State, policy: Policy): boolean {
  return !isNoOp(change) && alwaysAdmitted(change, state.snapshot(), policy) === null
}

function staleness(state: State, { whenStale }: Policy): Error | null {
  const { fresh, reasons } = state.health()
  return fresh ? null : new Error(`the state of the cluster is not known (${reasons.join('; ')}); whenStale: ${whenStale}`)
}

/** The answer where nothing could be judged: never as if objects did not exist. */
function admitUnjudged({ whenStale }: Policy, change: Change, reason: Error): Decision {
  if (whenStale === 'error') throw reason
  const text = `${change.ref.kind} ${change.ref.name} was not judged: ${reason.message}`
  const audit = { stale: reason.message }
  if (whenStale === 'deny')
    return { ...ADMITTED, verdict: 'deny', outcome: 'unjudged', message: `hitless: ${text}. Try again.`, auditAnnotations: audit }
  return { ...ADMITTED, verdict: 'warn', outcome: 'unjudged', warnings: [warningText(text)], auditAnnotations: audit }
}
