/** `hitless plan`: the shortest safe sequence of writes from one state to another. */
import { basename, isAbsolute } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { HitlessError } from '../errors.ts'
import { formatRef, isOfOtherVersion } from '../kinds/index.ts'
import { type Manifest, readManifests } from '../manifests/manifests.ts'
import { EXIT, type Io, type OutputFormat, printData, printErrors, printText } from '../output/io.ts'
import { line, plainLines } from '../output/text.ts'
import { printUnread } from '../output/unread.ts'
import { type Sequence, sequenceOf } from '../sandbox/planner.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import type { ClusterFlags } from './cluster-source.ts'
import { type Cli, collect, examples, namespaceOption, onCluster, onWriter, outputOption } from './command.ts'
import { filesShow, printUnknowns } from './not-known.ts'
import { fluxOf, foldersOf, wavesOf, writeFiles } from './plan-layouts.ts'
import { byKey, differencesOf } from './plan-states.ts'
import { planJson, planLines } from './plan-text.ts'

interface PlanOptions extends ClusterFlags {
  readonly namespace?: string
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** How much of a route's requests one write may move, in percent. */
  readonly step?: number
  /** A folder to make one folder a step in. */
  readonly write?: string
  /** Writes the whole target with Argo CD's waves, instead of steps. */
  readonly syncWaves: boolean
  /** Writes the whole target with Flux' Kustomizations, instead of steps. */
  readonly flux: boolean
  readonly apply: boolean
  readonly dryRun: boolean
  readonly timeout: number
  readonly istiodAccount: string
  readonly output: OutputFormat
}

export function planCommand({ io, done }: Cli): Command {
  const command = onCluster(
    new Command('plan'),
    'what is there is read from it; of what --from holds and --to has no more, what it still has is deleted'
  )
  return onWriter(command)
    .description('the shortest safe sequence of writes from one state to another, and the writes themselves')
    .option('--from <path>', 'what is there; may be given more than once', collect, [])
    .option('--to <path>', 'what is to be there; may be given more than once', collect, [])
    .option('--step <percent>', "move at most so much of a route's requests with one write", percentOf)
    .option('--write <folder>', 'where to write the manifests, one numbered folder for each step')
    .option('--sync-waves', "with --write: all of the target in one folder, with Argo CD's waves", false)
    .option('--flux', 'with --write: all of the target, a folder a step, with a Kustomization of Flux for each', false)
    .option('--apply', 'with --cluster: make the writes, one by one; stop at the first surprise', false)
    .option('--dry-run', 'with --apply: ask the API server about every write, and make none', false)
    .addOption(namespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'hitless plan --from old/ --to new/',
        'hitless plan --from old/ --to new/ --write steps/   # then: kubectl apply -f steps/01',
        'hitless plan --cluster --from old/ --to new/ --step 10 --apply --dry-run',
        'hitless plan --cluster --from old/ --to new/ --step 10 --apply'
      )
    )
    .action(async (options: PlanOptions) => done(await plan(options, io)))
}

/** Gives 0 where the sequence is whole and, with --apply, written; 1 where there is none or it stopped; 2 for bad input; 3 where the cluster cannot be read. */
async function plan(options: PlanOptions, io: Io): Promise<number> {
  const wrong = contradiction(options)
  if (wrong !== null) throw new HitlessError('HITLESS_USAGE', wrong)
  const from = readManifests(options.from, io.stdin, options)
  const to = readManifests(options.to, io.stdin, options)
  const errors = [...from.errors, ...to.errors, ...[...from.manifests, ...to.manifests].flatMap(otherVersion)]
  printErrors(errors, io)
  // Half a state would be taken for the deletion of the other half.
  if (errors.length > 0) return EXIT.usage
  printUnread(to, io, ({ object }) => object !== null)
  if (options.cluster) {
    const { planOnCluster } = await import('./plan-on-cluster.ts')
    return planOnCluster(from.manifests, to.manifests, options, (sequence) => tell(sequence, to.manifests, options, io), io)
  }
  const shown = filesShow(from, to)
  const sandbox = new Sandbox(shown.settings)
  for (const object of shown.objects) sandbox.load(object)
  for (const { object } of from.manifests) if (object !== null) sandbox.load(object)
  const sequence = sequenceOf(sandbox.snapshot(), differencesOf(from.manifests, to.manifests), { percent: options.step })
  const exit = tell(sequence, to.manifests, options, io)
  printUnknowns(shown.unknowns, 'warn', io.err)
  return exit
}

/** What is there in a version that nobody reads is not gone, and what is to be so is not known. */
function otherVersion({ raw, file, position }: Manifest): readonly HitlessError[] {
  const [apiVersion, kind] = [String(raw['apiVersion']), String(raw['kind'])]
  if (!isOfOtherVersion(apiVersion, kind)) return []
  const { line, column } = position([])
  return [new HitlessError('HITLESS_MANIFEST', `${file}:${line}:${column}: ${kind} of ${apiVersion}, a version that hitless does not read`)]
}

function contradiction({ from, to, write, syncWaves, flux, cluster, apply, dryRun, output }: PlanOptions): string | null {
  if (to.length === 0 || (from.length === 0 && !cluster)) return 'plan needs both --from, or --cluster, and --to'
  if (syncWaves && write === undefined) return '--sync-waves needs --write'
  if (flux && write === undefined) return '--flux needs --write'
  if (flux && syncWaves) return 'name either --flux or --sync-waves'
  if (apply && !cluster) return '--apply needs --cluster'
  if (apply && output !== 'text') return '--apply tells what it does as text'
  return dryRun && !apply ? '--dry-run needs --apply' : null
}

/** Writes and prints the plan; gives the exit code. */
function tell(sequence: Sequence, to: readonly Manifest[], options: PlanOptions, io: Io): number {
  const { write, syncWaves, flux, output } = options
  const isWhole = sequence.stuck.length === 0
  if (write !== undefined && isWhole) {
    const target = [...byKey(to).values()]
    const path = isAbsolute(write) ? basename(write) : write
    writeFiles(write, syncWaves ? wavesOf(sequence, target) : flux ? fluxOf(sequence, target, path) : foldersOf(sequence))
    if (syncWaves || flux) printDeletions(sequence, syncWaves, io)
  }
  if (output === 'text') printText(plainLines(planLines(sequence)), io)
  else printData(planJson(sequence), output, io)
  return isWhole ? EXIT.ok : EXIT.denied
}

/** No file can say that something is to go. */
function printDeletions({ steps }: Sequence, isArgo: boolean, { err }: Io): void {
  const gone = steps.flatMap(({ writes }) => writes.filter(({ operation }) => operation === 'delete').map(({ ref }) => formatRef(ref)))
  if (gone.length === 0) return
  const how = isArgo
    ? 'Argo CD prunes before it applies: set the sync option PruneLast=true'
    : 'these Kustomizations delete nothing: take it away once all are Ready'
  err(line([`${gone.join(', ')} must go last; ${how}`], false))
}

function percentOf(text: string): number {
  const percent = Number(text)
  if (percent >= 1 && percent <= 100) return percent
  throw new InvalidArgumentError('It must be a number from 1 to 100.')
}
