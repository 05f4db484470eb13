/** The shortest safe sequence of writes from one state to another: what may be written together, what must wait, and what is written in stages. */

import type { DestinationRule } from '../kinds/destination-rule.ts'
import { isRecord } from '../kinds/fields.ts'
import { isWorkload, JUDGED_KINDS, KINDS, type ObjectRef, parseAs, refKey } from '../kinds/index.ts'
import { affectedTargets } from '../mesh/gaps/affected.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import { compareText } from '../mesh/names/text.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { type Candidate, type Judgement, Lab, type PlannedWrite, withObject } from './lab.ts'
import { adviceOn } from './way-out.ts'
import { weightStages } from './weights.ts'

type Raw = Readonly<Record<string, unknown>>

/** One object of the two states that differs. */
export interface Difference {
  readonly ref: ObjectRef
  /** The manifests, as written; null where the state has none. */
  readonly from: Raw | null
  readonly to: Raw | null
}

export interface Step {
  readonly writes: readonly PlannedWrite[]
  /** Workloads whose Pods the next step relies on. */
  readonly waitFor: readonly ObjectRef[]
  /** What the writes say of themselves where nothing better was possible. */
  readonly warnings: readonly string[]
}

export interface Sequence {
  readonly steps: readonly Step[]
  /** What cannot be written after these steps without opening a gap, why, and what to change in the state to. */
  readonly stuck: readonly Stuck[]
}

export interface Stuck extends Pick<PlannedWrite, 'operation' | 'ref'> {
  readonly why: string
  readonly advice: string
}

export interface PlanOptions {
  /** No write moves more of a route's requests than that. */
  readonly percent?: number | undefined
  /** Workloads that are there and have Pods yet to become Ready: waited for where it cannot go without. */
  readonly starting?: readonly ObjectRef[]
}

/**
 * Writes of one step are safe in any order and together; each step is safe once the one before it is in place and its Pods are Ready. Seen by playing
 * the whole sequence, forwards and each step from its end.
 */
export function sequenceOf(from: Snapshot, differences: readonly Difference[], { percent, starting = [] }: PlanOptions = {}): Sequence {
  const planned = shortest(from, differences)
  if (planned.stuck.length > 0 && starting.length > 0) {
    const state = new Lab(from)
    state.ready(starting)
    const { steps, stuck } = sequenceOf(state.snapshot(), differences, { percent })
    if (stuck.length === 0) return { steps: [{ writes: [], waitFor: starting, warnings: [] }, ...steps], stuck }
  }
  const byKey = new Map(differences.map((difference) => [refKey(difference.ref), difference]))
  const steps = percent === undefined ? planned.steps : planned.steps.flatMap((step) => inStages(step, byKey, percent))
  return replayed(from, { steps, stuck: planned.stuck })
}

function shortest(from: Snapshot, differences: readonly Difference[]): Sequence {
  const lazy = new Planner(from, differences, new Set()).plan()
  if (lazy.grown.size === 0) return lazy
  // Written as early as it can be, what is written twice may cost no step of its own.
  const eager = new Planner(from, differences, lazy.grown).plan()
  return eager.stuck.length === 0 && eager.steps.length < lazy.steps.length ? eager : lazy
}

/** A step whose route objects move their requests bit by bit: all else is written with the first bit. */
function inStages(step: Step, differences: ReadonlyMap<string, Difference>, percent: number): readonly Step[] {
  const staged = step.writes.map((write) => {
    const { from = null, to = null } = differences.get(refKey(write.ref)) ?? {}
    const stages = write.forNow !== null || from === null || to === null ? [] : weightStages(write.ref.kind, from, to, percent)
    return [...stages.map((stage) => ({ ...write, ...stage })), write]
  })
  const last = staged.reduce((most, { length }) => Math.max(most, length), 0) - 1
  return Array.from({ length: last + 1 }, (_, at) => ({
    writes: staged.flatMap((stages) => stages[at] ?? []),
    waitFor: at === 0 ? step.waitFor : [],
    warnings: at === last ? step.warnings : []
  }))
}

/** The sequence as far as it holds when it is played: what is refused then is stuck, and no plan. */
function replayed(from: Snapshot, { steps, stuck }: Sequence): Sequence {
  const state = new Lab(from)
  for (const [at, step] of steps.entries()) {
    const writes = step.writes.map(withObject)
    const failed =
      step.warnings.length > 0 ? null : (firstRefused(state.copy(), [...writes].reverse()) ?? firstRefused(state.copy(), writes))
    if (failed !== null) return { steps: steps.slice(0, at), stuck: [failed, ...stuck] }
    for (const write of writes) state.apply(write)
    state.ready(step.waitFor)
  }
  return { steps, stuck }
}

function firstRefused(state: Lab, writes: readonly Candidate[]): Stuck | null {
  for (const write of writes) {
    const judgement = state.judge(write)
    if (!judgement.safe) return stuckOn(write, judgement)
    state.apply(write)
  }
  return null
}

function stuckOn({ operation, ref }: Candidate, { why, rules }: Judgement): Stuck {
  return { operation, ref, why, advice: adviceOn(rules) }
}

class Planner {
  readonly #state: Lab
  readonly #pending: Candidate[]
  readonly #intermediates: ReadonlyMap<string, Candidate>
  /** Keys of what is to be written twice, as early as possible. */
  readonly #eager: ReadonlySet<string>
  readonly #reach: Reached
  readonly #grown = new Set<string>()
  readonly #steps: Step[] = []

  constructor(from: Snapshot, differences: readonly Difference[], eager: ReadonlySet<string>) {
    this.#state = new Lab(from)
    this.#eager = eager
    this.#pending = differences.map(candidateOf).sort(byRank)
    this.#reach = new Reached(from, this.#pending)
    this.#intermediates = new Map(
      differences.flatMap((difference) => intermediateOf(difference) ?? []).map((each) => [refKey(each.ref), each])
    )
  }

  plan(): Sequence & { readonly grown: ReadonlySet<string> } {
    while (this.#pending.length > 0) {
      const step = this.#next()
      if (step.length === 0) break
      this.#take(step)
    }
    const stuck = this.#pending.map((write) => stuckOn(write, this.#state.judge(write)))
    return { steps: this.#steps, stuck, grown: this.#grown }
  }

  #next(): readonly Candidate[] {
    const early = this.#growing().filter(({ ref }) => this.#eager.has(refKey(ref)))
    const safe = this.#together([...this.#pending, ...early].sort(byRank))
    if (safe.length > 0) return safe
    const grown = this.#together(this.#growing())
    if (grown.length > 0) return grown
    return this.#pending.filter((write) => !this.#state.judge(write).denied).slice(0, 1)
  }

  /** What may be written twice, has not been, and cannot be written once for all yet. */
  #growing(): Candidate[] {
    return this.#pending.flatMap((write) => {
      const key = refKey(write.ref)
      const intermediate = this.#intermediates.get(key)
      return intermediate === undefined || this.#grown.has(key) || this.#state.judge(write).safe ? [] : [intermediate]
    })
  }

  /** As many as are safe now, whichever of them comes first. */
  #together(writes: readonly Candidate[]): Candidate[] {
    const step: Candidate[] = []
    for (const write of writes) {
      if (!this.#state.judge(write).safe) continue
      const near = step.filter((other) => this.#reach.meet(write, other))
      if (near.length === 0 || this.#inAnyOrder(write, near)) step.push(write)
    }
    return step
  }

  #inAnyOrder(write: Candidate, others: readonly Candidate[]): boolean {
    const [after, alone] = [this.#state.copy(), this.#state.copy()]
    for (const other of others) after.apply(other)
    if (!after.judge(write).safe) return false
    alone.apply(write)
    return others.every((other) => alone.judge(other).safe)
  }

  #take(step: readonly Candidate[]): void {
    const warnings = step.flatMap((write) => this.#state.judge(write).warnings)
    for (const write of step) this.#state.apply(write)
    const waitFor = step.flatMap(({ ref, after }) => (after !== null && isWorkload(after) && after.replicas > 0 ? [ref] : []))
    this.#state.ready(waitFor)
    for (const { ref, forNow } of step) {
      if (forNow !== null) this.#grown.add(refKey(ref))
      else
        this.#pending.splice(
          this.#pending.findIndex((write) => refKey(write.ref) === refKey(ref)),
          1
        )
    }
    this.#steps.push({ writes: step.map(({ after: _, ...write }) => write), waitFor, warnings })
  }
}

/** Which requests a write can alter, at any time on the way: those of the hosts that it reaches in the first state or in the last. */
class Reached {
  readonly #hosts: ReadonlyMap<string, ReadonlySet<string> | null>

  constructor(from: Snapshot, writes: readonly Candidate[]) {
    const end = new Lab(from)
    for (const write of writes) end.apply(write)
    const to = end.snapshot()
    this.#hosts = new Map(
      writes.map(({ ref }) => {
        const states = [from, to].flatMap((state) => state.find(ref.kind, ref.namespace, ref.name) ?? [])
        const hosts = new Set(affectedTargets(from, to, states).map(({ host }) => host))
        return [refKey(ref), JUDGED_KINDS.includes(ref.kind) ? hosts : null]
      })
    )
  }

  /** Whether two writes may alter the answer to one request. Of a kind that no rule judges nobody knows. */
  meet(one: Candidate, other: Candidate): boolean {
    const [hosts, others] = [one, other].map(({ ref }) => this.#hosts.get(refKey(ref)) ?? null)
    return !hosts || !others || [...hosts].some((host) => others.has(host))
  }
}

function candidateOf({ ref, from, to }: Difference): Candidate {
  return withObject({ operation: to === null ? 'delete' : 'apply', ref, manifest: to ?? from ?? {}, forNow: null })
}

/** A DestinationRule with what it has, and the subsets that it is to gain; null where that is no step on the way. */
function intermediateOf({ ref, from, to }: Difference): Candidate | null {
  if (ref.kind !== 'DestinationRule' || from === null || to === null) return null
  const [before, after] = [parseAs('DestinationRule', from, DEFAULT_DOMAIN), parseAs('DestinationRule', to, DEFAULT_DOMAIN)]
  const gained = subsetsOf(to).filter((_, at) => !hasSubset(before, after.subsets[at]?.name))
  if (gained.length === 0 || before.host !== after.host) return null
  const spec = isRecord(from['spec']) ? from['spec'] : {}
  const manifest = { ...from, spec: { ...spec, subsets: [...subsetsOf(from), ...gained] } }
  return withObject({ operation: 'apply', ref, manifest, forNow: 'with the subsets of both states' })
}

function subsetsOf({ spec }: Raw): readonly unknown[] {
  return isRecord(spec) && Array.isArray(spec['subsets']) ? spec['subsets'] : []
}

function hasSubset({ subsets }: DestinationRule, wanted: string | undefined): boolean {
  return subsets.some(({ name }) => name === wanted)
}

function byRank(one: Candidate, other: Candidate): number {
  const rank = ({ ref, after }: Candidate) => (after === null ? 2 * KINDS.length - KINDS.indexOf(ref.kind) : KINDS.indexOf(ref.kind))
  return rank(one) - rank(other) || compareText(refKey(one.ref), refKey(other.ref))
}
