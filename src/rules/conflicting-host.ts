import { refKey } from '../kinds/index.ts'
import type { Rule } from './rule.ts'

export const conflictingHost: Rule = {
  id: 'conflicting-host',
  on: ['VirtualService'],
  summary: 'two VirtualServices claim one mesh host, and Istio ignores this one',
  description:
    'On the mesh Istio uses one VirtualService a host and merges none: of several visible ones, those private to the client first, then the oldest. The others have no effect there, ' +
    'without a word - until the one in use is deleted. At a gateway they are merged.',
  remedy: 'Put the routes into the VirtualService that Istio uses, or delegate to this one from there.',
  reads: ['VirtualService', 'Service'],
  check: ({ after, before, targets, tablesAfter, nameOf }) => {
    if (after?.kind !== 'VirtualService') return []
    const own = refKey(after)
    const known = new Set(before?.kind === 'VirtualService' ? before.hosts : [])
    const ofMesh = targets.filter(({ context }) => context.kind === 'mesh')
    const byHost = new Map(ofMesh.toReversed().map((target) => [target.host, target]))
    return after.hosts.flatMap((name, at) => {
      const target = byHost.get(name)
      if (target === undefined || known.has(name)) return []
      const users = tablesAfter({ context: target.context, host: name }).flatMap(({ takers }) => takers)
      const [user] = users
      if (user === undefined || users.some((each) => refKey(each) === own)) return []
      return [
        {
          severity: 'warn' as const,
          object: { kind: 'VirtualService' as const, namespace: after.namespace, name: after.name },
          path: ['spec', 'hosts', at],
          message: `${nameOf(after)} has no effect on ${name}: Istio uses ${nameOf(user)} for it`,
          remedy: 'Put its routes there instead',
          gap: null
        }
      ]
    })
  }
}
