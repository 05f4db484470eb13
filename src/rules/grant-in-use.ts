import type { Gap } from '../mesh/gaps/gaps.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { backendAt } from '../mesh/routing/gateway-api/rules.ts'
import { leavesDiscovery } from '../mesh/snapshot/settings.ts'
import { refusedSince } from './attachment.ts'
import { gapRule } from './gap-rule.ts'
import type { Subject } from './rule.ts'
import { loss, place, sends, wayOut } from './wording.ts'

export const grantInUse = gapRule({
  id: 'grant-in-use',
  on: ['ReferenceGrant', 'Namespace'],
  summary: 'a backend or listener of a served route loses its permission, or a namespace its place in the mesh',
  description:
    'A route of the Gateway API sends to a Service of another namespace only while a ReferenceGrant there lets it: without one the requests get 500. A listener uses a certificate of another ' +
    'namespace by the same leave, and without any it does not serve. And a listener may be open to namespaces by their labels: routes of one that loses its label are gone from there, with 404. So is all of a namespace whose labels the discoverySelectors of the mesh take no longer: istiod knows nothing of it.',
  remedy: 'Move the routes first, or keep the grant and the label until nothing is served by them.',
  explains: (subject) => (isTeardown(subject) ? [] : subject.opened),
  explain: (gap, subject) => ({
    path: subject.after === null ? [] : subject.after.kind === 'Namespace' ? ['metadata', 'labels'] : ['spec'],
    message: `${loss(gap)}: ${lost(subject, gap)}`,
    remedy: remedyFor(subject, gap)
  })
})

/** A namespace goes with all that is in it. */
function isTeardown({ operation, written }: Subject): boolean {
  return operation === 'DELETE' && written.kind === 'Namespace'
}

function lost(subject: Subject, gap: Gap): string {
  const name = subject.nameOf(subject.written)
  if (isUndiscovered(subject))
    return `${name} would no longer have the labels that discoverySelectors of the mesh ask for, and istiod know nothing in it`
  if (subject.written.kind === 'Namespace') return `${name} would no longer have the labels by which a listener takes its routes`
  if (gap.destination?.host !== NOWHERE)
    return refusedSince(subject, gap)?.message ?? `${name} would no longer let a listener use its certificate`
  const backend = backendAt(subject.snapshotAfter, gap.source, gap.path)
  return `${place(subject, gap)} ${sends(gap)} ${backend?.kind} ${backend?.namespace}/${backend?.name}, which ${name} would no longer let it`
}

/** Nothing of the namespace is known to istiod any longer. */
function isUndiscovered({ before, after, snapshotAfter }: Subject): boolean {
  return before?.kind === 'Namespace' && after !== null && leavesDiscovery(before, after, snapshotAfter.settings)
}

function remedyFor(subject: Subject, gap: Gap): string {
  const wayRound = `if this is meant, ${wayOut(subject)}`
  if (isUndiscovered(subject)) return `Keep the labels as long as what is in the namespace gets requests; ${wayRound}`
  const refused = refusedSince(subject, gap)
  if (refused !== null) return `${refused.remedy}; ${wayRound}`
  const first =
    gap.source === null ? 'move what it serves to another listener' : `move the requests elsewhere in ${subject.nameOf(gap.source)}`
  return `First ${first}, then apply this again; ${wayRound}`
}
