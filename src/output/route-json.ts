/** The route tables as Istio would build them, as JSON: who asks, for which host and port, by which route it goes where. */
import { formatRef, isOfGatewayApi } from '../kinds/index.ts'
import { isWildcard } from '../mesh/names/hosts.ts'
import { compareText } from '../mesh/names/text.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { gatewayNames, openPorts } from '../mesh/routing/gateways.ts'
import { isAccepted } from '../mesh/routing/matches.ts'
import { chains, hostsOf, routeTables } from '../mesh/routing/routes.ts'
import { listensForHttp, scopeOf } from '../mesh/routing/scope.ts'
import type { Chain, Context, Route, RoutedDestination, RouteTable } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { type SourceJson, sourceJson } from './source-json.ts'

export interface DestinationJson {
  /** null: a backend that Istio refuses to name. */
  readonly host: string | null
  readonly subset: string | null
  readonly port: number | null
  readonly share: number
  /** Its cluster exists. */
  readonly defined: boolean
  /** Endpoints that would get requests; null where nobody can know. */
  readonly ready: number | null
}

export interface RouteJson extends SourceJson {
  /** Of a route of the Gateway API, which of its rules it is. */
  readonly rule?: string | number
  readonly matchesAll: boolean
  readonly action: Route['action']
  /** Of an answer that no destination gives. */
  readonly status?: number
  /** What requests get that are sent to a destination which is not defined, where that is not 503. */
  readonly undefinedStatus?: number
  readonly destinations: readonly DestinationJson[]
  readonly mirrors?: readonly DestinationJson[]
}

export interface HostJson {
  readonly host: string
  /** Other names at a gateway that have the same routes; Istio makes one virtual host of them all, named for the most specific. */
  readonly names?: readonly string[]
  readonly port: number
  readonly virtualServices: readonly string[]
  /** The routes of the Gateway API that took it. */
  readonly from?: readonly string[]
  /** The names for which an HTTPS listener has these routes, where it does not have them for every one. */
  readonly sni?: readonly string[]
  readonly catchAll: boolean
  readonly routes: readonly RouteJson[]
}

export interface ChainJson {
  readonly port: number
  readonly serverNames: readonly string[]
  readonly destinations: readonly DestinationJson[]
}

export interface ContextJson extends Context {
  readonly gateways?: readonly string[]
  /** Of a gateway: those on which it accepts connections. */
  readonly ports?: readonly number[]
  /** Ports whose whole configuration Envoy refuses, for the sake of a regular expression that is none. */
  readonly refused?: readonly number[]
  readonly hosts: readonly HostJson[]
  /** Hosts of ports whose protocol is sniffed, where no listener for HTTP is open: Istio routes each through a listener of its own. */
  readonly sniffed?: readonly HostJson[]
  readonly chains: readonly ChainJson[]
}

/** The tables and chains that VirtualServices make, for each context. */
export function routesJson(snapshot: Snapshot, contexts: readonly Context[]): { contexts: ContextJson[] } {
  return { contexts: contexts.map((context) => contextJson(snapshot, context)) }
}

function contextJson(snapshot: Snapshot, context: Context): ContextJson {
  const hosts = hostsOf(snapshot, context)
  const tables = tablesOf(snapshot, context, hosts).filter(({ takers }) => takers.length > 0)
  const found = hosts.flatMap((host) => chains(snapshot, context, host))
  if (context.kind === 'gateway') {
    const scope = scopeOf(snapshot, context)
    return {
      ...context,
      gateways: gatewayNames(scope),
      ports: openPorts(scope),
      ...refusedOf(tables),
      hosts: shared(tables),
      chains: found.map(chainJson)
    }
  }
  const scope = scopeOf(snapshot, context)
  const sniffed = tables.filter(({ port }) => !listensForHttp(scope, port))
  return {
    ...context,
    hosts: tables.filter((table) => !sniffed.includes(table)).map((table) => hostJson(table, [])),
    ...(sniffed.length === 0 ? {} : { sniffed: sniffed.map((table) => hostJson(table, [])) }),
    ...refusedOf(tables),
    chains: found.map(chainJson)
  }
}

function refusedOf(tables: readonly RouteTable[]): { refused?: readonly number[] } {
  const refused = tables.filter(({ routes }) => routes.some(({ condition }) => !isAccepted(condition))).map(({ port }) => port)
  return refused.length === 0 ? {} : { refused: [...new Set(refused)].sort((one, other) => one - other) }
}

/** Each table once: an alias has those of the host that it stands for (8.4). */
export function tablesOf(snapshot: Snapshot, context: Context, hosts: readonly string[]): RouteTable[] {
  const tables = hosts.flatMap((host) => routeTables(snapshot, context, host))
  return [...new Map(tables.map((table) => [`${table.host}:${table.port}:${table.serverNames}`, table])).values()]
}

/** Istio joins the virtual hosts of a gateway that have the same routes of the same VirtualServices; of the Gateway API's each has one host. `collapseDuplicateRoutes`, pilot/pkg/networking/core/gateway.go. */
function shared(tables: readonly RouteTable[]): HostJson[] {
  const groups = Map.groupBy(tables, ({ host, port, takers, routes }) =>
    JSON.stringify([port, takers.some(isOfGatewayApi) ? host : null, routes.map(({ source, path }) => [source, path])])
  )
  return [...groups.values()].flatMap((group) => {
    const [first, ...others] = group.sort((one, other) => bySpecificity(one.host, other.host))
    return first === undefined
      ? []
      : hostJson(
          first,
          others.map(({ host }) => host)
        )
  })
}

/** Exact names before wildcards, longer ones before shorter. `MoreSpecific`, pkg/config/host/names.go. */
function bySpecificity(one: string, other: string): number {
  return Number(isWildcard(one)) - Number(isWildcard(other)) || other.length - one.length || compareText(one, other)
}

function hostJson(table: RouteTable, names: readonly string[]): HostJson {
  const { host, port, takers, serverNames, catchAll, routes } = table
  const from = takers.filter(isOfGatewayApi).map(formatRef)
  return {
    host,
    ...(names.length === 0 ? {} : { names }),
    port,
    virtualServices: takers.flatMap((source) => sourceJson(source).virtualService ?? []),
    ...(from.length === 0 ? {} : { from }),
    ...(serverNames.length === 0 ? {} : { sni: serverNames }),
    catchAll,
    routes: routes.map(routeJson)
  }
}

function routeJson({ source, path, matchesAll, action, status, destinations, mirrors }: Route): RouteJson {
  const isOfApi = source !== null && isOfGatewayApi(source)
  const route = {
    ...sourceJson(source),
    ...(isOfApi ? { rule: path[2] } : {}),
    matchesAll,
    action,
    ...(isOfApi && action === 'direct' && status !== null ? { status } : {}),
    ...(isOfApi && action === 'route' ? { undefinedStatus: 500 } : {}),
    destinations: destinations.map(destinationJson)
  }
  return mirrors.length === 0 ? route : { ...route, mirrors: mirrors.map(destinationJson) }
}

function chainJson({ port, serverNames, destinations }: Chain): ChainJson {
  return { port, serverNames, destinations: destinations.map(destinationJson) }
}

function destinationJson({ host, subset, port, share, missing, ready }: RoutedDestination): DestinationJson {
  if (host === NOWHERE) return { host: null, subset: null, port: null, share, defined: false, ready: 0 }
  return { host, subset, port, share: Math.round(share * 1e6) / 1e6, defined: missing === null, ready }
}
