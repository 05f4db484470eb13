/** Which DestinationRule a client uses for a service, and which subsets that defines (10). */
import { wildcardsOver } from './hosts.ts'
import { sameLabels, selects } from './labels.ts'
import type { DestinationRule, Labels } from './objects.ts'
import type { Snapshot } from './snapshot.ts'
import type { Context } from './table.ts'
import { byAge, isExported, isPrivate } from './visibility.ts'

/** DestinationRules of one host and namespace, merged as far as Istio merges them. */
interface Merged {
  readonly exportTo: readonly string[]
  readonly namespace: string
  readonly workloadSelector: Labels | null
  readonly subsets: Map<string, Labels>
}

/**
 * The subsets of a service for a client: those of exactly one place (10.1) - the client's namespace, the service's, the root namespace -
 * and there of the most specific host only (10.4). null where no DestinationRule is used.
 */
export function subsetsFor(
  snapshot: Snapshot,
  context: Context,
  service: { readonly host: string; readonly namespace: string }
): ReadonlyMap<string, Labels> | null {
  const candidates = [service.host, ...wildcardsOver(service.host)].map((host) => [...snapshot.lookup('destinationRuleByHost', host)])
  const { rootNamespace } = snapshot.settings
  const inPlace = (namespace: string, usable: (merged: Merged) => boolean): Merged | undefined => {
    const rules = candidates.map((found) => found.filter((rule) => rule.namespace === namespace)).find((found) => found.length > 0)
    return rules === undefined ? undefined : chosen(merge(rules).filter(usable), context)
  }
  const own = inPlace(context.namespace, ({ exportTo, namespace }) =>
    // Clients of the root namespace skip this place, but for what is private there (10.3).
    context.namespace === rootNamespace ? isPrivate(exportTo, namespace) : isExported(exportTo, namespace, context.namespace)
  )
  const exported = ({ exportTo, namespace }: Merged) => isExported(exportTo, namespace, context.namespace)
  const found = own ?? inPlace(service.namespace, exported) ?? inPlace(rootNamespace, exported)
  return found?.subsets ?? null
}

/** With a workloadSelector a rule serves only the clients of its own namespace that it selects, and for them replaces the plain one (10.7). */
function chosen(visible: readonly Merged[], { labels, namespace }: Context): Merged | undefined {
  const selected = visible.filter(
    (rule) => rule.workloadSelector !== null && rule.namespace === namespace && selects(rule.workloadSelector, labels)
  )
  // Of unmerged ones the youngest wins alone (10.6).
  return selected.at(-1) ?? visible.filter(({ workloadSelector }) => workloadSelector === null).at(-1)
}

/** `mergeDestinationRule`, pilot/pkg/model/destination_rule.go: in creation order, those with a selector first (10.6). */
function merge(rules: readonly DestinationRule[]): Merged[] {
  const ordered = [...rules].sort(
    (one, other) => Number(one.workloadSelector === null) - Number(other.workloadSelector === null) || byAge(one, other)
  )
  const merged: Merged[] = []
  for (const rule of ordered) {
    let absorbed = false
    let kept = false
    for (const older of merged) {
      if (!sameSelector(rule, older)) continue
      if (!absorbs(older.exportTo, rule.exportTo)) {
        kept = true
        continue
      }
      absorbed = true
      for (const { name, labels } of rule.subsets) if (!older.subsets.has(name)) older.subsets.set(name, labels)
    }
    if (!absorbed || kept) merged.push(toMerged(rule))
  }
  return merged
}

function toMerged({ exportTo, namespace, workloadSelector, subsets }: DestinationRule): Merged {
  // Two subsets of one name in one rule are refused by Istio (2.4); where they stand all the same, the first counts.
  return { exportTo, namespace, workloadSelector, subsets: new Map([...subsets].reverse().map(({ name, labels }) => [name, labels])) }
}

function sameSelector(one: Pick<DestinationRule, 'workloadSelector'>, other: Pick<DestinationRule, 'workloadSelector'>): boolean {
  if (one.workloadSelector === null || other.workloadSelector === null) return one.workloadSelector === other.workloadSelector
  return sameLabels(one.workloadSelector, other.workloadSelector)
}

/** The same set, or a non-empty one that contains the older's non-empty one; `.` and the namespace's own name are different here. */
function absorbs(older: readonly string[], younger: readonly string[]): boolean {
  if (older.length === 0 || younger.length === 0) return older.length === younger.length
  return older.every((name) => younger.includes(name))
}
