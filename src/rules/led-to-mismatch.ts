/** Route objects that lead requests to Pods which do not take what clients speak: part of `tls-mismatch`. */

import { EVERY_REQUEST } from '../kinds/http-rule.ts'
import type { Service } from '../kinds/service.ts'
import type { Target } from '../mesh/gaps/gaps.ts'
import { formatPath } from '../mesh/names/path.ts'
import { describeClass } from '../mesh/requests/classes.ts'
import { covers } from '../mesh/routing/covers.ts'
import { spokenIn } from '../mesh/routing/mtls.ts'
import { chains, tablesOf } from '../mesh/routing/routes.ts'
import { ruleInScope, type Scope, scopeOf } from '../mesh/routing/scope.ts'
import type { Route, RoutedDestination, RouteTable } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Draft, Subject } from './rule.ts'
import { type Clash, clashAt, LANGUAGE, mayClash, remedyFor, restsOn, takenFor } from './tls-clash.ts'
import { destinationName, percent, through } from './wording.ts'

type Routing = Pick<Subject, 'written' | 'nameOf' | 'targets' | 'snapshotBefore' | 'snapshotAfter' | 'tablesAfter' | 'isInMesh'>

const EPSILON = 1e-9

/** One finding for each destination of a route to which more of its requests are led than of the same requests before. */
export function ledToMismatch(subject: Routing): Draft[] {
  const { targets, snapshotBefore, snapshotAfter, tablesAfter } = subject
  if (!snapshotAfter.has('destinationRuleWithTls', '')) return []
  const [before, after] = [clashesIn(subject, snapshotBefore), clashesIn(subject, snapshotAfter)]
  const found = new Map<string, Draft>()
  for (const target of targets) {
    const scope = scopeOf(snapshotAfter, target.context)
    const ways = waysTo(scope, target, tablesAfter(target)).filter((way) => way.destinations.some(({ host }) => after.mayFail(host)))
    for (const way of ways) {
      const [first, ...others] = lost(way, scope, after)
      if (first === undefined) continue
      const scopeBefore = scopeOf(snapshotBefore, target.context)
      const earlier = waysTo(scopeBefore, target, tablesOf(scopeBefore, target.host))
      snapshotBefore.charge(earlier.length)
      const taken = earlier.find((each) => tookBefore(each, way))
      const share = sum([first, ...others].map(({ destination }) => destination))
      if (taken !== undefined && share <= sum(unserved(taken, scopeBefore, before)) + EPSILON) continue
      const key = JSON.stringify([way.source, first.destination.path, first.clash.refused])
      if (!found.has(key)) found.set(key, say(subject, target, way, { ...first, share, isNew: taken === undefined }))
    }
  }
  return [...found.values()]
}

interface Clashes {
  /** Nothing is looked at again for a Service whose Pods take what clients speak, as most do. */
  mayFail(host: string): boolean
  at(scope: Scope, destination: RoutedDestination): Clash | null
}

function clashesIn({ isInMesh }: Routing, snapshot: Snapshot): Clashes {
  const services = new Map<string, Service | null>()
  const suspect = (host: string): Service | null => {
    const known = services.get(host)
    if (known !== undefined) return known
    const [service] = snapshot.lookup('serviceByHost', host)
    const found = service !== undefined && mayClash(snapshot, service) && isInMesh(service) ? service : null
    services.set(host, found)
    return found
  }
  return {
    mayFail: (host) => suspect(host) !== null,
    at: (scope, destination) => {
      const service = suspect(destination.host)
      const joined = service === null ? null : ruleInScope(scope, service)
      return service === null || joined === null ? null : clashAt(snapshot, service, joined, destination)
    }
  }
}

/** A route or chain by which requests or connections to a host go. */
interface Way extends Pick<Route, 'source' | 'path' | 'condition' | 'destinations'> {
  readonly port: number
  readonly serverNames: readonly string[]
  readonly isBytes: boolean
}

function waysTo({ snapshot, context }: Scope, { host }: Target, tables: readonly RouteTable[]): Way[] {
  for (const { routes } of tables) snapshot.charge(routes.length)
  return [
    ...tables.flatMap(({ routes, port, serverNames }) => routes.map((route) => ({ ...route, port, serverNames, isBytes: false }))),
    ...chains(snapshot, context, host).map((chain) => ({ ...chain, condition: EVERY_REQUEST, isBytes: true }))
  ]
}

/** Before the write it took what the other takes now. */
function tookBefore(one: Way, now: Way): boolean {
  const isSame = one.isBytes === now.isBytes && one.port === now.port && one.serverNames.join() === now.serverNames.join()
  return isSame && covers(one.condition, now.condition)
}

interface Lost {
  readonly destination: RoutedDestination
  readonly clash: Clash
}

function lost({ destinations }: Way, scope: Scope, clashes: Clashes): Lost[] {
  return destinations.flatMap((destination) => {
    const clash = clashes.at(scope, destination)
    return clash === null ? [] : [{ destination, clash }]
  })
}

/** For this reason or another. */
function unserved({ destinations }: Way, scope: Scope, clashes: Clashes): RoutedDestination[] {
  return destinations.filter((each) => each.missing !== null || each.ready === 0 || clashes.at(scope, each) !== null)
}

function sum(destinations: readonly RoutedDestination[]): number {
  return destinations.reduce((total, { share }) => total + share, 0)
}

interface Led extends Lost {
  readonly share: number
  /** Nothing took these requests before. */
  readonly isNew: boolean
}

function say({ nameOf, written }: Routing, { context, host }: Target, way: Way, { destination, clash, share, isNew }: Led): Draft {
  const { source, path, isBytes, condition, port } = way
  const { rule, tls, refused } = clash
  const spoken = spokenIn(tls)
  const sender = source === null ? "Istio's default route" : `${nameOf(source)} ${formatPath(path.slice(1, 3))}`.trimEnd()
  const sends = `${sender} sends to ${destinationName(destination)}, to which ${nameOf(rule)} has clients speak ${LANGUAGE[spoken]}`
  const at = { object: source ?? written, path: destination.path }
  if (refused === null) {
    return {
      ...at,
      message: `${sends}; the sidecars of its Pods expect ISTIO_MUTUAL`,
      remedy: 'Use tls mode ISTIO_MUTUAL for workloads of the mesh'
    }
  }
  const who = isBytes ? `connections to ${host}:${port}` : describeClass(condition, `${host}:${port}`)
  const fate = `${percent(share)} of ${who}${through(context)} would ${isBytes ? 'be closed' : 'get 503'}`
  return {
    ...at,
    severity: isNew ? 'warn' : 'deny',
    message: `${fate}: ${sends}, and ${takenFor(refused, spoken, nameOf)}`,
    remedy: remedyFor(false, spoken, refused === 'no sidecar' ? null : nameOf(refused), nameOf(rule)),
    ...restsOn(clash)
  }
}
