import { isSameRef, type ObjectOf, type ObjectRef } from '../kinds/index.ts'
import type { Target } from '../mesh/gaps/gaps.ts'
import type { Path } from '../mesh/names/path.ts'
import { exportsOf, isExported } from '../mesh/names/visibility.ts'
import { hostsOfParent } from '../mesh/routing/gateway-api/pieces.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'

export const conflictingHost = hygieneRule({
  id: 'conflicting-host',
  on: ['VirtualService', 'HTTPRoute', 'GRPCRoute'],
  summary: 'two route objects claim one mesh host, and Istio ignores this one',
  description:
    'On the mesh Istio uses one VirtualService a host and merges none: of several visible ones, those private to the client first, then the oldest. The others have no effect there, ' +
    'without a word - until the one in use is deleted. At a gateway they are merged. Routes of the Gateway API for one Service are merged with those of their own namespace and the same `port` alone; ' +
    'beside a VirtualService the older is used, but for clients in the namespace of the route: there the route is.',
  remedy: 'Put the routes into the object that Istio uses, or delegate to this one from there.',
  find: (subject) => {
    const { after, before, targets, snapshotBefore, snapshotAfter } = subject
    if (after === null) return []
    const known = new Set(before === null ? [] : claimsOf(before, snapshotBefore).map(({ host }) => host))
    const claims = new Map(claimsOf(after, snapshotAfter).map((claim) => [claim.host, claim]))
    const clients = Map.groupBy(
      targets.filter(({ context }) => context.kind === 'mesh'),
      ({ host }) => host
    )
    return [...claims.values()]
      .filter(({ host }) => !known.has(host))
      .flatMap((claim) => conflictOver(subject, after, claim, clients.get(claim.host) ?? []))
  }
})

type Claiming = ObjectOf<'VirtualService' | 'HTTPRoute' | 'GRPCRoute'>

interface Claim {
  readonly host: string
  readonly path: Path
  /** A route of another namespace than its Service's is for the clients of its own. */
  readonly isForOwn: boolean
}

/** The hosts of the mesh that a route object may have. */
function claimsOf(object: Claiming, snapshot: Snapshot): Claim[] {
  if (object.kind === 'VirtualService') return object.hosts.map((host, at) => ({ host, path: ['spec', 'hosts', at], isForOwn: false }))
  return object.parents.flatMap((parent, at) => {
    const isForOwn = parent.namespace !== object.namespace
    return hostsOfParent(snapshot, parent).map((host) => ({ host, path: ['spec', 'parentRefs', at], isForOwn }))
  })
}

/** Those that a VirtualService is not exported to have another by right. */
function sees({ settings }: Snapshot, object: Claiming, { namespace }: Context): boolean {
  if (object.kind !== 'VirtualService') return true
  return isExported(exportsOf(object, settings.defaultVirtualServiceExportTo), object.namespace, namespace)
}

/** Of a VirtualService one client tells; routes of the Gateway API come before it for the clients of their own namespace. */
function conflictOver(
  { tablesAfter, nameOf, snapshotAfter }: Subject,
  after: Claiming,
  { host, path, isForOwn }: Claim,
  targets: readonly Target[]
): Draft[] {
  const clients = targets.filter(({ context }) => (isForOwn ? context.namespace === after.namespace : sees(snapshotAfter, after, context)))
  const used = (after.kind === 'VirtualService' ? clients.slice(0, 1) : clients).map(({ context }) => ({
    namespace: context.namespace,
    users: tablesAfter({ context, host }).flatMap(({ takers }) => takers)
  }))
  const isOwn = (user: ObjectRef) => isSameRef(user, after)
  const isUsed = used.some(({ users }) => users.some(isOwn))
  // What a namespace has for its own clients is meant for them.
  const ignoring = used.filter(
    ({ namespace, users }) => !users.some(isOwn) && (!isUsed || users.some((user) => user.namespace !== namespace))
  )
  const [user] = ignoring.flatMap(({ users }) => users)
  if (user === undefined) return []
  const whom = isUsed ? ` for clients outside namespace ${after.namespace}` : ''
  return [
    {
      path,
      message: `${nameOf(after)} has no effect on ${host}${whom}: Istio uses ${nameOf(user)} for it`,
      remedy: 'Put its routes there instead'
    }
  ]
}
