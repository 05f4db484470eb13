/** The decision on one change, by pure code: what it opens, what the rules say, and what policy makes of that. */
import { affectedTargets } from '../mesh/gaps/affected.ts'
import { gapsOfChange } from '../mesh/gaps/gaps.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import type { Deployment, Labels, MeshObject, ObjectRef, Pod } from '../mesh/snapshot/objects.ts'
import { formatRef } from '../mesh/snapshot/objects.ts'
import { overlay, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { podsLeaving } from '../mesh/snapshot/workloads.ts'
import { RULES } from '../rules/index.ts'
import type { Finding, Subject } from '../rules/rule.ts'
import { alwaysAdmitted, isNoOp } from './always-admitted.ts'
import type { Change } from './change.ts'
import type { Decision } from './decision.ts'
import { ALLOW_ANNOTATION, exemptionOf } from './exemption.ts'
import { hintFor } from './hints.ts'
import { denial, warnings as warningsOf, warningText } from './message.ts'
import { modeOf, type Policy } from './policy.ts'
import { isStandIn, standIns } from './stand-ins.ts'

export const ADMITTED: Decision = {
  verdict: 'allow',
  findings: [],
  message: '',
  warnings: [],
  auditAnnotations: {},
  claims: [],
  exempted: []
}

/**
 * Judges a change against what is known of the cluster. Pure: it asks nothing and changes nothing. `nowMs` decides which exemptions have
 * expired; `mayExempt` whether the author may let the object past a rule.
 */
export function decide(
  change: Change,
  snapshot: Snapshot,
  policy: Policy,
  nowMs: number,
  mayExempt: (rule: string) => boolean = () => true
): Decision {
  const reason = alwaysAdmitted(change, snapshot, policy)
  if (reason !== null) return { ...ADMITTED, auditAnnotations: { admitted: reason } }
  if (isNoOp(change)) return ADMITTED
  const found = judge(change, snapshot, policy)
  const namespace = snapshot.find('Namespace', '', change.ref.namespace)?.labels ?? {}
  return conclude(change, exempt(change, lower(change, found, policy, namespace), nowMs, mayExempt))
}

/** The snapshots before and after a change; `before` shows the stored object as the API server sent it, which is newer than any cache. */
export function snapshotsOf(change: Change, snapshot: Snapshot): { before: Snapshot; after: Snapshot } {
  const pods = podsAfter(change, snapshot)
  const removed = [change.ref, ...pods.removed]
  const added = change.after === null ? pods.added : [change.after, ...pods.added]
  const before = asStored(change, snapshot)
  return { before, after: overlay(before, { removed, added }) }
}

/** Nothing is laid over a cache that shows the stored object already: each layer costs every look-up. */
function asStored({ ref, before }: Change, snapshot: Snapshot): Snapshot {
  const cached = snapshot.find(ref.kind, ref.namespace, ref.name)
  if (before === null) return cached === undefined ? snapshot : overlay(snapshot, { removed: [ref] })
  const isShown =
    cached === before || (cached?.uid === before.uid && before.resourceVersion !== '' && cached.resourceVersion === before.resourceVersion)
  return isShown ? snapshot : overlay(snapshot, { added: [before] })
}

function judge(change: Change, snapshot: Snapshot, policy: Policy): Finding[] {
  const { before, after } = snapshotsOf(change, overlay(snapshot, { added: standIns(change.after, snapshot) }))
  const objects = [change.before, change.after].filter((object): object is MeshObject => object !== null)
  const targets = affectedTargets(before, after, objects)
  const { all, opened } = gapsOfChange(before, after, targets)
  const subject: Subject = {
    operation: change.operation,
    before: change.before,
    after: change.after,
    snapshotBefore: before,
    snapshotAfter: after,
    targets,
    gaps: all,
    opened: opened.filter(({ context }) => !isStandIn(context)),
    labelKeys: policy.labelKeys,
    nameOf: (ref) => nameFor(ref, change.ref.namespace, policy)
  }
  return RULES.filter(({ on }) => on.includes(change.ref.kind)).flatMap((rule) =>
    rule.check(subject).map((statement) => ({ rule: rule.id, ...statement }))
  )
}

function conclude(change: Change, { findings: found, claims, exempted, notes, audit: exemption }: Exempted): Decision {
  const findings = [...found].sort(byWeight)
  const denials = findings.filter(({ severity }) => severity === 'deny')
  const warnings = [...notes.map(warningText), ...findings.filter(({ severity }) => severity === 'warn').flatMap(warningsOf)]
  const audit = findings.length > 0 ? { ...exemption, rules: [...new Set(findings.map(({ rule }) => rule))].join(',') } : exemption
  const verdict = denials.length > 0 ? 'deny' : warnings.length > 0 ? 'warn' : 'allow'
  const message = denials.length > 0 ? denial(denials, hintFor(change)) : ''
  return { verdict, findings, message, warnings, auditAnnotations: audit, claims, exempted }
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

/** A Deployment's Pods after a write: none once it is deleted or at 0; moved to the new labels, as a rolling update does, when the template changes. */
function podsAfter(change: Change, snapshot: Snapshot): { removed: ObjectRef[]; added: MeshObject[] } {
  const { before, after } = change
  const removed = podsLeaving(change, snapshot)
  if (before?.kind !== 'Deployment' || after?.kind !== 'Deployment' || sameTemplate(before, after)) return { removed, added: [] }
  const pods = [...snapshot.lookup('podByDeployment', `${before.namespace}/${before.name}`)]
  return { removed, added: removed.length > 0 ? [] : pods.map((pod) => relabelled(pod, before, after)) }
}

/** Labels that the template does not name come from controllers and stay. */
function relabelled(pod: Pod, before: Deployment, after: Deployment): Pod {
  const kept = Object.entries(pod.labels).filter(([key]) => !Object.hasOwn(before.templateLabels, key))
  return { ...pod, labels: { ...Object.fromEntries(kept), ...after.templateLabels } }
}

/** The Pods of both have the same labels. */
export function sameTemplate(before: Deployment, after: Deployment): boolean {
  return sameLabels(before.templateLabels, after.templateLabels)
}

/** Hosts may be shown to everybody; the names of objects in other namespaces only where policy says so. */
function nameFor(ref: ObjectRef, namespace: string, { showForeignNames }: Policy): string {
  if (showForeignNames || ref.namespace === namespace) return formatRef(ref)
  return `a ${ref.kind} of another namespace`
}

function byWeight(one: Finding, other: Finding): number {
  return rank(one) - rank(other)
}

/** Denials first, then by the order of the rules; the sort is stable for the rest. */
function rank({ severity, rule }: Finding): number {
  return (severity === 'deny' ? 0 : RULES.length) + RULES.findIndex(({ id }) => id === rule)
}
