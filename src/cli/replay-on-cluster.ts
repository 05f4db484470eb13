/** `hitless replay --cluster`: scenarios played on a real cluster, by whoever runs it. Their state is what is there, and their Pods become Ready by themselves. */
import { HitlessError } from '../errors.ts'
import { isRecord } from '../kinds/fields.ts'
import { formatRef, type Kind, kindModule, type MeshObject, type ObjectRef, WORKLOAD_KINDS } from '../kinds/index.ts'
import { ApiError } from '../kubernetes/connection.ts'
import type { Stored } from '../kubernetes/objects.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import type { Io } from '../output/io.ts'
import { line } from '../output/text.ts'
import type { Author } from '../review/change.ts'
import { type Played, playOn, type ReadScenario, type Stage } from '../sandbox/scenario.ts'
import { type ClusterWriter, type WantedWrite, type WriterFlags, type Written, writingTo } from './cluster-writer.ts'

/** Follows the cluster while `use` runs; a scenario ends with the first write that goes otherwise than it says. */
export function onStage<T>(flags: WriterFlags, io: Io, use: (play: (scenario: ReadScenario) => Promise<Played>) => Promise<T>): Promise<T> {
  return writingTo(flags, io, async (writer) => {
    const stage = new ClusterStage(writer, io)
    return use((scenario) => playOn(stage, scenario, (step) => step instanceof HitlessError || step.failure !== null))
  })
}

class ClusterStage implements Stage {
  readonly domain = DEFAULT_DOMAIN
  readonly #writer: ClusterWriter
  readonly #err: Io['err']

  constructor(writer: ClusterWriter, { err }: Io) {
    this.#writer = writer
    this.#err = err
  }

  async apply(object: MeshObject, author: Author, dryRun: boolean, raw: unknown): Promise<Written> {
    const { kind, namespace, name } = object
    const written = await this.#write(
      { operation: 'apply', ref: { kind, namespace, name }, manifest: isRecord(raw) ? raw : {} },
      author,
      dryRun
    )
    if (written === null) throw new Error(`${formatRef(object)} was applied, and nothing came of it`)
    return written
  }

  delete(ref: ObjectRef, author: Author, dryRun: boolean): Promise<Written | null> {
    return this.#write({ operation: 'delete', ref, manifest: newest(ref.kind) }, author, dryRun)
  }

  async scale(namespace: string, name: string, replicas: number, author: Author, dryRun: boolean, kind?: Kind): Promise<Written | null> {
    const found = await this.#workload(namespace, name, kind)
    if (found === null) return null
    const { ref, live } = found
    const spec = isRecord(live['spec']) ? live['spec'] : {}
    return this.#write({ operation: 'apply', ref, manifest: { ...live, spec: { ...spec, replicas } } }, author, dryRun)
  }

  async ready(namespace: string, name: string, kind?: Kind): Promise<boolean> {
    const found = await this.#workload(namespace, name, kind)
    if (found === null) return false
    const say = (text: string) => this.#err(line([`${formatRef(found.ref)}: ${text}`], false))
    const { failure } = await this.#writer.untilReady({ ref: found.ref, manifest: found.live }, say)
    if (failure !== null) throw new HitlessError('HITLESS_SCENARIO', `${formatRef(found.ref)} does not become Ready: ${failure}`)
    return true
  }

  load(object: MeshObject): never {
    throw foreign('set', object)
  }

  unload(ref: ObjectRef): never {
    throw foreign('unset', ref)
  }

  async #write(write: WantedWrite, author: Author, dryRun: boolean): Promise<Written | null> {
    try {
      return await this.#writer.write(write, { author, dryRun })
    } catch (cause) {
      if (!(cause instanceof ApiError)) throw cause
      throw new HitlessError('HITLESS_SCENARIO', `${write.operation} ${formatRef(write.ref)}: ${cause.message}`, { cause })
    }
  }

  async #workload(namespace: string, name: string, wanted?: Kind): Promise<{ ref: ObjectRef; live: Stored } | null> {
    for (const kind of wanted === undefined ? WORKLOAD_KINDS : [wanted]) {
      const ref = { kind, namespace, name }
      const live = await this.#writer.read({ ref, manifest: newest(kind) })
      if (live !== null) return { ref, live }
    }
    return null
  }
}

function newest(kind: Kind): Stored {
  const { group, versions } = kindModule(kind).api
  return { apiVersion: group === '' ? versions[0] : `${group}/${versions[0]}` }
}

function foreign(what: string, ref: ObjectRef): HitlessError {
  return new HitlessError('HITLESS_SCENARIO', `${what} ${formatRef(ref)}: a real cluster is changed by its own controllers`)
}
