import type { Gap } from '../mesh/gaps/gaps.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { backendAt } from '../mesh/routing/gateway-api/rules.ts'
import type { Rule, Subject } from './rule.ts'
import { loss, place, sends, severityOf, state, wayOut } from './wording.ts'

export const grantInUse: Rule = {
  id: 'grant-in-use',
  on: ['ReferenceGrant', 'Namespace'],
  summary: 'a backend or listener of a served route loses its permission',
  description:
    'A route of the Gateway API sends to a Service of another namespace only while a ReferenceGrant there lets it: without one the requests get 500. A listener uses a certificate of another ' +
    'namespace by the same leave, and without any it does not serve. And a listener may be open to namespaces by their labels: routes of one that loses its label are gone from there, with 404.',
  remedy: 'Move the routes first, or keep the grant and the label until nothing is served by them.',
  reads: ['ReferenceGrant', 'Namespace', 'KubernetesGateway', 'ListenerSet', 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'Service'],
  check: (subject) =>
    state(
      isTeardown(subject) ? [] : subject.opened,
      ({ host, port, cause, path }) => JSON.stringify([host, port, cause, path]),
      (gap) => ({
        severity: severityOf(subject, gap),
        object: written(subject),
        path: subject.after === null ? [] : subject.after.kind === 'Namespace' ? ['metadata', 'labels'] : ['spec'],
        message: `${loss(gap)}: ${lost(subject, gap)}`,
        remedy: remedyFor(subject, gap)
      })
    )
}

/** A namespace goes with all that is in it. */
function isTeardown({ operation, before }: Subject): boolean {
  return operation === 'DELETE' && before?.kind === 'Namespace'
}

function written({ before, after }: Subject) {
  const object = after ?? before
  return { kind: object?.kind ?? 'ReferenceGrant', namespace: object?.namespace ?? '', name: object?.name ?? '' }
}

function lost(subject: Subject, gap: Gap): string {
  const name = subject.nameOf(written(subject))
  if (written(subject).kind === 'Namespace') return `${name} would no longer have the labels by which a listener takes its routes`
  if (gap.destination?.host !== NOWHERE) return `${name} would no longer let a listener use its certificate`
  const backend = backendAt(subject.snapshotAfter, gap.source, gap.path)
  return `${place(subject, gap)} ${sends(gap)} ${backend?.kind} ${backend?.namespace}/${backend?.name}, which ${name} would no longer let it`
}

function remedyFor(subject: Subject, gap: Gap): string {
  const first =
    gap.source === null ? 'move what it serves to another listener' : `move the requests elsewhere in ${subject.nameOf(gap.source)}`
  return `First ${first}, then apply this again; if this is meant, ${wayOut(subject)}`
}
