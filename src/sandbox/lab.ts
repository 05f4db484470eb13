/** A state in which writes are tried, and what a plan tries there. */
import { JUDGED_KINDS, type MeshObject, type ObjectRef, parseAs } from '../kinds/index.ts'
import { everyTarget, targetKey } from '../mesh/gaps/affected.ts'
import { gapsOfChange } from '../mesh/gaps/gaps.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import { changed } from '../mesh/routing/gateway-api/compiled.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from '../review/change.ts'
import { decide } from '../review/decide.ts'
import { DEFAULT_POLICY } from '../review/policy.ts'
import { Sandbox } from './sandbox.ts'
import { KUBECTL } from './session.ts'

type Raw = Readonly<Record<string, unknown>>

const POLICY = { ...DEFAULT_POLICY, showForeignNames: true }
const EPSILON = 1e-9

export interface PlannedWrite {
  readonly operation: 'apply' | 'delete'
  readonly ref: ObjectRef
  /** What to apply, or what is deleted. */
  readonly manifest: Raw
  /** What the object has for now, which is written once more later: `with the subsets of both states`; null of what it is to be. */
  readonly forNow: string | null
}

/** A write with the object that it makes; null where it deletes. */
export interface Candidate extends PlannedWrite {
  readonly after: MeshObject | null
}

export function withObject(write: PlannedWrite): Candidate {
  return { ...write, after: write.operation === 'delete' ? null : parseAs(write.ref.kind, write.manifest, DEFAULT_DOMAIN) }
}

export interface Judgement {
  /** Nothing that is answered goes unanswered. */
  readonly safe: boolean
  readonly denied: boolean
  readonly why: string
  /** Those that refuse it. */
  readonly rules: readonly string[]
  readonly warnings: readonly string[]
}

export class Lab {
  readonly #sandbox: Sandbox
  /** Until the state changes. */
  readonly #judged = new Map<Candidate, Judgement>()

  constructor(snapshot: Snapshot) {
    this.#sandbox = Sandbox.of(snapshot)
  }

  copy(): Lab {
    return new Lab(this.#sandbox.snapshot())
  }

  snapshot(): Snapshot {
    return this.#sandbox.snapshot()
  }

  judge(write: Candidate): Judgement {
    const known = this.#judged.get(write) ?? (JUDGED_KINDS.includes(write.ref.kind) ? this.#decide(write) : this.#compare(write))
    this.#judged.set(write, known)
    return known
  }

  apply(write: Candidate): void {
    this.#judged.clear()
    this.#sandbox.admitted(this.#changeOf(write))
  }

  ready(workloads: readonly ObjectRef[]): void {
    this.#judged.clear()
    for (const { kind, namespace, name } of workloads) this.#sandbox.ready(namespace, name, kind)
  }

  #decide(write: Candidate): Judgement {
    const { verdict, findings, message, warnings } = decide(this.#changeOf(write), this.#sandbox.snapshot(), POLICY, 0)
    const opens = findings.some(({ gap, rule }) => rule === 'service-removed' || (gap !== null && gap.share > gap.shareBefore + EPSILON))
    const rules = findings.filter(({ severity }) => severity === 'deny').map(({ rule }) => rule)
    const why = message === '' ? warnings.join(' ') : message
    return { safe: verdict !== 'deny' && !opens, denied: verdict === 'deny', why, rules, warnings: opens ? warnings : [] }
  }

  /** Of a kind that no rule judges: by the gaps of everybody. */
  #compare({ ref, after: written }: Candidate): Judgement {
    const before = this.#sandbox.snapshot()
    const after = changed(before, { removed: [ref], added: written === null ? [] : [written] })
    const targets = new Map([...everyTarget(before), ...everyTarget(after)].map((target) => [targetKey(target), target]))
    const { opened } = gapsOfChange(before, after, [...targets.values()])
    const hosts = [...new Set(opened.map(({ host }) => host))].join(', ')
    const why = `requests to ${hosts} would go unanswered`
    return { safe: opened.length === 0, denied: false, why, rules: [], warnings: opened.length === 0 ? [] : [why] }
  }

  #changeOf({ ref, after }: Candidate): Change {
    const before = this.#sandbox.snapshot().find(ref.kind, ref.namespace, ref.name) ?? null
    const operation = before === null ? 'CREATE' : after === null ? 'DELETE' : 'UPDATE'
    return { operation, ref, before, after, dryRun: false, author: KUBECTL }
  }
}
