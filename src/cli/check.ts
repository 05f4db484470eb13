/** `hitless check`: manifests as writes onto a base, in the order in which a tool writes them. */
import { Command, Option } from 'commander'
import { HitlessError } from '../errors.ts'
import { formatRef, type MeshObject, refKey } from '../kinds/index.ts'
import {
  acceptedByIstio,
  type Manifest,
  type Manifests,
  nothingIn,
  type Place,
  placeIn,
  readManifests,
  readManifestsAt
} from '../manifests/manifests.ts'
import { TOOLS, type Tool, type Write, writesInOrder } from '../manifests/tool-order.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { EXIT, type Io, type OutputFormat, printData, printErrors, printText } from '../output/io.ts'
import { type ChangeReport, markdown } from '../output/markdown.ts'
import { progress } from '../output/progress.ts'
import { isReport, REPORT_FORMATS, type ReportFormat, report } from '../output/report.ts'
import type { Case } from '../output/reported.ts'
import { counted, line } from '../output/text.ts'
import { printUnread } from '../output/unread.ts'
import type { Decision, Verdict } from '../review/decision.ts'
import { DEFAULT_POLICY, type Policy } from '../review/policy.ts'
import { type Shifts, shiftsOf } from '../review/shares.ts'
import type { Finding } from '../rules/rule.ts'
import { type Sequence, sequenceOf } from '../sandbox/planner.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import { Session } from '../sandbox/session.ts'
import type { Unknown } from '../sandbox/unknowns.ts'
import { type ClusterFlags, clusterState, followed, sourceOf } from './cluster-source.ts'
import { type Cli, collect, examples, failOnOption, namespaceOption, onCluster, outputOption } from './command.ts'
import { describeUnknown, filesShow, isDenied, printUnknowns, type UnknownMode, unknownOption } from './not-known.ts'
import { differencesOf, statesFrom } from './plan-states.ts'
import { planJson, planLines } from './plan-text.ts'

interface CheckOptions extends ClusterFlags {
  /** What the cluster holds already, beside what is read from a real one. */
  readonly base: readonly string[]
  /** A commit: what it holds at the same paths is there already. */
  readonly baseGit?: string
  /** What the commit holds, and the paths hold no more, is deleted. */
  readonly prune: boolean
  readonly as: Tool
  readonly namespace?: string
  readonly output: OutputFormat | ReportFormat | 'markdown'
  readonly failOn: 'deny' | 'warn'
  readonly unknown: UnknownMode
  /** Pods of applied workloads stay unready, as right after a real apply. */
  readonly strictReady: boolean
}

interface Step extends Place {
  readonly object: string
  readonly operation: string
  readonly verdict: Verdict
  readonly findings: readonly PlacedFinding[]
  readonly message: string
}

interface PlacedFinding extends Pick<Finding, 'rule' | 'severity' | 'message' | 'remedy'>, Place {
  readonly object: string
}

/** A plan of more objects takes its time, which whoever only wants a verdict would wait for. */
const MOST_PLANNED = 200

const FILES_POLICY: Policy = { ...DEFAULT_POLICY, showForeignNames: true }

export function checkCommand({ io, done }: Cli): Command {
  return onCluster(new Command('check'), 'what the cluster holds already is read from it')
    .description('judge manifests as writes; workloads count as Ready once applied')
    .argument('<paths...>', 'files or folders; - is standard input')
    .option('--base <path>', 'what the cluster holds already; may be given more than once', collect, [])
    .option('--base-git <commit>', 'it holds what this commit has at the same paths')
    .option('--prune', 'delete what the commit has and the paths have no more', false)
    .addOption(new Option('--as <tool>', 'write in the order of this tool').choices(TOOLS).default('kubectl'))
    .addOption(namespaceOption())
    .addOption(unknownOption())
    .addOption(failOnOption())
    .option('--strict-ready', 'applied workloads have no Ready Pod, as right after a real apply', false)
    .addOption(outputOption([...REPORT_FORMATS, 'markdown']))
    .addHelpText(
      'after',
      examples(
        'hitless check --base old/ new/                             # files onto files',
        'hitless check mesh/ --base-git origin/main --prune         # what a branch changes',
        'helm template shop . -n prod | hitless check --cluster -n prod -   # a chart onto what runs'
      )
    )
    .action(async (paths: string[], options: CheckOptions) => done(await check(paths, options, io)))
}

/** Gives the exit code: 0 nothing to deny, 1 something would be denied, 2 bad input. */
async function check(paths: readonly string[], options: CheckOptions, io: Io): Promise<number> {
  const base = readManifests(options.base, io.stdin, options)
  const committed = readCommitted(paths, options, io)
  const read = acceptedByIstio(readManifests(paths, io.stdin, options))
  const written = options.strictReady ? { ...read, manifests: read.manifests.map(asJustApplied) } : read
  // All that a commit has may be gone.
  const nothing = options.baseGit === undefined ? nothingIn(paths, read) : []
  const errors = [...base.errors, ...committed.errors, ...written.errors, ...nothing]
  const shown = options.cluster ? null : filesShow(base, committed, written)
  const session = new Session(FILES_POLICY, io.nowMs, undefined, shown?.settings)
  if (options.cluster) session.sandbox.copy(await clusterState(sourceOf(options, io.env), io))
  for (const object of shown?.objects ?? []) session.sandbox.load(object)
  for (const { object } of [...base.manifests, ...committed.manifests]) if (object !== null) session.sandbox.load(object)
  const kept = new Set(written.manifests.flatMap(({ object }) => (object === null ? [] : [refKey(object)])))
  const pruned = options.prune ? committed.manifests.filter(({ object }) => object !== null && !kept.has(refKey(object))) : []
  const start = Sandbox.of(session.sandbox.snapshot())
  const writes = writesInOrder(written.manifests, pruned, options.as)
  const steps: Step[] = []
  const judging = progress(io)
  for (const [at, write] of writes.entries()) {
    judging.at(`${at} of ${writes.length} writes judged`)
    const step = await judged(write, session, options)
    if (step !== null) steps.push(step)
  }
  judging.done()
  const unknowns = shown?.unknowns ?? []
  const wholeChange = () => shiftsOf(start.snapshot(), endOf(start, writes, options), statesOf(start, writes))
  const orderly = () =>
    options.cluster
      ? plannedFromCluster(written.manifests, options, io)
      : planned(start, [...base.manifests, ...committed.manifests], written.manifests, pruned)
  const sequence = isPlanned(options.output) && isRefused(steps) ? await orderly() : null
  print({ steps, unknowns, errors, wholeChange, sequence }, options, io)
  printUnread(written, io)
  if (errors.length > 0) return EXIT.usage
  if (isDenied(unknowns, options.unknown, options.failOn)) return EXIT.denied
  const failed = steps.some(({ verdict }) => verdict === 'deny' || (options.failOn === 'warn' && verdict === 'warn'))
  return failed ? EXIT.denied : EXIT.ok
}

function readCommitted(paths: readonly string[], options: CheckOptions, { env }: Io): Manifests {
  const { baseGit, prune } = options
  if (baseGit !== undefined) {
    if (paths.includes('-'))
      throw new HitlessError('HITLESS_USAGE', 'standard input stands in no commit: --base-git needs files or folders')
    return readManifestsAt({ ref: baseGit, env }, paths, options)
  }
  if (prune) throw new HitlessError('HITLESS_USAGE', '--prune needs --base-git: only a commit tells what was there and is no more')
  return { manifests: [], errors: [], others: [] }
}

async function judged({ manifest, deletes }: Write, session: Session, { strictReady }: CheckOptions): Promise<Step | null> {
  if (manifest.object === null) return null
  const written = deletes ? await session.delete(manifest.object) : await session.apply(manifest.object)
  if (written === null) return null
  const { change, decision } = written
  if (!deletes && decision.verdict !== 'deny' && !strictReady) {
    session.sandbox.ready(change.ref.namespace, change.ref.name, change.ref.kind)
  }
  const found = decision.findings.map(raised)
  return {
    object: formatRef(change.ref),
    operation: change.operation,
    verdict: verdictOf(decision, found),
    findings: found.map((finding) => placed(finding, manifest)),
    message: decision.message,
    ...placeIn(manifest, [])
  }
}

/** A misplaced field is only a warning at admission, where the object has lost it already; a file can still be mended. */
function raised(finding: Finding): Finding {
  return finding.rule === 'misplaced-field' ? { ...finding, severity: 'deny' } : finding
}

function verdictOf({ verdict }: Decision, findings: readonly Finding[]): Verdict {
  return findings.some(({ severity }) => severity === 'deny') ? 'deny' : verdict
}

/** The place of the field at fault where it stands in this manifest, else of the manifest. */
function placed(finding: Finding, manifest: Manifest): PlacedFinding {
  const { object } = finding
  const own =
    manifest.object?.kind === object.kind && manifest.object.namespace === object.namespace && manifest.object.name === object.name
  const { rule, severity, message, remedy } = finding
  return { rule, severity, object: formatRef(object), message, remedy, ...placeIn(manifest, own ? finding.path : []) }
}

interface Checked {
  readonly steps: readonly Step[]
  readonly unknowns: readonly Unknown[]
  readonly errors: readonly HitlessError[]
  /** What all writes together do, refused ones too. Worked out where it is asked for. */
  readonly wholeChange: () => Shifts
  /** A plan for the same change; null where nothing is refused, nobody asked for one, or it is too much for one release. */
  readonly sequence: Sequence | null
}

function print(checked: Checked, { output, unknown }: CheckOptions, io: Io): void {
  const { steps, unknowns, errors, wholeChange, sequence } = checked
  printErrors(errors, io)
  if (output === 'text') {
    printText(`${summaryOf(steps, io)}${findingLines(steps, io)}`, io)
    printUnknowns(unknowns, unknown, (text) => printText(text, io))
  } else if (output === 'markdown') io.out(markdown(reportOf(checked, unknown)))
  else if (isReport(output)) io.out(report(output, steps.map(caseOf), io.version))
  else {
    const unknownToo = unknown === 'ignore' || unknowns.length === 0 ? {} : { unknown: unknowns }
    const { shifts, notCompared } = wholeChange()
    const plan = sequence === null ? {} : { plan: planJson(sequence) }
    printData({ steps, ...unknownToo, shifts, ...(notCompared.length === 0 ? {} : { notCompared }), ...plan }, output, io)
  }
}

function reportOf({ steps, unknowns, wholeChange, sequence }: Checked, unknown: UnknownMode): ChangeReport {
  const denied = steps.filter(({ verdict }) => verdict === 'deny').length
  return {
    ...wholeChange(),
    writes: steps.length,
    denied,
    warned: steps.filter(({ verdict }) => verdict === 'warn').length,
    findings: steps.flatMap((step) => caseOf(step).findings),
    unknown: unknown === 'ignore' ? [] : unknowns.map(describeUnknown),
    plan: planOf(sequence)
  }
}

function isRefused(steps: readonly Step[]): boolean {
  return steps.some(({ verdict }) => verdict === 'deny')
}

function planOf(sequence: Sequence | null): ChangeReport['plan'] {
  return sequence === null ? null : { isSafe: sequence.stuck.length === 0, lines: planLines(sequence) }
}

/** A Pod is not Ready yet; those of workloads are not there yet. */
function asJustApplied(manifest: Manifest): Manifest {
  const { object } = manifest
  return object?.kind === 'Pod' ? { ...manifest, object: { ...object, ready: false } } : manifest
}

/** The state in which all writes were made, whatever was said of them. */
function endOf(start: Sandbox, writes: readonly Write[], { strictReady }: CheckOptions): Snapshot {
  const end = Sandbox.of(start.snapshot())
  for (const { manifest, deletes } of writes) {
    const { object } = manifest
    if (object === null) continue
    end.admitted({
      ref: object,
      before: end.snapshot().find(object.kind, object.namespace, object.name) ?? null,
      after: deletes ? null : object
    })
    if (!deletes && !strictReady) end.ready(object.namespace, object.name, object.kind)
  }
  return end.snapshot()
}

/** Every written object as it was and as it will be. */
function statesOf(start: Sandbox, writes: readonly Write[]): MeshObject[] {
  return writes.flatMap(({ manifest: { object }, deletes }) => {
    if (object === null) return []
    const before = start.snapshot().find(object.kind, object.namespace, object.name)
    return [...(before === undefined ? [] : [before]), ...(deletes ? [] : [object])]
  })
}

function planned(start: Sandbox, from: readonly Manifest[], written: readonly Manifest[], pruned: readonly Manifest[]): Sequence | null {
  const gone = new Set(pruned.map(({ object }) => (object === null ? '' : refKey(object))))
  const kept = from.filter(({ object }) => object === null || !gone.has(refKey(object)))
  const differences = differencesOf(from, [...kept, ...written])
  return differences.length > MOST_PLANNED ? null : sequenceOf(start.snapshot(), differences)
}

/** The cluster is looked at once more, for the objects as they are stored. null where they cannot be read: the verdicts stand without a plan. */
async function plannedFromCluster(written: readonly Manifest[], options: CheckOptions, io: Io): Promise<Sequence | null> {
  if (written.length > MOST_PLANNED) return null
  const { Objects } = await import('../kubernetes/objects.ts')
  try {
    return await followed(sourceOf(options, io.env), io, async (cluster) => {
      const now = { snapshot: cluster.snapshot(), objects: new Objects(cluster.connection) }
      const { snapshot, differences, starting } = await statesFrom(now, [], written, io.signal)
      return sequenceOf(snapshot, differences, { starting })
    })
  } catch (error) {
    if (error instanceof HitlessError && error.code === 'HITLESS_UNREACHABLE') return null
    throw error
  }
}

function isPlanned(output: CheckOptions['output']): boolean {
  return output === 'markdown' || output === 'json' || output === 'yaml'
}

function caseOf({ operation, object, file, findings }: Step): Case {
  const reported = findings.map(({ rule, severity, object, message, remedy, ...place }) => ({
    rule,
    severity,
    object,
    text: `${message}. ${remedy}.`,
    place
  }))
  return { name: `${operation} ${object}`, group: file, findings: reported }
}

/** What would become of the change. */
function summaryOf(steps: readonly Step[], { colour }: Io): string {
  const [denied, warned] = (['deny', 'warn'] as const).map((verdict) => steps.filter((step) => step.verdict === verdict).length)
  const style = denied !== 0 ? 'red' : warned !== 0 ? 'yellow' : 'green'
  return line([{ text: `${counted(steps.length, 'write')}: ${denied} would be denied, ${warned} with warnings`, style }], colour)
}

function findingLines(steps: readonly Step[], { colour }: Io): string {
  const lines = steps
    .flatMap(({ findings }) => findings)
    .map(({ file, line: row, column, severity, rule, message, remedy }) => {
      const word = { text: severity, style: severity === 'deny' ? ('red' as const) : ('yellow' as const) }
      return line([`${file}:${row}:${column}: `, word, ` [${rule}] `, `${message}. `, `${remedy}.`], colour)
    })
  return lines.join('')
}
