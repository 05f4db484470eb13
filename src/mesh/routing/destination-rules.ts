/** Which DestinationRule a client uses for a service, and which subsets that defines (10). */

import type { DestinationRule, LoadBalancer, Subset } from '../../kinds/destination-rule.ts'
import { hostCovers, isWildcard, wildcardsOver } from '../names/hosts.ts'
import { type Labels, sameLabels, selects } from '../names/labels.ts'
import { byAge, type DefaultExports } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Context } from './table.ts'

/** Subsets copied or named in one step of work. */
const SUBSETS_A_STEP = 8
/** And names of namespaces. */
const NAMES_A_STEP = 8

/** DestinationRules of one host and namespace, joined as far as Istio joins them. `ConsolidatedDestRule`. */
export interface JoinedRule {
  readonly exportTo: ReadonlySet<string>
  readonly namespace: string
  readonly workloadSelector: Labels | null
  readonly subsets: Subset[]
  /** Those that are in it, oldest first. */
  readonly rules: DestinationRule[]
}

/** The one DestinationRule that a client uses for a service, if any: of exactly one place (10.1), the client's namespace, the service's, or the root namespace. `destinationRule`, pilot/pkg/model/push_context.go. */
export function ruleFor(snapshot: Snapshot, rules: HostRules, context: Context, serviceNamespace: string): JoinedRule | null {
  const { rootNamespace } = snapshot.settings
  const own =
    // Clients of the root namespace skip their own place but for what is private to it (10.3).
    context.namespace === rootNamespace
      ? place(snapshot, rules, context.namespace, ({ isPrivate }) => isPrivate)
      : place(snapshot, rules, context.namespace, isUsedAtHome)
  if (own.length > 0) return selectedFor(context, own)
  for (const namespace of [serviceNamespace, rootNamespace]) {
    const exported = place(snapshot, rules, namespace, ({ isPrivate }) => !isPrivate).filter((joined) =>
      isExportedTo(joined, context.namespace)
    )
    if (exported.length > 0) return selectedFor(context, exported)
  }
  return null
}

/** The one whose traffic policy counts for the whole host: the oldest that has any. */
export function withPolicy({ rules }: JoinedRule): DestinationRule | undefined {
  return rules.find(({ hasTrafficPolicy }) => hasTrafficPolicy)
}

/** The client is to ask for the address that was called, and not for an endpoint (10.9). A port's settings are taken without the whole's, a subset's before the rule's. `MergeSubsetTrafficPolicy`. */
export function isPassthrough(rule: JoinedRule, subset: Subset | null, port: number): boolean {
  const simple = balancerFor(subset?.loadBalancers ?? [], port) ?? balancerFor(withPolicy(rule)?.loadBalancers ?? [], port)
  return simple === 'PASSTHROUGH' || simple === '3'
}

function balancerFor(levels: readonly LoadBalancer[], number: number): string | undefined {
  return (levels.find(({ port }) => port === number) ?? levels.find(({ port }) => port === null))?.simple
}

/** A DestinationRule, whose host is compared as it is written (1.5, 10.8). */
interface HostRule {
  readonly rule: DestinationRule
  readonly exportTo: ReadonlySet<string>
  /** For its own namespace alone. */
  readonly isPrivate: boolean
}

/** By the namespace that they are of: there may be one in each. */
type HostRules = ReadonlyMap<string, readonly HostRule[]>

/** Whatever DestinationRules there are for a host, whoever asks. */
export function rulesOver(snapshot: Snapshot, host: string): HostRules {
  const found: HostRule[] = []
  for (const key of isWildcard(host) ? wildcardsOver(host) : [host, ...wildcardsOver(host)]) {
    for (const rule of snapshot.lookup('destinationRuleByHost', key)) {
      snapshot.charge(rule.subsets.length / SUBSETS_A_STEP)
      if (hostCovers(rule.host, host)) found.push(hostRule(rule, snapshot.settings))
    }
  }
  return Map.groupBy(found, ({ rule }) => rule.namespace)
}

/** Asked for each host that a rule is over. */
const exportSets = new WeakMap<DestinationRule, ReadonlySet<string>>()

/** One with a workloadSelector is private, whatever it says (10.7); of the mesh's defaults only `.` counts (10.5). */
function hostRule(rule: DestinationRule, { defaultDestinationRuleExportTo: byDefault }: DefaultExports): HostRule {
  const exportTo = exportSets.get(rule) ?? new Set(rule.workloadSelector === null ? rule.exportTo : ['.'])
  exportSets.set(rule, exportTo)
  const isPrivate =
    exportTo.size === 0 ? byDefault?.includes('.') === true : exportTo.size === 1 && (exportTo.has('.') || exportTo.has(rule.namespace))
  return { rule, exportTo, isPrivate }
}

function isUsedAtHome({ exportTo, rule }: HostRule): boolean {
  return exportTo.size === 0 || exportTo.has('*') || exportTo.has('.') || exportTo.has(rule.namespace)
}

function isExportedTo({ exportTo }: JoinedRule, client: string): boolean {
  return exportTo.size === 0 || exportTo.has('*') || exportTo.has(client)
}

/** Of a namespace's rules of one kind, those of the most specific host alone (10.4), joined. */
function place(snapshot: Snapshot, rules: HostRules, namespace: string, belongs: (rule: HostRule) => boolean): JoinedRule[] {
  const found = (rules.get(namespace) ?? []).filter(belongs)
  if (found.length < 2) return found.map(toJoined)
  const mostSpecific = found.reduce((best, each) => (isMoreSpecific(each.rule.host, best) ? each.rule.host : best), '*')
  return join(
    snapshot,
    found.filter(({ rule }) => rule.host === mostSpecific)
  )
}

function isMoreSpecific(host: string, than: string): boolean {
  if (isWildcard(host) !== isWildcard(than)) return isWildcard(than)
  return host.length > than.length
}

/** In order of age, those with a selector first, each joined with the older ones that it may be joined with (10.6). `mergeDestinationRule`. */
function join(snapshot: Snapshot, rules: readonly HostRule[]): JoinedRule[] {
  const joined: JoinedRule[] = []
  const names = new Map<JoinedRule, Set<string>>()
  const withSelectorFirst = (rule: DestinationRule) => (rule.workloadSelector === null ? 1 : 0)
  for (const each of [...rules].sort(
    (one, other) => withSelectorFirst(one.rule) - withSelectorFirst(other.rule) || byAge(one.rule, other.rule)
  )) {
    let stands = true
    for (const older of joined) {
      snapshot.charge(1 + Math.min(older.exportTo.size, each.exportTo.size) / NAMES_A_STEP, each.rule)
      const contained = isWithin(older.exportTo, each.exportTo)
      const equal = contained && older.exportTo.size === each.exportTo.size
      stands = !equal
      if (!equal && !(contained && older.exportTo.size > 0)) continue
      const { workloadSelector } = each.rule
      if (older.workloadSelector !== null && workloadSelector !== null && !sameLabels(older.workloadSelector, workloadSelector)) {
        stands = true
        continue
      }
      if ((older.workloadSelector === null) === (workloadSelector === null)) stands = false
      const known = names.get(older) ?? new Set(older.subsets.map(({ name }) => name))
      names.set(older, known)
      const added = each.rule.subsets.filter(({ name }) => !known.has(name))
      for (const subset of added) {
        older.subsets.push(subset)
        known.add(subset.name)
      }
      older.rules.push(each.rule)
    }
    if (stands) joined.push(toJoined(each))
  }
  return joined
}

function isWithin(some: ReadonlySet<string>, others: ReadonlySet<string>): boolean {
  if (some.size > others.size) return false
  for (const name of some) if (!others.has(name)) return false
  return true
}

function toJoined({ rule, exportTo }: HostRule): JoinedRule {
  return { exportTo, namespace: rule.namespace, workloadSelector: rule.workloadSelector, subsets: [...rule.subsets], rules: [rule] }
}

/** One that selects the client replaces the plain ones (10.7), of which the last, the youngest, wins alone (10.6). `SidecarScope.DestinationRule`. */
function selectedFor({ namespace, labels }: Context, joined: readonly JoinedRule[]): JoinedRule | null {
  const selecting = joined.find(
    (rule) => rule.workloadSelector !== null && rule.namespace === namespace && selects(rule.workloadSelector, labels)
  )
  return selecting ?? joined.findLast(({ workloadSelector }) => workloadSelector === null) ?? null
}
