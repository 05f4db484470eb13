import type { Gap } from '../mesh/gaps/gaps.ts'
import { hostCovers } from '../mesh/names/hosts.ts'
import { gapRule } from './gap-rule.ts'
import type { Subject } from './rule.ts'
import { destinationName, loss, place, sends, wayOut } from './wording.ts'

export const entryInUse = gapRule({
  id: 'entry-in-use',
  on: ['ServiceEntry', 'WorkloadEntry'],
  summary: 'the host, a port or the last endpoint behind a carried destination goes away with a ServiceEntry or WorkloadEntry',
  description:
    'A route can send to a host outside the cluster only while a ServiceEntry has that host and port, and to machines outside of it only while a WorkloadEntry, or an endpoint of the ' +
    'ServiceEntry, has the labels that are asked for. Without them the route has no cluster, or a cluster without endpoints: 503.',
  remedy: 'Move the requests to another destination first, or add the new endpoint before the old one goes.',
  explain: (gap, subject) => ({
    path: [],
    message: `${loss(gap)}: ${routed(subject, gap)}`,
    remedy: remedyFor(subject, gap)
  })
})

function routed(subject: Subject, gap: Gap): string {
  const name = subject.nameOf(subject.written)
  if (gap.destination === null)
    return hides(subject, gap)
      ? `${name} would not be exported to namespace ${gap.context.namespace} any longer`
      : `${name} would no longer have it`
  return `${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, ${lost(subject, gap, name)}`
}

function lost({ operation }: Subject, { cause, destination }: Gap, name: string): string {
  if (cause === 'no-endpoints' || cause === 'subset')
    return operation === 'DELETE' ? `whose last endpoint ${name} is` : `which this leaves without an endpoint`
  if (cause === 'port') return `which would no longer have port ${destination?.port}`
  return operation === 'DELETE' ? `which only ${name} makes known` : `which ${name} would no longer make known to its clients`
}

/** It keeps the host, and not for everybody that had it. */
function hides({ before, after }: Subject, { host }: Gap): boolean {
  if (before?.kind !== 'ServiceEntry' || after?.kind !== 'ServiceEntry') return false
  return before.exportTo.join() !== after.exportTo.join() && after.hosts.some((own) => hostCovers(own, host))
}

function remedyFor(subject: Subject, gap: Gap): string {
  const { cause, source, context } = gap
  if (cause === 'no-endpoints' || cause === 'subset') return 'First add an endpoint that takes its place, then do this again'
  if (source === null && hides(subject, gap)) return `Leave namespace ${context.namespace} in spec.exportTo until nobody there calls it`
  if (source === null) return `First wait until nobody calls it; if this is meant, ${wayOut(subject)}`
  return `First move the requests to another host in ${subject.nameOf(source)}, then do this again`
}
