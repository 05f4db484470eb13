/** `hitless plan`: the shortest safe sequence of writes from one state to another. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Command } from 'commander'
import { dump } from 'js-yaml'
import { HitlessError } from '../errors.ts'
import { isRecord } from '../kinds/fields.ts'
import { formatRef, type ObjectRef, refKey } from '../kinds/index.ts'
import { type Manifest, readManifests } from '../manifests/manifests.ts'
import { EXIT, type Io, type OutputFormat, printData, printErrors } from '../output/io.ts'
import { plainLines } from '../output/text.ts'
import { type Difference, type PlannedWrite, type Sequence, sequenceOf } from '../sandbox/planner.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import { type Cli, collect, examples, namespaceOption, outputOption } from './command.ts'
import { filesShow, printUnknowns } from './not-known.ts'

interface PlanOptions {
  readonly namespace?: string
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** A folder to make one folder a step in. */
  readonly write?: string
  /** Writes the whole target with Argo CD's waves, instead of steps. */
  readonly syncWaves: boolean
  readonly output: OutputFormat
}

type Raw = Readonly<Record<string, unknown>>

const WAVE = 'argocd.argoproj.io/sync-wave'
const LONGEST_NAME = 200
/** What only the API server writes; it says nothing of what anybody wants. */
const OF_SERVER = ['creationTimestamp', 'generation', 'managedFields', 'resourceVersion', 'uid']

export function planCommand({ io, done }: Cli): Command {
  return new Command('plan')
    .description('the shortest safe sequence of writes from one state to another')
    .option('--from <path>', 'what is there; may be given more than once', collect, [])
    .option('--to <path>', 'what is to be there; may be given more than once', collect, [])
    .option('--write <folder>', 'where to write the manifests, one numbered folder for each step')
    .option('--sync-waves', "with --write: all of the target in one folder, with Argo CD's waves", false)
    .addOption(namespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'hitless plan --from old/ --to new/',
        'hitless plan --from old/ --to new/ --write steps/   # then: kubectl apply -f steps/01'
      )
    )
    .action((options: PlanOptions) => done(plan(options, io)))
}

/** Gives 0 where the sequence is whole, 1 where there is none, 2 for bad input. */
function plan(options: PlanOptions, io: Io): number {
  if (options.from.length === 0 || options.to.length === 0) throw new HitlessError('HITLESS_USAGE', 'plan needs both --from and --to')
  if (options.syncWaves && options.write === undefined) throw new HitlessError('HITLESS_USAGE', '--sync-waves needs --write')
  const from = readManifests(options.from, io.stdin, options)
  const to = readManifests(options.to, io.stdin, options)
  const errors = [...from.errors, ...to.errors]
  printErrors(errors, io)
  // Half a state would be taken for the deletion of the other half.
  if (errors.length > 0) return EXIT.usage
  const shown = filesShow(from, to)
  const sandbox = new Sandbox(shown.settings)
  for (const object of shown.objects) sandbox.load(object)
  for (const { object } of from.manifests) if (object !== null) sandbox.load(object)
  const sequence = sequenceOf(sandbox.snapshot(), differencesOf(from.manifests, to.manifests))
  if (options.write !== undefined && sequence.stuck.length === 0) {
    const files = options.syncWaves ? wavesOf(sequence, byKey(to.manifests)) : foldersOf(sequence)
    writeFiles(options.write, distinct(files))
  }
  print(sequence, options.output, io)
  printUnknowns(shown.unknowns, 'warn', io.err)
  return sequence.stuck.length > 0 ? EXIT.denied : EXIT.ok
}

/** What differs between two sets of manifests, of which the last one of an object counts. */
export function differencesOf(from: readonly Manifest[], to: readonly Manifest[]): Difference[] {
  const [before, after] = [byKey(from), byKey(to)]
  return [...new Map([...before, ...after]).values()].flatMap(({ object }) => {
    if (object === null) return []
    const key = refKey(object)
    const difference = {
      ref: { kind: object.kind, namespace: object.namespace, name: object.name },
      from: before.get(key)?.raw ?? null,
      to: after.get(key)?.raw ?? null
    }
    return isDeepStrictEqual(wanted(difference.from), wanted(difference.to)) ? [] : [difference]
  })
}

/** The last of several manifests of one object counts, as the last apply would. */
function byKey(manifests: readonly Manifest[]): Map<string, Manifest> {
  return new Map(manifests.flatMap((manifest) => (manifest.object === null ? [] : [[refKey(manifest.object), manifest] as const])))
}

function wanted(raw: Raw | null): unknown {
  if (raw === null) return null
  const { status: _, metadata, ...rest } = raw
  const own = Object.entries(isRecord(metadata) ? metadata : {}).filter(([key]) => !OF_SERVER.includes(key))
  return { ...rest, metadata: Object.fromEntries(own) }
}

type Files = readonly (readonly [name: string, manifest: Raw])[]

/** A folder a step; what is to be deleted stands in a folder below, where an apply of the step does not see it. */
function foldersOf({ steps }: Sequence): Files {
  const digits = Math.max(2, String(steps.length).length)
  return steps.flatMap(({ writes }, at) => {
    const step = String(at + 1).padStart(digits, '0')
    return writes.map(({ operation, ref, manifest }) => {
      return operation === 'delete'
        ? ([join(step, 'delete', fileOf(ref)), nameOnly(manifest)] as const)
        : ([join(step, fileOf(ref)), manifest] as const)
    })
  })
}

/** What `kubectl delete -f` needs. */
function nameOnly({ apiVersion, kind, metadata }: Raw): Raw {
  const { name, namespace } = isRecord(metadata) ? metadata : {}
  return { apiVersion, kind, metadata: namespace === undefined ? { name } : { name, namespace } }
}

/** Names that the API server would refuse must not lead out of the folder, and no name may be longer than a file system takes. */
function fileOf({ kind, namespace, name }: ObjectRef): string {
  const words = [kind.toLowerCase(), namespace, name].filter(Boolean).join('-')
  return `${words.replaceAll(/[^\w.-]/g, '_').slice(0, LONGEST_NAME)}.yaml`
}

/** The names of two objects can make one file name, as those of `a-b/c` and `a/b-c` do: the later one is numbered. Some file systems know no case. */
function distinct(files: Files): Files {
  const taken = new Set<string>()
  return files.map(([name, manifest]) => {
    let free = name
    for (let number = 2; taken.has(free.toLowerCase()); number++) free = name.replace(/\.yaml$/, `-${number}.yaml`)
    taken.add(free.toLowerCase())
    return [free, manifest]
  })
}

/** Into a folder that is not there or empty: nothing is lost. */
function writeFiles(folder: string, files: Files): void {
  try {
    mkdirSync(folder, { recursive: true })
    if (readdirSync(folder).length > 0) throw new HitlessError('HITLESS_USAGE', `${folder} is not empty`)
    for (const [name, manifest] of files) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), dump(manifest, { noRefs: true }), { flag: 'wx' })
    }
  } catch (cause) {
    if (cause instanceof HitlessError) throw cause
    throw new HitlessError('HITLESS_UNREADABLE', `${folder}: cannot be written`, { cause })
  }
}

/** The target, each object that is written in the wave of its step. Throws where one sync cannot do it. */
function wavesOf({ steps }: Sequence, to: ReadonlyMap<string, Manifest>): Files {
  const twice = steps.flatMap(({ writes }) => writes).find(({ intermediate }) => intermediate)
  if (twice !== undefined) {
    throw new HitlessError(
      'HITLESS_USAGE',
      `${formatRef(twice.ref)} is written twice, which one sync cannot do: write folders, and commit them one after another`
    )
  }
  const waves = new Map(steps.flatMap(({ writes }, at) => writes.map(({ ref }) => [refKey(ref), at] as const)))
  return [...to.values()].flatMap(({ raw, object }) => {
    if (object === null) return []
    const wave = waves.get(refKey(object))
    return [[fileOf(object), wave === undefined ? raw : annotated(raw, String(wave))] as const]
  })
}

function annotated(raw: Raw, wave: string): Raw {
  const metadata = isRecord(raw['metadata']) ? raw['metadata'] : {}
  const annotations = isRecord(metadata['annotations']) ? metadata['annotations'] : {}
  return { ...raw, metadata: { ...metadata, annotations: { ...annotations, [WAVE]: wave } } }
}

function print(sequence: Sequence, output: OutputFormat, io: Io): void {
  if (output === 'text') io.out(plainLines(planLines(sequence)))
  else printData(toJson(sequence), output, io)
}

function toJson({ steps, stuck }: Sequence) {
  return {
    steps: steps.map(({ writes, waitFor, warnings }) => ({
      writes: writes.map(({ operation, ref, intermediate, manifest }) => ({ operation, object: formatRef(ref), intermediate, manifest })),
      waitFor: waitFor.map(formatRef),
      warnings
    })),
    stuck: stuck.map(({ operation, ref, why }) => ({ operation, object: formatRef(ref), why }))
  }
}

export function planLines({ steps, stuck }: Sequence): string[] {
  const lines = steps.flatMap(({ writes, waitFor, warnings }, at) => [
    ...writes.map((write, first) => `${first === 0 ? `${at + 1}.` : ''.padEnd(`${at + 1}.`.length)} ${lineOf(write)}`),
    ...warnings.map((warning) => `   warning: ${warning}`),
    ...(waitFor.length > 0 && at < steps.length - 1 ? [`   then wait until Ready: ${waitFor.map(formatRef).join(', ')}`] : [])
  ])
  return [...lines, ...(stuck.length === 0 ? [summary(steps)] : complaint(stuck))]
}

function summary(steps: Sequence['steps']): string {
  const writes = steps.reduce((sum, step) => sum + step.writes.length, 0)
  if (writes === 0) return 'Nothing is to be written: the two states are the same.'
  const total = `${writes} ${writes === 1 ? 'write' : 'writes'} in ${steps.length} ${steps.length === 1 ? 'step' : 'steps'}.`
  if (steps.length === 1) return `${total} They can be made together.`
  return `${total} Those of one step can be made together; before the next, give the proxies a second (the webhook does by itself).`
}

function complaint(stuck: Sequence['stuck']): string[] {
  return [
    'There is no safe sequence: what is left leaves requests unanswered, whatever comes first.',
    ...stuck.map(({ operation, ref, why }) => `  ${operation} ${formatRef(ref)}: ${why}`)
  ]
}

function lineOf({ operation, ref, intermediate }: PlannedWrite): string {
  return `${operation} ${formatRef(ref)}${intermediate ? ', with the subsets of both states' : ''}`
}
