import type { ObjectOf } from '../kinds/index.ts'
import type { ServiceEntry } from '../kinds/service-entry.ts'
import { hostCovers, hostKey, wildcardsOver } from '../mesh/names/hosts.ts'
import { exportsOf, isExported } from '../mesh/names/visibility.ts'
import { headerRoutesReferring } from '../mesh/routing/gateway-api/pieces.ts'
import { isKnown } from '../mesh/routing/gateway-api/rules.ts'
import { sourcesOf } from '../mesh/routing/tables.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'

export const serviceRemoved = hygieneRule({
  id: 'service-removed',
  on: ['Service', 'ServiceEntry'],
  summary:
    'a Service or ServiceEntry is deleted that routes still send to, or a ServiceEntry loses a host or port that clients may call, or hides it from some',
  description:
    'Deleting a Service is teardown and is never refused: `helm uninstall` and namespace deletion start with it; nor is deleting the last ServiceEntry of a host. But a route that still sends ' +
    'to it answers 503 from then on, or 500 where it is of the Gateway API, and of a GRPCRoute that mirrors to it Istio makes nothing at all. Where clients may call only what the mesh knows (outboundTrafficPolicy REGISTRY_ONLY), they can no longer call the host of a ServiceEntry at all; elsewhere they call it past the mesh. ' +
    'The same becomes of a host or port that an update takes out, or no longer exports to some.',
  remedy: 'Move the routes to another host first, or delete the VirtualService too.',
  find: (subject) => {
    const { operation, before } = subject
    if (before === null || (operation === 'UPDATE' && before.kind === 'Service')) return []
    return [...lostWith(before, subject.snapshotAfter), ...hiddenBy(subject)].flatMap((lost) => {
      const what = consequence(subject, lost)
      return what === null ? [] : [{ path: pathTo(subject, lost), ...what }]
    })
  }
})

type Removed = 'Service' | 'ServiceEntry'

/** A host that nothing has any longer, or with a port one port of it; or, with clients, that they see no longer. */
interface Lost {
  readonly host: string
  readonly port: number | null
  readonly clients?: readonly string[]
}

function lostWith(object: ObjectOf<Removed>, after: Snapshot): Lost[] {
  if (object.kind === 'Service') return [{ host: object.host, port: null }]
  return object.hosts.flatMap((host): Lost[] => {
    const others = entriesOver(after, host)
    if (others.length === 0) return [{ host, port: null }]
    const gone = object.ports.filter(({ number }) => !others.some(({ ports }) => ports.some((port) => port.number === number)))
    return gone.map(({ number }) => ({ host, port: number }))
  })
}

/** The hosts that an updated ServiceEntry keeps, and some namespaces see in it no longer, nor in another. */
function hiddenBy({ before, after, snapshotBefore, snapshotAfter }: Subject<Removed>): Lost[] {
  if (before?.kind !== 'ServiceEntry' || after?.kind !== 'ServiceEntry' || before.exportTo.join() === after.exportTo.join()) return []
  const sees = ({ settings }: Snapshot, entry: ServiceEntry, client: string) =>
    isExported(exportsOf(entry, settings.defaultServiceExportTo), entry.namespace, client)
  const known = [...snapshotAfter.all('Namespace')].map(({ name }) => name)
  snapshotAfter.charge(known.length)
  const lost = known.filter((name) => sees(snapshotBefore, before, name) && !sees(snapshotAfter, after, name)).sort()
  return after.hosts.flatMap((host): Lost[] => {
    const entries = entriesOver(snapshotAfter, host)
    snapshotAfter.charge(lost.length * entries.length)
    const clients = lost.filter((name) => !entries.some((entry) => sees(snapshotAfter, entry, name)))
    return clients.length === 0 ? [] : [{ host, port: null, clients }]
  })
}

/** The ServiceEntries that have the host, by its name or by a wildcard. */
function entriesOver(snapshot: Snapshot, host: string): ServiceEntry[] {
  const keys = new Set([hostKey(host), ...wildcardsOver(host)])
  return [...keys]
    .flatMap((key) => [...snapshot.lookup('serviceEntryByHost', key)])
    .filter(({ hosts }) => hosts.some((own) => own === host || hostCovers(own, host)))
}

/** What of an updated ServiceEntry no longer has it. */
function pathTo({ after }: Subject<Removed>, { port, clients }: Lost): string[] {
  if (after === null) return []
  return ['spec', clients !== undefined ? 'exportTo' : port === null ? 'hosts' : 'ports']
}

/** Without the host of a mirror Istio makes nothing of a GRPCRoute. */
function grpcMirroringTo(snapshot: Snapshot, host: string) {
  return headerRoutesReferring(snapshot, `mirrors ${host}`).find(({ kind, deleting }) => kind === 'GRPCRoute' && !deleting)
}

function consequence(subject: Subject<Removed>, lost: Lost): Pick<Draft, 'message' | 'remedy'> | null {
  const { host, port, clients } = lost
  const { before, opened, snapshotAfter, nameOf } = subject
  // Of a ServiceEntry, entry-in-use tells it where requests are lost.
  if (before?.kind === 'ServiceEntry' && opened.some((gap) => gap.host === host || gap.destination?.host === host)) return null
  if (clients !== undefined) return pastTheMesh(subject, lost)
  const lookup = port === null ? [...snapshotAfter.lookup('virtualServiceByDestination', host)] : []
  const senders = lookup.filter(({ deleting }) => !deleting)
  const [first, ...others] = [...new Set(senders.flatMap(sourcesOf).map(nameOf))].sort()
  if (first !== undefined) {
    const more = others.length > 0 ? ` and ${others.length} more` : ''
    return { message: `${first}${more} still sends to ${host}`, remedy: 'Delete it too, or send elsewhere' }
  }
  const mirroring = port === null && !isKnown(snapshotAfter, host) ? grpcMirroringTo(snapshotAfter, host) : undefined
  if (mirroring !== undefined) {
    return {
      message: `Istio makes nothing of ${nameOf(mirroring)} any longer, which mirrors to ${host}`,
      remedy: 'First take that mirror out'
    }
  }
  return before?.kind === 'ServiceEntry' ? pastTheMesh(subject, lost) : null
}

function pastTheMesh({ operation, snapshotAfter }: Subject<Removed>, { host, port, clients }: Lost): Pick<Draft, 'message' | 'remedy'> {
  const name = port === null ? host : `${host}:${port}`
  const [first, ...others] = clients ?? []
  const whose = first === undefined ? '' : ` of namespace ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`
  const message =
    snapshotAfter.settings.outboundTrafficPolicy === 'REGISTRY_ONLY'
      ? `clients${whose} may call only what the mesh knows (REGISTRY_ONLY), and nothing else has ${name}`
      : `clients${whose} would call ${name} past the mesh, where hitless cannot say whether it answers`
  if (clients !== undefined) return { message, remedy: 'Export it to them as long as they call it' }
  return { message, remedy: `${operation === 'DELETE' ? 'Delete it' : 'Take it out'} once nobody calls it` }
}
