import type { Gap } from '../mesh/gaps/gaps.ts'
import { gapRule } from './gap-rule.ts'
import type { Subject } from './rule.ts'
import { changeBehind } from './service-change.ts'
import { destinationName, loss, place, sends } from './wording.ts'

export const hiddenService = gapRule({
  id: 'hidden-service',
  on: ['Service'],
  summary:
    'a changed Service is hidden from clients or gateways that route to it, or becomes another name of something that the mesh does not know',
  description:
    'A Service that is not exported to a client or gateway does not exist for it, and a route that still sends to it has no cluster: 503. A Service of type ExternalName is an alias: ' +
    'routes to it send to the name it stands for, which is a cluster only where a ServiceEntry or another Service has that name.',
  remedy: 'Export it to every namespace that routes to it, and define a ServiceEntry for an external name first.',
  explains: (subject) => subject.opened.filter((gap) => changeBehind(subject, gap) === 'hidden'),
  explain: (gap, subject) => ({
    path: external(subject) === null ? ['metadata', 'annotations', 'networking.istio.io/exportTo'] : ['spec', 'externalName'],
    message: `${loss(gap)}: ${gap.destination === null ? ofItself(subject, gap) : `${place(subject, gap)} ${sends(gap)} ${sentTo(subject, gap)}, ${lost(subject)}`}`,
    remedy: remedyFor(subject, gap)
  })
})

/** Where nothing routes to it that the client knows. */
function ofItself(subject: Subject<'Service'>, { context }: Gap): string {
  const name = subject.nameOf(subject.written)
  const standsFor = external(subject)
  return standsFor === null
    ? `${name} would not be exported to namespace ${context.namespace} any longer`
    : `${name} would stand for ${standsFor}, a host that the mesh does not know`
}

/** The Service itself, where the destination is what it stands for now. */
function sentTo(subject: Subject<'Service'>, gap: Gap): string {
  const { after } = subject
  return after !== null && external(subject) !== null ? after.host : destinationName(gap.destination)
}

/** The name that the Service newly stands for. */
function external({ before, after }: Subject<'Service'>): string | null {
  if (before === null || after === null) return null
  return after.externalName === before.externalName ? null : after.externalName
}

function lost(subject: Subject<'Service'>): string {
  const name = external(subject)
  return name === null
    ? 'to which this Service would not be exported any longer'
    : `which would stand for ${name}, a host that the mesh does not know`
}

function remedyFor(subject: Subject<'Service'>, { context }: Gap): string {
  const name = external(subject)
  if (name !== null) return `First create a ServiceEntry for ${name} with the port that the routes name, then apply this again`
  return `Leave namespace ${context.namespace} in networking.istio.io/exportTo, or first move the requests to another host`
}
