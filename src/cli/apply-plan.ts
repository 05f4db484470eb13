/** `hitless plan --apply`: the writes of a plan, made one by one. */
import { isDeepStrictEqual } from 'node:util'
import { isRecord } from '../kinds/fields.ts'
import { formatRef, type ObjectRef, refKey } from '../kinds/index.ts'
import { ApiError } from '../kubernetes/connection.ts'
import type { Stored } from '../kubernetes/objects.ts'
import { EXIT, type Io } from '../output/io.ts'
import { counted, line } from '../output/text.ts'
import type { PlannedWrite } from '../sandbox/lab.ts'
import type { Sequence } from '../sandbox/planner.ts'
import type { ClusterWriter } from './cluster-writer.ts'
import { wanted } from './plan-states.ts'
import { lineOf } from './plan-text.ts'

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

/**
 * Gives 0 where all was written, or with `dryRun` would be; 1 where it stopped. Tells of each write as it is made. `stored` is every object of the plan
 * as it was when that was made, by its key.
 */
export async function applyPlan(
  sequence: Sequence,
  { writer, stored }: { readonly writer: ClusterWriter; readonly stored: ReadonlyMap<string, Stored> },
  dryRun: boolean,
  io: Io
): Promise<number> {
  const run = new Run(writer, stored, io)
  const writes = sequence.steps.flatMap(({ writes }) => writes)
  if (writes.length === 0) return EXIT.ok
  let made = 0
  try {
    for (const write of writes) await run.rehearse(write, sequence)
    io.out(line([`The API server would accept ${counted(writes.length, 'write')}${dryRun ? '; none was made.' : '.'}`], false))
    if (dryRun) return EXIT.ok
    for (const step of sequence.steps) {
      for (const write of step.writes) {
        io.out(line([`[${made + 1}/${writes.length}] ${lineOf(write)}`, await run.make(write)], false))
        made += 1
      }
      for (const workload of step.waitFor) await run.untilReady(workload)
    }
    io.out(line([`Done: ${counted(writes.length, 'write')}.`], false))
    return EXIT.ok
  } catch (error) {
    const surprise = asSurprise(error, io)
    io.err(line([`stopped after ${made} of ${counted(writes.length, 'write')}: ${surprise.message} ${surprise.remedy}`], false))
    return EXIT.denied
  }
}

class Run {
  readonly #writer: ClusterWriter
  readonly #stored: Map<string, Stored>
  readonly #out: Io['out']

  constructor(writer: ClusterWriter, stored: ReadonlyMap<string, Stored>, { out }: Io) {
    this.#writer = writer
    this.#stored = new Map(stored)
    this.#out = out
  }

  async rehearse(write: PlannedWrite, { steps }: Sequence): Promise<void> {
    const isIn = ({ operation, ref }: PlannedWrite) => operation === 'apply' && ref.kind === 'Namespace' && ref.name === write.ref.namespace
    const stored = this.#stored.get(refKey(write.ref)) ?? null
    // Nothing can be asked about what is to stand in a namespace that is yet to come.
    if (stored === null && steps.some(({ writes }) => writes.some(isIn))) return
    await this.#writer.rehearse(write, stored)
  }

  /** Gives what there is to say of it. */
  async make(write: PlannedWrite): Promise<string> {
    const key = refKey(write.ref)
    const written = await this.#writer.write(write, { expect: (live) => this.#expect(write.ref, live) })
    if (written === null) return ': gone already'
    const { decision, heldMs, stored } = written
    if (decision.verdict === 'deny') throw new Surprise(decision.message)
    if (stored === null) this.#stored.delete(key)
    else this.#stored.set(key, stored)
    return heldMs === 0 ? ': written' : `: written, held ${seconds(heldMs)} until the proxies had what it leans on`
  }

  /** Of an object that somebody else has written since, the plan knows nothing. */
  #expect(ref: ObjectRef, live: Stored | null): void {
    const known = this.#stored.get(refKey(ref)) ?? null
    if (isDeepStrictEqual(specOf(live), specOf(known))) return
    throw new Surprise(`somebody else has changed ${formatRef(ref)} since this was planned.`)
  }

  async untilReady(ref: ObjectRef): Promise<void> {
    const say = (text: string) => this.#out(line([`      ${formatRef(ref)}: ${text}`], false))
    const { ms, failure } = await this.#writer.untilReady({ ref, manifest: this.#stored.get(refKey(ref)) ?? {} }, say)
    if (failure === null) {
      say(`Ready after ${seconds(ms)}`)
      return
    }
    const look = `See kubectl describe ${ref.kind.toLowerCase()} -n ${ref.namespace} ${ref.name}; when its Pods are Ready, run this again.`
    throw new Surprise(`${formatRef(ref)}: ${failure}.`, look)
  }
}

/** What somebody wants of the object; how many Pods is an autoscaler's business. */
function specOf(raw: Stored | null): unknown {
  const { metadata: _m, spec, ...rest } = wanted(raw) ?? {}
  const { replicas: _r, ...own } = isRecord(spec) ? spec : {}
  return { ...rest, own, exists: raw !== null }
}

/** Whatever it is, it ends the run and is told; a defect is thrown on. */
function asSurprise(error: unknown, { signal }: Io): Surprise {
  if (error instanceof Surprise) return error
  if (signal.aborted) return new Surprise('it was asked to.')
  if (!(error instanceof ApiError)) throw error
  return new Surprise(error.message.replace(/\.?$/, '.'), 'Mend that, then run this again: it goes on from what is there.')
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
