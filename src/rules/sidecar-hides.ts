import type { Gap } from '../mesh/gaps/gaps.ts'
import type { Rule, Subject } from './rule.ts'
import { byRoute, destinationName, loss, place, sends, severityOf, state } from './wording.ts'

export const sidecarHides: Rule = {
  id: 'sidecar-hides',
  on: ['Sidecar'],
  summary: 'the egress of a Sidecar no longer imports a host that its workloads reach',
  description:
    'A Sidecar lists what the proxies of its namespace know. What it leaves out has no cluster and no routes for them: a route that sends there answers 503, and with REGISTRY_ONLY the host itself is refused. ' +
    'It can also hide the DestinationRule or VirtualService that made a request work.',
  remedy: 'Add the host to spec.egress.hosts.',
  reads: ['Sidecar', 'Service', 'ServiceEntry', 'VirtualService', 'DestinationRule'],
  check: (subject) =>
    state(subject.opened, byRoute, (gap) => ({
      severity: severityOf(subject, gap),
      object: written(subject),
      path: subject.after === null ? [] : ['spec', 'egress'],
      message: `${loss(gap)} from namespace ${gap.context.namespace}: ${lost(subject, gap)}`,
      remedy: `First add ${hidden(gap)} to spec.egress.hosts, then apply this again`
    }))
}

function written({ before, after }: Subject) {
  const object = after ?? before
  return { kind: 'Sidecar' as const, namespace: object?.namespace ?? '', name: object?.name ?? '' }
}

function lost(subject: Subject, gap: Gap): string {
  const name = subject.nameOf(written(subject))
  if (gap.destination === null) return `${name} does not import it`
  return `${place(subject, gap)} ${sends(gap)} ${destinationName(gap.destination)}, which ${name} does not import`
}

/** As an entry of egress: the namespace of a Service by its full name, else any. */
function hidden({ destination, host }: Gap): string {
  const name = destination?.host ?? host
  const [, namespace = '', svc] = name.split('.')
  return svc === 'svc' ? `"${namespace}/${name}"` : `"*/${name}"`
}
