/** `hitless audit`: every gap and hygiene finding of a state. */

import { Command } from 'commander'
import { EVERY_REQUEST } from '../kinds/http-rule.ts'
import { formatRef } from '../kinds/index.ts'
import type { Place } from '../manifests/manifests.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { formatPath } from '../mesh/names/path.ts'
import { describeClass } from '../mesh/requests/classes.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { EXIT, type Io, type OutputFormat, printData, printText } from '../output/io.ts'
import { stateMarkdown } from '../output/markdown.ts'
import { isReport, REPORT_FORMATS, type ReportFormat, report } from '../output/report.ts'
import type { Case, Reported } from '../output/reported.ts'
import { counted, line, type Style } from '../output/text.ts'
import { type Audit, type AuditedGap, audit } from '../review/audit.ts'
import { DEFAULT_POLICY } from '../review/policy.ts'
import type { Finding, Severity } from '../rules/rule.ts'
import { isLost, percent } from '../rules/wording.ts'
import type { ClusterFlags } from './cluster-source.ts'
import { type Cli, examples, failOnOption, namespaceOption, onCluster, outputOption } from './command.ts'
import { type LookedAt, stateOf } from './looked-at.ts'
import { describeUnknown, isDenied, printUnknowns, type UnknownMode, unknownOption } from './not-known.ts'

interface AuditOptions extends ClusterFlags {
  readonly namespace?: string
  readonly output: OutputFormat | ReportFormat | 'markdown'
  readonly failOn: 'deny' | 'warn'
  readonly unknown: UnknownMode
  readonly refusals: boolean
}

export function auditCommand({ io, done }: Cli): Command {
  return onCluster(new Command('audit'), 'look at a cluster instead of files')
    .description(
      'every gap and hygiene finding of a state; exit code 1 where requests go unanswered, but for those that a gateway has no route for'
    )
    .argument('[paths...]', 'files or folders; - is standard input')
    .addOption(namespaceOption())
    .option(
      '--refusals',
      'what was refused lately, or (mode observe) would have been, and to whom: by the Events of --cluster, or of --namespace there',
      false
    )
    .addOption(unknownOption())
    .addOption(failOnOption())
    .addOption(outputOption([...REPORT_FORMATS, 'markdown']))
    .addHelpText(
      'after',
      examples(
        'hitless audit mesh/',
        'hitless audit --cluster --context prod',
        'hitless audit --cluster --fail-on warn -o json',
        'hitless audit --cluster --refusals'
      )
    )
    .action(async (paths: string[], options: AuditOptions) => {
      const run = options.refusals ? (await import('./refusals.ts')).listRefusals : auditState
      done(await run(paths, options, io))
    })
}

/** Gives the exit code: 1 where there is a gap, or a finding that would be denied; 2 for bad input. */
async function auditState(paths: readonly string[], options: AuditOptions, io: Io): Promise<number> {
  const looked = await stateOf(paths, { ...options, standInPods: true }, io)
  const exit = printAudit(looked, options, io)
  return looked.errors.length > 0 ? EXIT.usage : exit
}

function printAudit({ snapshot, placeOf, unknowns }: LookedAt, { output, failOn, unknown }: AuditOptions, io: Io): number {
  const found = audit(snapshot, { ...DEFAULT_POLICY, showForeignNames: true })
  if (output === 'text') {
    printText(toText(found, placeOf, io.colour), io)
    printUnknowns(unknowns, unknown, (text) => printText(text, io))
  } else if (output === 'markdown') {
    const findings = casesOf(found, placeOf).flatMap((each) => each.findings)
    io.out(stateMarkdown({ answer: headline(found), findings, unknown: unknown === 'ignore' ? [] : unknowns.map(describeUnknown) }))
  } else if (isReport(output)) io.out(report(output, casesOf(found, placeOf), io.version))
  else printData({ ...toJson(found), ...(unknown === 'ignore' || unknowns.length === 0 ? {} : { unknown: unknowns }) }, output, io)
  const failed =
    isDenied(unknowns, unknown, failOn) ||
    [...found.gaps, ...found.findings].some(({ severity }) => severity === 'deny' || failOn === 'warn')
  return failed ? EXIT.denied : EXIT.ok
}

function toJson({ gaps, findings }: Audit) {
  return { gaps: gaps.map(gapJson), findings: findings.map(findingJson) }
}

function gapJson({ rule, severity, gap }: AuditedGap) {
  const { context, host, port, requestClass, share, status, source, path, destination } = gap
  return {
    rule,
    severity,
    context: context.kind,
    namespace: context.namespace,
    gateway: context.kind === 'gateway' ? context.labels : null,
    host,
    port,
    class: describeClass(requestClass),
    share,
    status,
    object: source === null ? null : formatRef(source),
    path: formatPath(path),
    destination: destination === null ? null : { host: destination.host, subset: destination.subset, port: destination.port }
  }
}

function findingJson({ rule, severity, object, path, message, remedy }: Finding) {
  return { rule, severity, object: formatRef(object), path: formatPath(path), message, remedy }
}

/** One case an object that something was found in; of a gap in Istio's own default routes, the host. */
function casesOf({ gaps, findings }: Audit, placeOf: LookedAt['placeOf']): Case[] {
  const reported: Reported[] = [
    ...gaps.map(({ rule, severity, gap }) => {
      const { source, path } = gap
      const object = source === null ? gap.host : formatRef(source)
      return { rule, severity, object, text: gapText(gap), place: source === null ? null : placeOf(source, path) }
    }),
    ...findings.map(({ rule, severity, object, path, message, remedy }) => ({
      rule,
      severity,
      object: formatRef(object),
      text: `${message}. ${remedy}.`,
      place: placeOf(object, path)
    }))
  ]
  const byObject = Map.groupBy(reported, ({ object }) => object)
  return [...byObject].map(([name, found]) => ({ name, group: found[0]?.place?.file ?? 'audit', findings: found }))
}

function gapText(gap: Gap): string {
  const where = gap.source === null ? "Istio's default route" : `${formatRef(gap.source)} ${formatPath(gap.path)}`
  const { destination } = gap
  const to =
    destination === null || destination.host === NOWHERE
      ? ''
      : ` -> ${destination.host}${destination.subset === null ? '' : ` subset ${destination.subset}`}`
  const rest = gap.cause === 'no-route' && gap.requestClass === EVERY_REQUEST ? ' that match none of its routes' : ''
  return `${percent(gap.share)} of ${describeClass(gap.requestClass, `${gap.host}:${gap.port}`)} (${gap.context.kind})${rest} ${isLost(gap)}: ${where}${to}`
}

/** How much was found, then the gaps, then the findings, each with the file and line that it stands in. */
function toText({ gaps, findings }: Audit, placeOf: LookedAt['placeOf'], colour: boolean): string {
  const found = [...gaps, ...findings]
  const style = found.some(({ severity }) => severity === 'deny') ? 'red' : found.length > 0 ? 'yellow' : 'green'
  const told = (word: string, severity: Severity, text: string, place: Place | null, rule: string) => {
    const where = place === null ? '' : ` (${place.file}:${place.line})`
    const parts = [{ text: word.padEnd(4), style: styleOf(severity) }, ` ${text}${where} `, { text: `[${rule}]`, style: 'dim' as const }]
    return line(parts, colour)
  }
  return [
    line([{ text: headline({ gaps, findings }), style }], colour),
    ...gaps.map(({ rule, severity, gap }) => {
      const { source, path } = gap
      return told(severity === 'deny' ? 'gap' : 'warn', severity, gapText(gap), source === null ? null : placeOf(source, path), rule)
    }),
    ...findings.map(({ severity, object, path, message, remedy, rule }) => {
      const place = placeOf(object, path)
      const field = place === null && path.length > 0 ? `${formatRef(object)} ${formatPath(path)}: ` : ''
      return told(severity, severity, `${field}${message}. ${remedy}.`, place, rule)
    })
  ].join('')
}

function headline({ gaps, findings }: Audit): string {
  return `${counted(gaps.length, 'gap')}, ${counted(findings.length, 'finding')}`
}

function styleOf(severity: Severity): Style {
  return severity === 'deny' ? 'red' : 'yellow'
}
