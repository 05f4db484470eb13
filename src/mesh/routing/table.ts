/** What Envoy would be told: contexts, route tables, routes and their destinations. Built by `routeTables` (routes.ts). */
import type { Condition, RouteObject } from '../../kinds/http-rule.ts'
import { isOfGatewayApi } from '../../kinds/index.ts'
import type { Labels } from '../names/labels.ts'
import type { Path } from '../names/path.ts'

/** Who asks: a mesh client or a gateway's Pods, by what decides its configuration. */
export interface Context {
  readonly kind: 'mesh' | 'gateway'
  /** Of the client's, or of the gateway's Pods - not of the Gateway object (6.1). */
  readonly namespace: string
  readonly labels: Labels
}

/** One text for equal contexts. */
export function contextKey({ kind, namespace, labels }: Context): string {
  const pairs = Object.entries(labels)
  return pairs.length === 0 ? `${kind} ${namespace}` : JSON.stringify([kind, namespace, pairs.sort()])
}

/** Why a destination has no cluster: 503 NC. */
export type Missing = 'host' | 'port' | 'subset'

export interface RoutedDestination {
  /** Completed (1.1); of an ExternalName Service, the name it stands for (8.4). */
  readonly host: string
  readonly subset: string | null
  readonly port: number
  /** 0..1 of the route's requests. */
  readonly share: number
  readonly missing: Missing | null
  /** Endpoints that would get requests; null where neither Istio nor hitless can know (unknown liveness). */
  readonly ready: number | null
  /** Where it stands in its route object; [] for the default route. */
  readonly path: Path
}

export interface Route {
  /** The object in which the rule is written; null for Istio's default route to the whole service. */
  readonly source: RouteObject | null
  /** Where the rule or its match entry stands in it. */
  readonly path: Path
  readonly condition: Condition
  /** The condition covers every request (5.1). */
  readonly matchesAll: boolean
  /** `none`: Istio generates a route without action, which invalidates the whole configuration (4.9). */
  readonly action: 'route' | 'redirect' | 'direct' | 'none'
  /** What a redirect or a direct response answers; null for other actions. */
  readonly status: number | null
  /** Carried destinations only: weight 0 among several is absent (9.2). */
  readonly destinations: readonly RoutedDestination[]
  readonly mirrors: readonly RoutedDestination[]
}

/** It stands in a route of the Gateway API. */
export function isOfApi({ source }: Pick<Route, 'source'>): boolean {
  return source !== null && isOfGatewayApi(source)
}

/** It answers with 500, which nobody has written: its rule has no backend left. */
export function lacksBackend(route: Pick<Route, 'source' | 'action'>): boolean {
  return route.action === 'direct' && isOfApi(route)
}

/** The routes of one host on one port for one context, in the order in which Envoy tries them. */
export interface RouteTable {
  readonly host: string
  /** The port that the client calls, or that of the Gateway's server. */
  readonly port: number
  /** The route objects that took the host, in order; empty: served by default. */
  readonly takers: readonly RouteObject[]
  /** Of an HTTPS server that does not serve every name. */
  readonly serverNames: readonly string[]
  /** One route answers every request. */
  readonly catchAll: boolean
  readonly routes: readonly Route[]
}

/** A TCP or TLS route: connections to a port, by server name where there is any. */
export interface Chain {
  readonly host: string
  readonly port: number
  readonly serverNames: readonly string[]
  /** Found by the address that is called, before anything else is asked for (12.3). */
  readonly byAddress: boolean
  /** null for the chain that Istio makes of a service's port itself. */
  readonly source: RouteObject | null
  readonly path: Path
  readonly destinations: readonly RoutedDestination[]
}
