/** The decision on one change, by pure code: what it opens, what the rules say, and what policy makes of that. */
import { affectedTargets } from '../mesh/affected.ts'
import { gapsOfChange } from '../mesh/gaps.ts'
import { sameLabels } from '../mesh/labels.ts'
import type { Deployment, Labels, MeshObject, ObjectRef, Pod } from '../mesh/objects.ts'
import { formatRef } from '../mesh/objects.ts'
import { overlay, type Snapshot } from '../mesh/snapshot.ts'
import { RULES } from '../rules/index.ts'
import type { Finding, Subject } from '../rules/rule.ts'
import { alwaysAdmitted, isNoOp } from './admitted.ts'
import type { Change } from './change.ts'
import type { Decision } from './decision.ts'
import { exemptionOf } from './exemption.ts'
import { hintFor } from './hints.ts'
import { denial, warnings as warningsOf, warningText } from './message.ts'
import { modeOf, type Policy } from './policy.ts'
import { isStandIn, standIns } from './stand-ins.ts'

export const ADMITTED: Decision = { verdict: 'allow', findings: [], message: '', warnings: [], auditAnnotations: {} }

/** Judges a change against what is known of the cluster. Pure: it asks nothing and changes nothing. `nowMs` decides which exemptions have expired. */
export function decide(change: Change, snapshot: Snapshot, policy: Policy, nowMs: number): Decision {
  const reason = alwaysAdmitted(change, snapshot, policy)
  if (reason !== null) return { ...ADMITTED, auditAnnotations: { admitted: reason } }
  if (isNoOp(change)) return ADMITTED
  const found = judge(change, snapshot, policy)
  return conclude(change, found, snapshot, policy, nowMs)
}

/** The snapshots before and after a change; `before` shows the stored object as the API server sent it, which is newer than any cache. */
export function snapshotsOf(change: Change, snapshot: Snapshot): { before: Snapshot; after: Snapshot } {
  const before = change.before === null ? overlay(snapshot, { removed: [change.ref] }) : overlay(snapshot, { added: [change.before] })
  const pods = podsAfter(change, snapshot)
  const added = change.after === null ? pods.added : [change.after, ...pods.added]
  return { before, after: overlay(before, { removed: [change.ref, ...pods.removed], added }) }
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

function conclude(change: Change, found: readonly Finding[], snapshot: Snapshot, policy: Policy, nowMs: number): Decision {
  const namespace = snapshot.find('Namespace', '', change.ref.namespace)?.labels ?? {}
  const notes: string[] = []
  const audit: Record<string, string> = {}
  const findings = exempt(change, lower(change, found, policy, namespace), nowMs, notes, audit).sort(byWeight)
  const denials = findings.filter(({ severity }) => severity === 'deny')
  const warnings = [...notes.map(warningText), ...findings.filter(({ severity }) => severity === 'warn').flatMap(warningsOf)]
  if (findings.length > 0) audit['rules'] = [...new Set(findings.map(({ rule }) => rule))].join(',')
  if (denials.length > 0) {
    return { verdict: 'deny', findings, message: denial(denials, hintFor(change)), warnings, auditAnnotations: audit }
  }
  return { verdict: warnings.length > 0 ? 'warn' : 'allow', findings, message: '', warnings, auditAnnotations: audit }
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

function exempt(change: Change, findings: readonly Finding[], nowMs: number, notes: string[], audit: Record<string, string>): Finding[] {
  if (findings.every(({ severity }) => severity !== 'deny')) return [...findings]
  const exemption = exemptionOf((change.after ?? change.before)?.annotations ?? {}, nowMs)
  if (exemption === null) return [...findings]
  if (typeof exemption === 'string') {
    notes.push(exemption)
    return [...findings]
  }
  return findings.map((finding) => {
    if (finding.severity !== 'deny' || !exemption.rules.includes(finding.rule)) return finding
    audit['exempted'] = [audit['exempted'], finding.rule].filter((rule) => rule !== undefined).join(',')
    audit['exemption-reason'] = exemption.reason.slice(0, 200)
    return { ...finding, severity: 'warn' as const }
  })
}

/** A Deployment's Pods after a write: none once it is deleted or at 0; moved to the new labels, as a rolling update does, when the template changes. */
function podsAfter({ before, after }: Change, snapshot: Snapshot): { removed: ObjectRef[]; added: MeshObject[] } {
  if (before?.kind !== 'Deployment') return { removed: [], added: [] }
  const pods = [...snapshot.lookup('podByDeployment', `${before.namespace}/${before.name}`)]
  if (after === null || (after.kind === 'Deployment' && after.replicas === 0)) return { removed: pods, added: [] }
  if (after.kind !== 'Deployment' || sameTemplate(before, after)) return { removed: [], added: [] }
  return { removed: [], added: pods.map((pod) => relabelled(pod, before, after)) }
}

/** Labels that the template does not name come from controllers and stay. */
function relabelled(pod: Pod, before: Deployment, after: Deployment): Pod {
  const kept = Object.entries(pod.labels).filter(([key]) => !(key in before.templateLabels))
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
