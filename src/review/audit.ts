/** A state as it stands: every gap in it, and every hygiene finding. What admission could not see, because no single write opened it, shows here. */

import { formatRef, JUDGED_KINDS, type MeshObject, refKey } from '../kinds/index.ts'
import { everyTarget } from '../mesh/gaps/affected.ts'
import type { TellUnjudged } from '../mesh/gaps/allowance.ts'
import { type Cause, type Gap, gapKey, gaps, type Target } from '../mesh/gaps/gaps.ts'
import { compareText } from '../mesh/names/text.ts'
import { tablesIn } from '../mesh/routing/routes.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { RULES } from '../rules/index.ts'
import type { Finding, Severity, Subject } from '../rules/rule.ts'
import { isInMesh } from './limits.ts'
import { type Mode, modeOf, type Policy } from './policy.ts'

export interface AuditedGap {
  readonly rule: string
  /** `warn` where a new object with this gap would only be warned of. */
  readonly severity: Severity
  readonly gap: Gap
}

export interface Audit {
  readonly gaps: readonly AuditedGap[]
  readonly findings: readonly Finding[]
}

const RULE_OF: Readonly<Record<Cause, string>> = {
  'no-virtual-host': 'missing-fallback',
  'no-route': 'missing-fallback',
  'no-action': 'missing-fallback',
  'bad-regex': 'missing-fallback',
  'no-backend': 'unknown-destination',
  host: 'unknown-destination',
  port: 'unknown-destination',
  subset: 'undefined-subset',
  'no-endpoints': 'unready-destination',
  'no-listener': 'gateway-in-use',
  closed: 'missing-fallback',
  blocked: 'sidecar-hides',
  'no-address': 'unready-destination'
}

/** Every gap of the hosts that VirtualServices take, each cause once for all clients that see it, and every hygiene finding; rules that are off are left out. */
export function audit(snapshot: Snapshot, policy: Policy): Audit {
  const isOn = ruleIsOn(snapshot, policy)
  const findings = JUDGED_KINDS.flatMap((kind) => [...snapshot.all(kind)].flatMap((object) => hygiene(object, snapshot, policy)))
  return {
    gaps: openGaps(snapshot, [...everyTarget(snapshot)], policy),
    findings: findings.filter(({ rule, object }) => isOn(rule, object.namespace)).sort(byObject)
  }
}

/** The gaps of these targets, each cause once for all clients that see it; rules that are off are left out. */
export function openGaps(snapshot: Snapshot, targets: readonly Target[], policy: Policy, tell?: TellUnjudged): AuditedGap[] {
  const isOn = ruleIsOn(snapshot, policy)
  const found = new Map<string, AuditedGap>()
  for (const gap of gaps(snapshot, targets, tell)) {
    const rule = RULE_OF[gap.cause]
    const key = `${gap.context.kind} ${gapKey(gap)}`
    const mode = modeAt(gap, policy)
    if (mode !== 'off' && !found.has(key) && isOn(rule, gap.source?.namespace ?? '')) found.set(key, { rule, severity: mode, gap })
  }
  return [...found.values()].sort(byPlace)
}

/** What none of several objects takes at a gateway may be meant: Istio's own Bookinfo is so. */
function modeAt({ context, cause }: Gap, { fallbackAtGateways }: Policy): Mode {
  return context.kind === 'gateway' && cause === 'no-route' ? fallbackAtGateways : 'deny'
}

function ruleIsOn(snapshot: Snapshot, policy: Policy): (rule: string, namespace: string) => boolean {
  return (rule, namespace) => modeOf(policy, rule, snapshot.find('Namespace', '', namespace)?.labels ?? {}) !== 'off'
}

/** What the rules say of one object as it stands: as if it were new, and as if it were written again unchanged. */
function hygiene(object: MeshObject, snapshot: Snapshot, policy: Policy): Finding[] {
  const subject: Subject = {
    written: { kind: object.kind, namespace: object.namespace, name: object.name },
    operation: 'CREATE',
    tool: null,
    before: null,
    after: object,
    snapshotBefore: snapshot,
    snapshotAfter: snapshot,
    tablesAfter: tablesIn(snapshot),
    targets: [],
    gaps: [],
    opened: [],
    isOpened: () => false,
    excuseOf: () => null,
    isInMesh: (service) => isInMesh(snapshot, service),
    fallbackAtGateways: policy.fallbackAtGateways,
    labelKeys: policy.labelKeys,
    nameOf: formatRef
  }
  const rewritten: Subject = { ...subject, operation: 'UPDATE', before: object }
  const findings = new Map<string, Finding>()
  for (const rule of RULES.filter(({ on }) => on.includes(object.kind))) {
    for (const statement of [...rule.check(subject), ...rule.check(rewritten)]) {
      const key = JSON.stringify([rule.id, refKey(statement.object), statement.path])
      if (!findings.has(key)) findings.set(key, { rule: rule.id, ...statement })
    }
  }
  return [...findings.values()]
}

function byPlace(one: AuditedGap, other: AuditedGap): number {
  return compareText(gapKey(one.gap), gapKey(other.gap))
}

function byObject(one: Finding, other: Finding): number {
  return compareText(`${refKey(one.object)} ${one.rule}`, `${refKey(other.object)} ${other.rule}`)
}
