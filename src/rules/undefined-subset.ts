import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { exportsOf, isExported } from '../mesh/names/visibility.ts'
import { byRoute, gapRule, grown } from './gap-rule.ts'
import type { Severity, Subject } from './rule.ts'
import { destinationRuleFor, loss, place, routeOwner, sends } from './wording.ts'

export const undefinedSubset = gapRule({
  id: 'undefined-subset',
  on: ['VirtualService'],
  summary: 'a carried destination names a subset that no DestinationRule visible to that client defines',
  description:
    'A destination with a subset has a cluster in Envoy only if the one DestinationRule that the client uses for the host defines that subset. ' +
    'Which one that is depends on the client: first its own namespace, then that of the service, then the root namespace, and in each the most ' +
    'specific host only. Without a cluster the requests get 503. Weight 0 among several destinations carries nothing and needs no subset.',
  remedy: 'Add the subset to the DestinationRule first, then send requests to it.',
  explains: (subject) => grown(subject, ['subset']),
  groupBy: (gap, subject) => `${byRoute(gap)}${severityOf(subject, gap)}`,
  explain: (gap, subject) => {
    const subset = gap.destination?.subset
    const hidden = hiddenFrom(subject, gap)
    const why =
      hidden === null
        ? `which no DestinationRule ${seen(gap.context.kind)}defines`
        : `which ${hidden} does not define for namespace ${gap.context.namespace}`
    const first =
      hidden === null
        ? `add subset "${subset}" to ${destinationRuleFor(subject, gap.destination?.host ?? gap.host)}`
        : `export ${hidden} to it (spec.exportTo)`
    return {
      severity: severityOf(subject, gap),
      object: routeOwner(gap),
      path: [...gap.path, 'subset'],
      message: `${loss(gap)}: ${place(subject, gap)} ${sends(gap)} subset "${subset}", ${why}`,
      remedy: `First ${first}, then apply this again`
    }
  }
})

function severityOf(subject: Subject, gap: Gap): Severity {
  return !subject.isOpened(gap) && isHiddenAtHome(subject, gap) ? 'warn' : 'deny'
}

/** A client whose own namespace hides the subset from it was not answered before either: whoever wrote that must not keep others from writing. */
function isHiddenAtHome({ written, snapshotAfter }: Subject, { context, destination, host }: Gap): boolean {
  const name = destination?.host ?? host
  const homes = [written.namespace, serviceOfHost(name, snapshotAfter.settings.domain)?.namespace]
  if (context.kind === 'gateway' || homes.includes(context.namespace)) return false
  return destinationRulesOver(snapshotAfter, name).some(({ namespace }) => namespace === context.namespace)
}

/** The DestinationRule that defines the subset, where it is not exported to the client; null where none is hidden. */
function hiddenFrom({ snapshotAfter, nameOf }: Subject, { context, destination, host }: Gap): string | null {
  const { defaultDestinationRuleExportTo: byDefault } = snapshotAfter.settings
  const hidden = destinationRulesOver(snapshotAfter, destination?.host ?? host).filter(
    (rule) =>
      rule.subsets.some(({ name }) => name === destination?.subset) &&
      !isExported(exportsOf(rule, byDefault), rule.namespace, context.namespace)
  )
  return hidden.map(nameOf).sort()[0] ?? null
}

function seen(kind: 'mesh' | 'gateway'): string {
  return kind === 'gateway' ? 'that the gateway sees ' : ''
}
