import type { DestinationRule, Subset } from '../kinds/destination-rule.ts'
import type { Service } from '../kinds/service.ts'
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { sameLabels, selects } from '../mesh/names/labels.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { podsSelected, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'

export const obsoleteSubset = hygieneRule({
  id: 'obsolete-subset',
  on: ['DestinationRule', 'Deployment'],
  summary: 'a subset is neither carried by a route nor backed by any workload',
  description:
    'A DestinationRule that is kept in sync names the versions that run. A subset without requests and without Pods is left over from an earlier release. A subset that is new in ' +
    'this write, or has new labels, is the first step of a release and is not reported.',
  remedy: 'Remove the subset from the DestinationRule.',
  find: (subject) => {
    const { operation, after, before } = subject
    if (after?.kind === 'DestinationRule' && before?.kind === 'DestinationRule') {
      const old = Map.groupBy(before.subsets, ({ name }) => name)
      return obsolete(subject, after, (subset) => (old.get(subset.name) ?? []).some(({ labels }) => sameLabels(labels, subset.labels)))
    }
    if (operation !== 'DELETE' || before?.kind !== 'Deployment') return []
    const { templateLabels } = before
    return servicesSelecting(subject.snapshotAfter, before.namespace, templateLabels).flatMap((service) =>
      rulesOf(subject.snapshotAfter, service).flatMap((rule) => obsolete(subject, rule, (subset) => selects(subset.labels, templateLabels)))
    )
  }
})

function obsolete(subject: Subject, rule: DestinationRule, concerns: (subset: Subset) => boolean): Draft[] {
  const { snapshotAfter: snapshot, nameOf } = subject
  const { host } = rule
  const [service] = snapshot.lookup('serviceByHost', host)
  if (service === undefined || service.selector === null) return []
  const candidates = rule.subsets.filter((subset) => concerns(subset) && !isBacked(snapshot, service, subset))
  const carried = candidates.length === 0 ? new Set<string>() : carriedOf(subject, host)
  return candidates
    .filter(({ name }) => !carried.has(name))
    .map((subset) => ({
      object: { kind: 'DestinationRule', namespace: rule.namespace, name: rule.name },
      path: subset.path,
      message: `subset "${subset.name}" of ${nameOf(rule)} has neither requests nor Pods`,
      remedy: 'Remove it from the DestinationRule'
    }))
}

function isBacked(snapshot: Snapshot, { namespace, selector }: Service, { labels }: Subset): boolean {
  const wanted = { ...selector, ...labels }
  if (podsSelected(snapshot, namespace, wanted).length > 0) return true
  const [key, value] = Object.entries(wanted)[0] ?? ['', '']
  return [...snapshot.lookup('deploymentByLabel', `${namespace}/${key}=${value}`)].some(({ templateLabels }) =>
    selects(wanted, templateLabels)
  )
}

/** The subsets that get requests, answered or not. Whoever sends to the host of the rule or of the Deployment's Service is among the targets of the write. */
function carriedOf({ tablesAfter, targets, gaps }: Subject, host: string): Set<string> {
  const carried = new Set<string>()
  const note = (destination: RoutedDestination | null) => {
    if (destination?.host === host && destination.subset !== null) carried.add(destination.subset)
  }
  for (const { destination } of gaps) note(destination)
  for (const target of targets) {
    for (const { routes } of tablesAfter(target)) {
      for (const { destinations } of routes) for (const destination of destinations) note(destination)
    }
  }
  return carried
}

function rulesOf(snapshot: Snapshot, { host }: Service): DestinationRule[] {
  return destinationRulesOver(snapshot, host)
}
