import type { ObjectOf } from '../kinds/index.ts'
import { hostKey } from '../mesh/names/hosts.ts'
import { sourcesOf } from '../mesh/routing/tables.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'

export const serviceRemoved = hygieneRule({
  id: 'service-removed',
  on: ['Service', 'ServiceEntry'],
  summary: 'a Service or ServiceEntry is deleted that routes still send to',
  description:
    'Deleting a Service is teardown and is never refused: `helm uninstall` and namespace deletion start with it; nor is deleting the last ServiceEntry of a host. But a route that still sends ' +
    'to it answers 503 from then on, or 500 where it is of the Gateway API. Where clients may call only what the mesh knows (outboundTrafficPolicy REGISTRY_ONLY), they can no longer call the host of a ServiceEntry at all; elsewhere they call it past the mesh.',
  remedy: 'Move the routes to another host first, or delete the VirtualService too.',
  find: (subject) => {
    const { operation, before } = subject
    if (operation !== 'DELETE' || before === null) return []
    return hostsLost(before, subject.snapshotAfter).flatMap((host) => {
      const what = consequence(subject, host)
      return what === null ? [] : [{ path: [], ...what }]
    })
  }
})

type Removed = 'Service' | 'ServiceEntry'

/** Those that no other object has. */
function hostsLost(object: ObjectOf<Removed>, after: Snapshot): readonly string[] {
  if (object.kind === 'Service') return [object.host]
  return object.hosts.filter((host) => [...after.lookup('serviceEntryByHost', hostKey(host))].length === 0)
}

function consequence({ before, opened, snapshotAfter, nameOf }: Subject<Removed>, host: string): Pick<Draft, 'message' | 'remedy'> | null {
  // Of a ServiceEntry, entry-in-use tells it where requests are lost.
  if (before?.kind === 'ServiceEntry' && opened.some(({ destination }) => destination?.host === host)) return null
  const senders = [...snapshotAfter.lookup('virtualServiceByDestination', host)].filter(({ deleting }) => !deleting)
  const [first, ...others] = [...new Set(senders.flatMap(sourcesOf).map(nameOf))].sort()
  if (first !== undefined) {
    const more = others.length > 0 ? ` and ${others.length} more` : ''
    return { message: `${first}${more} still sends to ${host}`, remedy: 'Delete it too, or send elsewhere' }
  }
  if (before?.kind !== 'ServiceEntry') return null
  const message =
    snapshotAfter.settings.outboundTrafficPolicy === 'REGISTRY_ONLY'
      ? `clients may call only what the mesh knows (REGISTRY_ONLY), and nothing else has ${host}`
      : `clients would call ${host} past the mesh, where hitless cannot say whether it answers`
  return { message, remedy: 'Delete it once nobody calls it' }
}
