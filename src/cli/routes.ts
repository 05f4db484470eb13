/** The route table as Istio would build it: as JSON in the form of conformance/README.md, and as a table for people. */

import { styleText } from 'node:util'
import { isWildcard } from '../mesh/names/hosts.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import { compareText } from '../mesh/names/text.ts'
import { gatewayNames } from '../mesh/routing/gateways.ts'
import { chains, hostsOf, routeTables } from '../mesh/routing/routes.ts'
import { listensForHttp, scopeOf } from '../mesh/routing/scope.ts'
import type { Chain, Condition, Context, Route, RoutedDestination, RouteTable } from '../mesh/routing/table.ts'
import type { Labels } from '../mesh/snapshot/objects.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

export interface DestinationJson {
  readonly host: string
  readonly subset: string | null
  readonly port: number
  readonly share: number
  /** Its cluster exists. */
  readonly defined: boolean
  /** Endpoints that would get requests; null where nobody can know. */
  readonly ready: number | null
}

export interface RouteJson {
  readonly virtualService: string | null
  readonly matchesAll: boolean
  readonly action: Route['action']
  readonly destinations: readonly DestinationJson[]
  readonly mirrors?: readonly DestinationJson[]
}

export interface HostJson {
  readonly host: string
  /** Other names at a gateway that have the same routes; Istio makes one virtual host of them all, named for the most specific. */
  readonly names?: readonly string[]
  readonly port: number
  readonly virtualServices: readonly string[]
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
  readonly hosts: readonly HostJson[]
  /** Hosts of ports whose protocol is sniffed, where no listener for HTTP is open: Istio routes each through a listener of its own. */
  readonly sniffed?: readonly HostJson[]
  readonly chains: readonly ChainJson[]
}

/** The tables and chains that VirtualServices make, for each context. */
export function routesJson(snapshot: Snapshot, contexts: readonly Context[]): { contexts: ContextJson[] } {
  return { contexts: contexts.map((context) => contextJson(snapshot, context)) }
}

/** The contexts that a world shows: each namespace, with the labels that something in it asks its clients for, and each gateway's Pods. */
export function contextsOf(snapshot: Snapshot): Context[] {
  const namespaces = new Set(['default'])
  for (const { name } of snapshot.all('Namespace')) namespaces.add(name)
  for (const { namespace } of snapshot.all('Service')) namespaces.add(namespace)
  for (const { namespace } of snapshot.all('VirtualService')) namespaces.add(namespace)
  const labelSets = labelsAskedFor(snapshot)
  const clients = [...namespaces].sort().flatMap((namespace) => labelSets.map((labels) => ({ kind: 'mesh' as const, namespace, labels })))
  return [...clients, ...gatewayContexts(snapshot)]
}

/** A context of the command line: `prod`, `prod{app=web,version=v1}`; null where it is no such thing. */
export function parseContext(kind: Context['kind'], text: string): Context | null {
  const [, namespace, pairs = ''] = /^([a-z0-9-]+)(?:\{([^{}]*)\})?$/.exec(text) ?? []
  if (namespace === undefined) return null
  const entries = pairs === '' ? [] : pairs.split(',').map((pair) => pair.trim().split('='))
  if (entries.some((entry) => entry.length !== 2)) return null
  return { kind, namespace, labels: Object.fromEntries(entries) }
}

function contextJson(snapshot: Snapshot, context: Context): ContextJson {
  const hosts = hostsOf(snapshot, context)
  const tables = tablesOf(snapshot, context, hosts).filter(({ virtualServices }) => virtualServices.length > 0)
  const found = hosts.flatMap((host) => chains(snapshot, context, host))
  if (context.kind === 'gateway') {
    return { ...context, gateways: gatewayNames(scopeOf(snapshot, context)), hosts: shared(tables), chains: found.map(chainJson) }
  }
  const scope = scopeOf(snapshot, context)
  const sniffed = tables.filter(({ port }) => !listensForHttp(scope, port))
  return {
    ...context,
    hosts: tables.filter((table) => !sniffed.includes(table)).map((table) => hostJson(table, [])),
    ...(sniffed.length === 0 ? {} : { sniffed: sniffed.map((table) => hostJson(table, [])) }),
    chains: found.map(chainJson)
  }
}

/** Each table once: an alias has those of the host that it stands for (8.4). */
function tablesOf(snapshot: Snapshot, context: Context, hosts: readonly string[]): RouteTable[] {
  const tables = hosts.flatMap((host) => routeTables(snapshot, context, host))
  return [...new Map(tables.map((table) => [`${table.host}:${table.port}`, table])).values()]
}

/** Istio joins the virtual hosts of a gateway that have the same routes. `collapseDuplicateRoutes`, pilot/pkg/networking/core/gateway.go. */
function shared(tables: readonly RouteTable[]): HostJson[] {
  const groups = Map.groupBy(tables, ({ port, routes }) =>
    JSON.stringify([port, routes.map((route) => [route.virtualService, route.path])])
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

function hostJson({ host, port, virtualServices, catchAll, routes }: RouteTable, names: readonly string[]): HostJson {
  return { host, ...(names.length === 0 ? {} : { names }), port, virtualServices, catchAll, routes: routes.map(routeJson) }
}

function routeJson({ virtualService, matchesAll, action, destinations, mirrors }: Route): RouteJson {
  const route = { virtualService, matchesAll, action, destinations: destinations.map(destinationJson) }
  return mirrors.length === 0 ? route : { ...route, mirrors: mirrors.map(destinationJson) }
}

function chainJson({ port, serverNames, destinations }: Chain): ChainJson {
  return { port, serverNames, destinations: destinations.map(destinationJson) }
}

function destinationJson({ host, subset, port, share, missing, ready }: RoutedDestination): DestinationJson {
  return { host, subset, port, share: Math.round(share * 1e6) / 1e6, defined: missing === null, ready }
}

function labelsAskedFor(snapshot: Snapshot): Labels[] {
  const sets: Labels[] = [{}]
  const add = (labels: Labels | null) => {
    if (labels !== null && !sets.some((known) => sameLabels(known, labels))) sets.push(labels)
  }
  for (const { http, tls, tcp } of snapshot.all('VirtualService')) {
    for (const { match } of [...http, ...tls, ...tcp]) for (const { sourceLabels } of match) add(sourceLabels)
  }
  for (const { workloadSelector } of snapshot.all('DestinationRule')) add(workloadSelector)
  for (const { workloadSelector } of snapshot.all('Sidecar')) add(workloadSelector)
  return sets
}

/** The Pods that a Gateway selects, by namespace and labels; where there are none, one in the Gateway's namespace with its selector. */
function gatewayContexts(snapshot: Snapshot): Context[] {
  const contexts: Context[] = []
  for (const { namespace, selector } of snapshot.all('Gateway')) {
    const pods = [...snapshot.podsAnywhere(selector)]
    const proxies =
      pods.length > 0
        ? pods.map((pod) => ({ namespace: pod.namespace, labels: withoutHash(pod.labels) }))
        : [{ namespace, labels: selector }]
    for (const proxy of proxies) {
      const isKnown = contexts.some((known) => known.namespace === proxy.namespace && sameLabels(known.labels, proxy.labels))
      if (!isKnown) contexts.push({ kind: 'gateway', ...proxy })
    }
  }
  return contexts
}

function withoutHash({ 'pod-template-hash': _, ...labels }: Labels): Labels {
  return labels
}

export interface TableOptions {
  readonly colour: boolean
  readonly columns: number
  /** Only these hosts, where any are given. */
  readonly hosts?: readonly string[]
}

/** One line a destination: who asks for which host and port, on which condition, where it goes, how much of it, and whether it is served. */
export function routesTable(snapshot: Snapshot, contexts: readonly Context[], options: TableOptions): string {
  return contexts.flatMap((context) => contextLines(snapshot, context, options)).join('\n')
}

function contextLines(snapshot: Snapshot, context: Context, options: TableOptions): string[] {
  const wanted = hostsOf(snapshot, context).filter((host) => options.hosts === undefined || options.hosts.includes(host))
  const tables = tablesOf(snapshot, context, wanted)
  const blocks = [
    ...tables.flatMap((table) => tableLines(table, options)),
    ...wanted.flatMap((host) => chains(snapshot, context, host)).flatMap((chain) => chainLines(chain, options))
  ]
  return blocks.length === 0 ? [] : [paint(options, 'bold', formatContext(context)), ...blocks, '']
}

/** `mesh prod{app=web}`. */
export function formatContext({ kind, namespace, labels }: Context): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return `${kind} ${namespace}${pairs.length === 0 ? '' : `{${pairs.sort().join(',')}}`}`
}

function tableLines({ host, port, virtualServices, catchAll, routes }: RouteTable, options: TableOptions): string[] {
  const head = `  ${host}:${port}  ${virtualServices.join(', ') || 'default'}`
  const lines = routes.flatMap((route) => routeLines(route, options))
  const rest = catchAll ? [] : [paint(options, 'red', '    every other request -> 404')]
  return [head, ...lines, ...rest]
}

function routeLines({ condition, action, destinations }: Route, options: TableOptions): string[] {
  const when = formatCondition(condition)
  if (action === 'none') return [paint(options, 'red', `    ${when} -> refused by Envoy`)]
  if (action !== 'route') return [`    ${when} -> ${action === 'direct' ? 'direct response' : 'redirect'}`]
  return destinations.map((destination) => destinationLine(when, destination, options))
}

function chainLines({ host, port, serverNames, destinations }: Chain, options: TableOptions): string[] {
  const when = serverNames.length === 0 ? 'every connection' : `SNI ${serverNames.join(', ')}`
  return [`  ${host}:${port}`, ...destinations.map((destination) => destinationLine(when, destination, options))]
}

function destinationLine(when: string, { host, subset, port, share, missing, ready }: RoutedDestination, options: TableOptions): string {
  const state = missing === null ? `${ready ?? 'unknown'} ready` : `no such ${missing}, 503`
  const target = `${host}:${port}${subset === null ? '' : ` ${subset}`}`
  const percent = `${Math.round(share * 1000) / 10}%`
  const wide = `    ${when} -> ${target}  ${percent}  ${state}`
  // On a narrow terminal the condition has a line of its own.
  const line = wide.length <= options.columns ? wide : `    ${when}\n      -> ${target}  ${percent}  ${state}`
  return missing === null && ready !== 0 ? line : paint(options, 'red', line)
}

/** `uri prefix /api, header end-user=jason`. */
function formatCondition(condition: Condition): string {
  const value = (match: Condition['uri']) => (match === null || match.type === 'present' ? 'present' : `${match.type} ${match.value}`)
  const fields = (['uri', 'scheme', 'method', 'authority'] as const).flatMap((field) =>
    condition[field] === null ? [] : `${field} ${value(condition[field])}`
  )
  const named = (what: string, matches: Condition['headers']) =>
    Object.entries(matches).map(([name, match]) => `${what} ${name} ${value(match)}`)
  const all = [
    ...fields,
    ...named('header', condition.headers),
    ...named('without header', condition.withoutHeaders),
    ...named('query', condition.queryParams)
  ]
  return all.length === 0 ? 'every request' : all.join(', ')
}

function paint({ colour }: TableOptions, format: 'bold' | 'red', text: string): string {
  return colour ? styleText(format, text, { validateStream: false }) : text
}
