/** The shortest safe sequence of writes from one state to another: what may be written together, what must wait, and what is written twice. */

import type { DestinationRule } from '../kinds/destination-rule.ts'
import { isRecord } from '../kinds/fields.ts'
import { isWorkload, JUDGED_KINDS, KINDS, type MeshObject, type ObjectRef, parseAs, refKey, WORKLOAD_KINDS } from '../kinds/index.ts'
import { everyTarget, targetKey } from '../mesh/gaps/affected.ts'
import { gapsOfChange } from '../mesh/gaps/gaps.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import { compareText } from '../mesh/names/text.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from '../review/change.ts'
import { decide } from '../review/decide.ts'
import { DEFAULT_POLICY } from '../review/policy.ts'
import { Sandbox } from './sandbox.ts'
import { KUBECTL } from './session.ts'

const POLICY = { ...DEFAULT_POLICY, showForeignNames: true }
const EPSILON = 1e-9

type Raw = Readonly<Record<string, unknown>>

/** One object of the two states that differs. */
export interface Difference {
  readonly ref: ObjectRef
  /** The manifests, as written; null where the state has none. */
  readonly from: Raw | null
  readonly to: Raw | null
}

export interface PlannedWrite {
  readonly operation: 'apply' | 'delete'
  readonly ref: ObjectRef
  /** What to apply, or what is deleted. */
  readonly manifest: Raw
  /** The subsets of both states: the object is written once more later. */
  readonly intermediate: boolean
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
  /** What cannot be written after these steps without opening a gap, and why. */
  readonly stuck: readonly (Pick<PlannedWrite, 'operation' | 'ref'> & { readonly why: string })[]
}

/** Writes of one step are safe in any order and together; each step is safe once the one before it is in place and its Pods are Ready. */
export function sequenceOf(from: Snapshot, differences: readonly Difference[]): Sequence {
  const lazy = new Planner(from, differences, new Set()).plan()
  if (lazy.grown.size === 0) return lazy
  // Written as early as it can be, what is written twice may cost no step of its own.
  const eager = new Planner(from, differences, lazy.grown).plan()
  return eager.stuck.length === 0 && eager.steps.length < lazy.steps.length ? eager : lazy
}

interface Candidate extends PlannedWrite {
  readonly after: MeshObject | null
}

class Planner {
  readonly #state: Lab
  readonly #pending: Candidate[]
  readonly #intermediates: ReadonlyMap<string, Candidate>
  /** Keys of what is to be written twice, as early as possible. */
  readonly #eager: ReadonlySet<string>
  readonly #grown = new Set<string>()
  readonly #steps: Step[] = []

  constructor(from: Snapshot, differences: readonly Difference[], eager: ReadonlySet<string>) {
    this.#state = new Lab(from)
    this.#eager = eager
    this.#pending = differences.map(candidateOf).sort(byRank)
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
    const stuck = this.#pending.map(({ ref, ...write }) => ({
      ref,
      operation: write.operation,
      why: this.#state.judge({ ref, ...write }).why
    }))
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
    const after = this.#state.copy()
    for (const write of writes) {
      if (!this.#state.judge(write).safe || !after.judge(write).safe) continue
      const alone = this.#state.copy()
      alone.apply(write)
      if (!step.every((other) => alone.judge(other).safe)) continue
      after.apply(write)
      step.push(write)
    }
    return step
  }

  #take(step: readonly Candidate[]): void {
    const warnings = step.flatMap((write) => this.#state.judge(write).warnings)
    for (const write of step) this.#state.apply(write)
    this.#state.allReady()
    for (const { ref, intermediate } of step) {
      if (intermediate) this.#grown.add(refKey(ref))
      else
        this.#pending.splice(
          this.#pending.findIndex((write) => refKey(write.ref) === refKey(ref)),
          1
        )
    }
    const waitFor = step.flatMap(({ ref, after }) => (after !== null && isWorkload(after) && after.replicas > 0 ? [ref] : []))
    this.#steps.push({ writes: step.map(({ after: _, ...write }) => write), waitFor, warnings })
  }
}

interface Judgement {
  /** Nothing that is answered goes unanswered. */
  readonly safe: boolean
  readonly denied: boolean
  readonly why: string
  readonly warnings: readonly string[]
}

/** A state in which writes are tried. */
class Lab {
  readonly #sandbox: Sandbox

  constructor(snapshot: Snapshot) {
    this.#sandbox = Sandbox.of(snapshot)
  }

  copy(): Lab {
    return new Lab(this.#sandbox.snapshot())
  }

  judge(write: Candidate): Judgement {
    return JUDGED_KINDS.includes(write.ref.kind) ? this.#decide(write) : this.#compare(write)
  }

  apply(write: Candidate): void {
    this.#sandbox.admitted(this.#changeOf(write))
  }

  allReady(): void {
    for (const kind of WORKLOAD_KINDS) {
      for (const { namespace, name } of [...this.#sandbox.snapshot().all(kind)]) this.#sandbox.ready(namespace, name, kind)
    }
  }

  #decide(write: Candidate): Judgement {
    const { verdict, findings, message, warnings } = decide(this.#changeOf(write), this.#sandbox.snapshot(), POLICY, 0)
    const opens = findings.some(({ gap, rule }) => rule === 'service-removed' || (gap !== null && gap.share > gap.shareBefore + EPSILON))
    return { safe: verdict !== 'deny' && !opens, denied: verdict === 'deny', why: message, warnings: opens ? warnings : [] }
  }

  /** Of a kind that no rule judges: by the gaps of everybody. */
  #compare({ ref, after: written }: Candidate): Judgement {
    const before = this.#sandbox.snapshot()
    const after = overlay(before, { removed: [ref], added: written === null ? [] : [written] })
    const targets = new Map([...everyTarget(before), ...everyTarget(after)].map((target) => [targetKey(target), target]))
    const { opened } = gapsOfChange(before, after, [...targets.values()])
    const hosts = [...new Set(opened.map(({ host }) => host))].join(', ')
    const why = `requests to ${hosts} would go unanswered`
    return { safe: opened.length === 0, denied: false, why, warnings: opened.length === 0 ? [] : [why] }
  }

  #changeOf({ ref, after }: Candidate): Change {
    const before = this.#sandbox.snapshot().find(ref.kind, ref.namespace, ref.name) ?? null
    const operation = before === null ? 'CREATE' : after === null ? 'DELETE' : 'UPDATE'
    return { operation, ref, before, after, dryRun: false, author: KUBECTL }
  }
}

function candidateOf({ ref, from, to }: Difference): Candidate {
  if (to === null) return { operation: 'delete', ref, manifest: from ?? {}, after: null, intermediate: false }
  return { operation: 'apply', ref, manifest: to, after: parseAs(ref.kind, to, DEFAULT_DOMAIN), intermediate: false }
}

/** A DestinationRule with what it has, and the subsets that it is to gain; null where that is no step on the way. */
function intermediateOf({ ref, from, to }: Difference): Candidate | null {
  if (ref.kind !== 'DestinationRule' || from === null || to === null) return null
  const [before, after] = [parseAs('DestinationRule', from, DEFAULT_DOMAIN), parseAs('DestinationRule', to, DEFAULT_DOMAIN)]
  const gained = subsetsOf(to).filter((_, at) => !hasSubset(before, after.subsets[at]?.name))
  if (gained.length === 0 || before.host !== after.host) return null
  const spec = isRecord(from['spec']) ? from['spec'] : {}
  const manifest = { ...from, spec: { ...spec, subsets: [...subsetsOf(from), ...gained] } }
  return { operation: 'apply', ref, manifest, after: parseAs('DestinationRule', manifest, DEFAULT_DOMAIN), intermediate: true }
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
