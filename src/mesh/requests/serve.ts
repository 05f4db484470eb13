/** What one concrete request gets (docs/architecture.md): the route or chain that takes it, its destinations, and how much of it goes unanswered. */

import { serviceOfHost } from '../names/hosts.ts'
import type { Ending, Reached } from '../routing/connections.ts'
import { reach } from '../routing/listeners.ts'
import { isDown } from '../routing/proxies.ts'
import { scopeOf } from '../routing/scope.ts'
import { type Chain, type Context, isOfApi, lacksBackend, type Route, type RoutedDestination, type RouteTable } from '../routing/table.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { firstUnmet, type HttpRequest, type Request, schemeOf, type Unmet } from './request.ts'

/** Why a share is not answered: by the listener, for want of a route, by a route without action, by a rule of the Gateway API without backend, or by a destination. */
export type Cause = Ending | 'no-virtual-host' | 'no-route' | 'no-action' | 'no-backend' | 'no-cluster' | 'no-endpoints' | null

export interface Answer {
  /** The virtual host that the request met; null where it met none. */
  readonly table: RouteTable | null
  readonly route: Route | null
  readonly chain: Chain | null
  /** Routes before the one that takes the request, and what of them it does not meet. */
  readonly passed: readonly Passed[]
  /** Of the route or chain, the unserved ones too. */
  readonly destinations: readonly RoutedDestination[]
  /** 0..1 of such requests; null where nobody can know. */
  readonly unserved: number | null
  readonly status: number | Ending
  readonly cause: Cause
}

export interface Passed {
  readonly route: Route
  readonly unmet: Unmet
}

const NOTHING = { table: null, route: null, chain: null, passed: [], destinations: [] }
/** Endings of which nobody can know what comes of them. */
const UNKNOWN: readonly Ending[] = ['passthrough', 'protocol']

/** What the request gets from `host:port` in the context. Pure; the work is charged to the snapshot. */
export function serve(snapshot: Snapshot, context: Context, host: string, port: number, request: Request): Answer {
  if (context.kind === 'gateway' && isDown(snapshot, context)) return noListener()
  const scope = scopeOf(snapshot, context)
  // Names know no case; routes see the authority as it was sent.
  const serverName = request.kind === 'tcp' ? null : (request.sni?.toLowerCase() ?? null)
  const reached = reach(scope, { host: host.toLowerCase(), port, serverName, http: request.kind === 'http' })
  switch (reached.by) {
    case 'none':
      return ended(reached.ending)
    case 'chain':
      return ofChain(snapshot, reached.chain)
    case 'virtual-host':
      return request.kind === 'http' ? ofVirtualHost(snapshot, reached, request, authorityOf(host, port, request)) : ended('protocol')
  }
}

/** What a client sends as `:authority`: its own Host header, else what it calls, with the port where that is not the scheme's own. */
function authorityOf(host: string, port: number, request: HttpRequest): string {
  const own = request.headers.get('host')
  if (own !== undefined) return own
  return port === (schemeOf(request) === 'http' ? 80 : 443) ? host : `${host}:${port}`
}

/** What a gateway answers that has no Ready Pod, or that no Gateway selects. */
export function noListener(): Answer {
  return ended('no-listener')
}

function ended(ending: Ending): Answer {
  return { ...NOTHING, unserved: UNKNOWN.includes(ending) ? null : 1, status: ending, cause: ending }
}

function ofChain(snapshot: Snapshot, chain: Chain): Answer {
  const { destinations } = chain
  const lost = lostOf(snapshot, destinations)
  const status = lost.unserved === 0 ? 200 : lost.unserved === 1 ? 'closed' : 503
  return { ...NOTHING, chain, destinations, ...lost, status }
}

type VirtualHostReached = Extract<Reached, { by: 'virtual-host' }>

function ofVirtualHost(snapshot: Snapshot, { table, redirects }: VirtualHostReached, request: HttpRequest, authority: string): Answer {
  if (redirects) return { ...NOTHING, table, unserved: table === null ? null : 0, status: 301, cause: null }
  if (table === null) return { ...NOTHING, unserved: 1, status: 404, cause: 'no-virtual-host' }
  const passed: Passed[] = []
  for (const route of table.routes) {
    const unmet = firstUnmet(snapshot, route.condition, request, authority)
    if (unmet === null) return { ...ofRoute(snapshot, route), table, passed }
    passed.push({ route, unmet })
  }
  return { ...NOTHING, table, passed, unserved: 1, status: 404, cause: 'no-route' }
}

function ofRoute(snapshot: Snapshot, route: Route): Omit<Answer, 'table' | 'passed'> {
  const { action, destinations } = route
  switch (action) {
    case 'redirect':
    case 'direct': {
      const isLost = lacksBackend(route)
      return {
        route,
        chain: null,
        destinations,
        unserved: isLost ? 1 : 0,
        status: route.status ?? 200,
        cause: isLost ? 'no-backend' : null
      }
    }
    case 'none':
      return { route, chain: null, destinations, unserved: 1, status: 404, cause: 'no-action' }
    case 'route': {
      const lost = lostOf(snapshot, destinations)
      return { route, chain: null, destinations, ...lost, status: lost.unserved === 0 ? 200 : statusOfLost(route, lost.cause) }
    }
  }
}

/** What a rule of the Gateway API sends to no cluster is its fault, and not the cluster's. */
function statusOfLost(route: Route, cause: Cause): number {
  return isOfApi(route) && cause === 'no-cluster' ? 500 : 503
}

function lostOf(snapshot: Snapshot, destinations: readonly RoutedDestination[]): { unserved: number; cause: Cause } {
  let unserved = 0
  let cause: Cause = null
  for (const destination of destinations) {
    if (isAnswered(snapshot, destination)) continue
    unserved += destination.share
    cause ??= destination.missing === null ? 'no-endpoints' : 'no-cluster'
  }
  return { unserved: unserved > 1 - 1e-9 ? 1 : unserved, cause }
}

/** Its cluster exists and has an endpoint that may answer, or nobody can know; and its Service is not terminating. */
export function isAnswered(snapshot: Snapshot, { missing, ready, host }: RoutedDestination): boolean {
  if (missing !== null || ready === 0) return false
  const named = serviceOfHost(host, snapshot.settings.domain)
  return named === null || !snapshot.find('Service', named.namespace, named.name)?.deleting
}
