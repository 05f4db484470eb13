import { refKey } from '../kinds/index.ts'
import { hygieneRule } from './hygiene-rule.ts'

export const conflictingHost = hygieneRule({
  id: 'conflicting-host',
  on: ['VirtualService'],
  summary: 'two VirtualServices claim one mesh host, and Istio ignores this one',
  description:
    'On the mesh Istio uses one VirtualService a host and merges none: of several visible ones, those private to the client first, then the oldest. The others have no effect there, ' +
    'without a word - until the one in use is deleted. At a gateway they are merged.',
  remedy: 'Put the routes into the VirtualService that Istio uses, or delegate to this one from there.',
  find: ({ after, before, targets, tablesAfter, nameOf }) => {
    if (after === null) return []
    const own = refKey(after)
    const known = new Set(before?.hosts)
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
          path: ['spec', 'hosts', at],
          message: `${nameOf(after)} has no effect on ${name}: Istio uses ${nameOf(user)} for it`,
          remedy: 'Put its routes there instead'
        }
      ]
    })
  }
})
