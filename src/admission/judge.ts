/** The reviewer: judges a change on the cache, reads what its decision rests on, and judges again (design, section 3). */

import { setTimeout as sleep } from 'node:timers/promises'
import { selects } from '../mesh/labels.ts'
import type { Kind, MeshObject, ObjectRef } from '../mesh/objects.ts'
import { type Difference, overlay, podsSelected, refKey, type Snapshot } from '../mesh/snapshot.ts'
import type { ListQuery, State, Write } from '../mesh/state.ts'
import { alwaysAdmitted, isNoOp } from '../review/admitted.ts'
import type { Change } from '../review/change.ts'
import { ADMITTED, decide, sameTemplate } from '../review/decide.ts'
import type { Decision, Reviewer } from '../review/decision.ts'
import { type Doubts, doubtsOf } from '../review/doubts.ts'
import { warningText } from '../review/message.ts'
import type { Policy } from '../review/policy.ts'

/** A write that was admitted can take this long to be stored: the API server's own limit for a request is a minute, other webhooks' 30 s. */
const PENDING_MS = 30_000
/** A creation is stored within a few milliseconds of its last webhook's answer. */
const STORING_MS = 100
/** A look can raise a new doubt: a listed VirtualService has destinations, whose Pods may be gone. More than that means a moving target. */
const MOST_ROUNDS = 4
const UNREAD = 'fresh facts could not be read'

export interface ReviewerOptions {
  readonly state: State
  readonly policy: () => Policy
  readonly nowMs: () => number
  /** Told of the reads that a review made, for metrics. */
  readonly onReads?: (change: Change, reads: number, lists: number, changedVerdict: boolean) => void
}

/** Rejects where no judgement could be made and the policy asks for an error then. */
export function createReviewer({ state, policy, nowMs, onReads }: ReviewerOptions): Reviewer {
  const own = new OwnWrites(nowMs)
  return async (asking, signal) => {
    const stale = staleness(state, policy())
    if (stale !== null && needsJudgement(asking, state, policy())) return admitUnjudged(policy(), asking, stale)
    const change = await withStoredTemplate(asking, state, signal).catch((cause: unknown) => new Error(UNREAD, { cause }))
    if (change instanceof Error) return admitUnjudged(policy(), asking, change)
    let known: Difference = {}
    let decision = decide(change, state.snapshot(), policy(), nowMs())
    const first = decision.verdict
    const asked = { reads: change === asking ? 0 : 1, lists: 0 }
    const read = new Set<string>()
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const doubts = unread(doubtsOf(change, decision, overlay(state.snapshot(), known)), read)
      if (doubts.reads.length + doubts.lists.length === 0) break
      asked.reads += doubts.reads.length
      asked.lists += doubts.lists.length
      const started = own.mark()
      const facts = await gatherStored(state, own, doubts, signal).catch((cause: unknown) => new Error(UNREAD, { cause }))
      if (facts instanceof Error) return admitUnjudged(policy(), change, facts)
      known = join(known, own.withoutPending(facts, started))
      decision = decide(change, overlay(state.snapshot(), known), policy(), nowMs())
    }
    if (asked.reads + asked.lists > 0) onReads?.(change, asked.reads, asked.lists, first !== decision.verdict)
    if (decision.verdict !== 'deny' && !change.dryRun) {
      own.note(change)
      state.admitted(change)
    }
    return decision
  }
}

/** This replica's admitted writes that a read may not show yet. */
class OwnWrites {
  readonly #writes = new Map<string, Write & { readonly atMs: number; readonly mark: number }>()
  readonly #nowMs: () => number
  #mark = 0

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  mark(): number {
    return this.#mark
  }

  note({ ref, before, after }: Change): void {
    const key = refKey(ref)
    this.#writes.delete(key)
    this.#writes.set(key, { ref, before, after, atMs: this.#nowMs(), mark: ++this.#mark })
    for (const [oldest, { atMs }] of this.#writes) {
      if (this.#nowMs() - atMs < PENDING_MS) break
      this.#writes.delete(oldest)
    }
  }

  /** Facts without those about objects whose admitted write they do not show yet: such a write counts until it is stored or given up. */
  withoutPending(facts: readonly Fact[], started: number): Difference {
    const removed: ObjectRef[] = []
    const added: MeshObject[] = []
    for (const { ref, object } of facts) {
      const write = this.#writes.get(refKey(ref))
      if (write !== undefined && (write.mark > started || (!isUnseenCreation(write, object) && this.#isPending(write, object)))) continue
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

  #isPending({ before, atMs }: Write & { readonly atMs: number }, object: MeshObject | null): boolean {
    return this.#nowMs() - atMs < PENDING_MS && (before?.resourceVersion ?? '') === (object?.resourceVersion ?? '')
  }
}

/** Nothing before and nothing now: of a creation, only time tells whether it is still to be stored or was deleted since. */
function isUnseenCreation({ before }: Write, object: MeshObject | null): boolean {
  return before === null && object === null
}

/** What the API server holds under a name now; null for nothing. */
interface Fact {
  readonly ref: ObjectRef
  readonly object: MeshObject | null
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
async function gatherStored(state: State, own: OwnWrites, doubts: Doubts, signal: AbortSignal): Promise<Fact[]> {
  const facts = await gather(state, doubts, signal)
  if (!own.mayBeStoring(facts)) return facts
  await sleep(STORING_MS, undefined, { signal })
  return gather(state, doubts, signal)
}

async function gather(state: State, { reads, lists }: Doubts, signal: AbortSignal): Promise<Fact[]> {
  const [objects, found] = await Promise.all([
    Promise.all(reads.map(async (ref) => ({ ref, object: await state.facts.read(ref, signal) }))),
    Promise.all(lists.map(async (query) => listFacts(query, await state.facts.list(query, signal), state.snapshot())))
  ])
  return [...objects, ...found.flat()]
}

/** A list says what is there and, of what the cache shows, what is not. */
function listFacts(query: ListQuery, objects: readonly MeshObject[], snapshot: Snapshot): Fact[] {
  const listed = new Set(objects.map(refKey))
  const gone = [...cached(query, snapshot)].filter((object) => !listed.has(refKey(object)))
  const changed = objects.filter(
    (object) => snapshot.find(object.kind, object.namespace, object.name)?.resourceVersion !== object.resourceVersion
  )
  return [...changed.map((object) => ({ ref: object, object })), ...gone.map((ref) => ({ ref, object: null }))]
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

/** Later facts take the place of earlier ones about the same object. */
function join(earlier: Difference, later: Difference): Difference {
  const told = new Set([...(later.removed ?? []), ...(later.added ?? [])].map(refKey))
  const kept = <T extends ObjectRef>(refs: readonly T[] = []) => refs.filter((ref) => !told.has(refKey(ref)))
  return { removed: [...kept(earlier.removed), ...(later.removed ?? [])], added: [...kept(earlier.added), ...(later.added ?? [])] }
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
  if (whenStale === 'deny') return { ...ADMITTED, verdict: 'deny', message: `hitless: ${text}. Try again.`, auditAnnotations: audit }
  return { ...ADMITTED, verdict: 'warn', warnings: [warningText(text)], auditAnnotations: audit }
}
