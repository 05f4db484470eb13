import type { Rule } from './rule.ts'

export const serviceRemoved: Rule = {
  id: 'service-removed',
  on: ['Service'],
  summary: 'carried routes still point at a Service that is deleted',
  description:
    'Deleting a Service is teardown and is never refused: `helm uninstall` and namespace deletion start with it. But a VirtualService for another host - at a gateway, say - that ' +
    'still sends to it answers 503 from then on.',
  remedy: 'Move the routes to another host first, or delete the VirtualService too.',
  reads: ['Service', 'VirtualService'],
  check: ({ operation, before, snapshotAfter, nameOf }) => {
    if (operation !== 'DELETE' || before?.kind !== 'Service') return []
    const { host } = before
    const senders = [...snapshotAfter.lookup('virtualServiceByDestination', host)].filter(({ deleting }) => !deleting)
    const names = senders.map(nameOf).sort()
    if (names[0] === undefined) return []
    return [
      {
        severity: 'warn',
        object: { kind: 'Service', namespace: before.namespace, name: before.name },
        path: [],
        message: `${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ''} still sends to ${host}`,
        remedy: 'Delete it too, or send elsewhere',
        gap: null
      }
    ]
  }
}
