/** The decision on one change, by pure code: what it opens, what the rules say, and what policy makes of that. */

import { formatRef, homeOf, type MeshObject, type ObjectRef, refKey, writtenKind } from '../kinds/index.ts'
import { dearest, type Unjudged } from '../mesh/gaps/allowance.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Labels } from '../mesh/names/labels.ts'
import { type InParts, whole } from '../mesh/snapshot/in-parts.ts'
import { TooMuchWork } from '../mesh/snapshot/metered.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { RULES } from '../rules/index.ts'
import type { Excuse, Finding, Rule, Statement, Subject } from '../rules/rule.ts'
import { alwaysAdmitted, isNoOp } from './always-admitted.ts'
import type { Change } from './change.ts'
import { isOfNoMesh, whyCarriedOut } from './consequence.ts'
import type { Decision } from './decision.ts'
import { ALLOW_ANNOTATION, exemptionOf } from './exemption.ts'
import { hintFor, toolOf } from './hints.ts'
import { type Judgement, judgementInParts, withKnownParts } from './judgement.ts'
import { excuseOf, isInMesh } from './limits.ts'
import { denial, warnings as warningsOf, warningText } from './message.ts'
import { modeOf, type Policy } from './policy.ts'
import { waypointNotes } from './waypoints.ts'

/** Objects that are named, each for the work it makes; of the rest there is a number. */
const MOST_CAUSES = 3
/** Steps of work that one rule may take. */
const RULE_WORK = 1_000_000

export const ADMITTED: Decision = {
  verdict: 'allow',
  outcome: 'bypassed',
  observed: false,
  findings: [],
  message: '',
  warnings: [],
  auditAnnotations: {},
  claims: [],
  exempted: []
}

/** A decision, and the judgement that it was made of; null where none was needed. */
export interface Judged {
  readonly decision: Decision
  readonly judgement: Judgement | null
}

export type MayExempt = (rule: string) => boolean

/**
 * Judges a change against what is known of the cluster. Pure: it asks nothing and changes nothing. `nowMs` decides which exemptions have
 * expired; `mayExempt` whether the author may let the object past a rule.
 */
export function* judgeInParts(
  asked: Change,
  snapshot: Snapshot,
  policy: Policy,
  nowMs: number,
  mayExempt: MayExempt = () => true
): InParts<Judged> {
  const reason = alwaysAdmitted(asked, snapshot, policy)
  if (reason !== null) return { decision: { ...ADMITTED, auditAnnotations: { admitted: reason } }, judgement: null }
  const change = withKnownParts(asked, snapshot)
  if (isNoOp(change) || isOfNoMesh(change, snapshot)) return { decision: { ...ADMITTED, outcome: 'no-op' }, judgement: null }
  const judgement = yield* judgementInParts(change, snapshot)
  const namespace = snapshot.find('Namespace', '', homeOf(change.ref))?.labels ?? {}
  const { findings, unjudged } = yield* findingsOf(judgement, policy)
  const ending = judgement.change.operation === judgement.asked.operation ? [] : [whyCarriedOut(judgement.asked, snapshot) ?? []].flat()
  const found = lower(change, findings, policy, namespace)
  return { decision: conclude(change, exempt(change, found, nowMs, mayExempt), ending, unjudged), judgement }
}

export function judge(...asked: Parameters<typeof judgeInParts>): Judged {
  return whole(judgeInParts(...asked))
}

export function decide(...asked: Parameters<typeof judgeInParts>): Decision {
  return judge(...asked).decision
}

interface Found {
  readonly findings: Finding[]
  /** What could not be judged, in words. */
  readonly unjudged: string[]
}

function* findingsOf(judgement: Judgement, policy: Policy): InParts<Found> {
  const { change, before, after, meter, targets, tablesAfter, gaps, opened } = judgement
  const excuses = new Map<Gap, Excuse | null>()
  for (const gap of opened) {
    const excuse = excuseOf(judgement, policy, gap)
    if (excuse !== 'off') excuses.set(gap, excuse)
    yield
  }
  const nameOf = (ref: ObjectRef) => nameFor(ref, homeOf(change.ref), policy)
  const unjudged = [...notesOn(judgement.unjudged, refKey(change.ref), nameOf), ...waypointNotes(judgement)]
  const subject: Subject = {
    written: change.ref,
    operation: change.operation,
    tool: toolOf(change),
    before: change.before,
    after: change.after,
    snapshotBefore: before,
    snapshotAfter: after,
    tablesAfter,
    targets,
    gaps,
    opened: [...excuses.keys()],
    isOpened: (gap) => excuses.has(gap),
    excuseOf: (gap) => excuses.get(gap) ?? null,
    isInMesh: (service) => isInMesh(after, service),
    fallbackAtGateways: policy.fallbackAtGateways,
    labelKeys: policy.labelKeys,
    nameOf
  }
  const findings: Finding[] = []
  for (const rule of RULES) {
    if (!rule.on.includes(change.ref.kind)) continue
    yield
    meter.renew(RULE_WORK)
    const statements = checked(rule, subject)
    if (statements === null) unjudged.push(`rule ${rule.id} was not checked: that is too much work`)
    for (const statement of statements ?? []) findings.push({ rule: rule.id, ...statement })
  }
  return { findings, unjudged }
}

/** null where it is too much work. */
function checked(rule: Rule, subject: Subject): readonly Statement[] | null {
  try {
    return rule.check(subject)
  } catch (error) {
    if (error instanceof TooMuchWork) return null
    throw error
  }
}

/** Each object that makes too much work once, with one of its hosts. */
function notesOn(unjudged: readonly Unjudged[], written: string, nameOf: (ref: ObjectRef) => string): string[] {
  const byCause = new Map<string, { host: string; clients: Unjudged['clients']; others: number; object: MeshObject | null }>()
  for (const { host, clients, error } of unjudged) {
    const object = clients === 'some' ? null : dearest(error, written)
    const key = object === null ? clients : refKey(object)
    const known = byCause.get(key)
    if (known === undefined) byCause.set(key, { host, clients, others: 0, object })
    else known.others++
  }
  const causes = [...byCause.values()]
  const notes = causes.slice(0, MOST_CAUSES).map(({ host, clients, others, object }) => {
    if (clients === 'some') return `requests to ${host} from some clients were not judged: too many are told apart by their labels`
    const why = object === null ? 'too much is written about it' : `${nameOf(object)} makes too much work`
    return `requests to ${host}${others === 0 ? '' : ` and ${others} more`} were not judged: ${why}`
  })
  if (causes.length > MOST_CAUSES) notes.push(`and those that ${causes.length - MOST_CAUSES} more objects make too much work of`)
  return notes
}

function conclude(change: Change, exemptions: Exempted, ending: readonly string[], unjudged: readonly string[]): Decision {
  const { findings: found, claims, exempted, audit: exemption } = exemptions
  const notes = [...ending, ...unjudged, ...exemptions.notes]
  const findings = [...found].sort(byWeight)
  const denials = findings.filter(({ severity }) => severity === 'deny')
  const warnings = warningsOf(
    notes,
    findings.filter(({ severity }) => severity === 'warn')
  )
  const audit = {
    ...exemption,
    ...(findings.length > 0 ? { rules: [...new Set(findings.map(({ rule }) => rule))].join(',') } : {}),
    ...(unjudged.length > 0 ? { 'not-judged': warningText(unjudged.join('; ')) } : {})
  }
  const verdict = denials.length > 0 ? 'deny' : warnings.length > 0 ? 'warn' : 'allow'
  const message = denials.length > 0 ? denial(denials, hintFor(change)) : ''
  return { verdict, outcome: 'judged', observed: false, findings, message, warnings, auditAnnotations: audit, claims, exempted }
}

/** Modes of the cluster and the namespace, and dry runs: a batch is dry-run before any of it is written, so what rests on other objects only warns - as
 * every denial does: even a missing fallback can stand in another VirtualService. */
function lower(change: Change, found: readonly Finding[], policy: Policy, namespace: Labels): Finding[] {
  return found.flatMap((finding) => {
    const mode = modeOf(policy, finding.rule, namespace)
    if (mode === 'off') return []
    const warnOnly = mode === 'warn' || (change.dryRun && policy.dryRun === 'warn')
    return [warnOnly ? { ...finding, severity: 'warn' as const } : finding]
  })
}

interface Exempted extends Pick<Decision, 'findings' | 'claims' | 'exempted'> {
  readonly notes: readonly string[]
  readonly audit: Readonly<Record<string, string>>
}

function exempt(change: Change, findings: readonly Finding[], nowMs: number, mayExempt: (rule: string) => boolean): Exempted {
  const nothing: Exempted = { findings, claims: [], exempted: [], notes: [], audit: {} }
  if (findings.every(({ severity }) => severity !== 'deny')) return nothing
  const exemption = exemptionOf((change.after ?? change.before)?.annotations ?? {}, nowMs)
  if (exemption === null) return nothing
  if (typeof exemption === 'string') return { ...nothing, notes: [exemption] }
  const isNamed = ({ rule, severity }: Finding) => severity === 'deny' && exemption.rules.includes(rule)
  const named = [...new Set(findings.filter(isNamed).map(({ rule }) => rule))]
  const exempted = named.filter(mayExempt)
  const claims = named.filter((rule) => !mayExempt(rule))
  return {
    findings: findings.map((finding) => (isNamed(finding) && mayExempt(finding.rule) ? { ...finding, severity: 'warn' } : finding)),
    claims,
    exempted,
    notes: claims.map(
      (rule) => `${ALLOW_ANNOTATION} does not count: ${change.author.username} may not exempt from rules.hitless.io/${rule}`
    ),
    audit: exempted.length === 0 ? {} : { exempted: exempted.join(','), 'exemption-reason': exemption.reason.slice(0, 200) }
  }
}

/** Hosts may be shown to everybody; the names of objects in other namespaces only where policy says so. */
export function nameFor(ref: ObjectRef, namespace: string, { showForeignNames }: Policy): string {
  if (showForeignNames || homeOf(ref) === namespace) return formatRef(ref)
  const kind = writtenKind(ref.kind)
  return `${/^[AEIOU]|^HTTP/.test(kind) ? 'an' : 'a'} ${kind} of another namespace`
}

function byWeight(one: Finding, other: Finding): number {
  return rank(one) - rank(other)
}

/** Denials first, then by the order of the rules; the sort is stable for the rest. */
function rank({ severity, rule }: Finding): number {
  return (severity === 'deny' ? 0 : RULES.length) + RULES.findIndex(({ id }) => id === rule)
}
