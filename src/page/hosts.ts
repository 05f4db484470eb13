/** What the page knows of hosts: who may be asked about, and how the requests to one are shared out. */
import { gatewayProxies } from '../mesh/gaps/contexts.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { compareText } from '../mesh/names/text.ts'
import { serve } from '../mesh/requests/serve.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { chains, hostsOf, routeTables } from '../mesh/routing/routes.ts'
import type { Chain, Context, Route, RoutedDestination, RouteTable } from '../mesh/routing/table.ts'
import { Meter, metered, TooMuchWork } from '../mesh/snapshot/metered.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'

/** Steps for one host in one context: some tens of milliseconds. */
const MOST_STEPS = 200_000

/** One line of the list: a host, as clients beside it see it or as a gateway does. */
export interface HostEntry {
  readonly host: string
  readonly context: Context
}

/** A share of the requests of a route. */
export interface Segment {
  readonly label: string
  readonly share: number
  /** null: nobody here can know. */
  readonly ready: number | null
  /** Why it answers nothing; null where it may. */
  readonly lost: string | null
}

export interface PortPicture {
  readonly port: number
  /** Of the requests that no condition takes: in the order of the object. */
  readonly segments: readonly Segment[]
  /** Routes with a condition. */
  readonly conditions: number
  readonly state: PictureState
}

/** `lost`: some requests get no answer. `partial`: only requests that meet a condition are routed. */
export type PictureState = 'served' | 'partial' | 'lost' | 'unknown'

/** Every host: those of Services and ServiceEntries for clients of their own namespace, and those at each gateway. */
export function everyHost(snapshot: Snapshot): HostEntry[] {
  const entries = new Map<string, HostEntry>()
  const add = (host: string, namespace: string) => {
    if (!entries.has(host)) entries.set(host, { host, context: { kind: 'mesh', namespace, labels: {} } })
  }
  for (const { host, namespace } of snapshot.all('Service')) add(host, namespace)
  for (const { hosts, namespace } of snapshot.all('ServiceEntry')) for (const host of hosts) add(host, namespace)
  const atGateways = gatewayProxies(snapshot).flatMap((context) => hostsOf(snapshot, context).map((host) => ({ host, context })))
  return [...atGateways, ...entries.values()].sort((one, other) => compareText(one.host, other.host))
}

/** How each port of a host shares its requests out; null where that takes too much work. */
export function pictureOf(snapshot: Snapshot, { host, context }: HostEntry): PortPicture[] | null {
  try {
    const bounded = metered(snapshot, new Meter(MOST_STEPS))
    const tables = routeTables(bounded, context, host).map((table) => tablePicture(bounded, table))
    const taken = new Set(tables.map(({ port }) => port))
    const rest = [...chains(bounded, context, host), ...plainChains(bounded, context, host)]
    const others = [...new Map(rest.filter(({ port }) => !taken.has(port)).map((chain) => [chain.port, chain])).values()]
    return [...tables, ...others.map((chain) => chainPicture(bounded, chain))].sort((one, other) => one.port - other.port)
  } catch (error) {
    if (error instanceof TooMuchWork) return null
    throw error
  }
}

/** Connections to the ports that no route object touches. */
function plainChains(snapshot: Snapshot, context: Context, host: string): Chain[] {
  if (context.kind === 'gateway') return []
  const ports = [
    ...[...snapshot.lookup('serviceByHost', host)].flatMap((service) => service.ports.map(({ port }) => port)),
    ...[...snapshot.lookup('serviceEntryByHost', host)].flatMap((entry) => entry.ports.map(({ number }) => number))
  ]
  return [...new Set(ports)].flatMap((port) => {
    const byName = serve(snapshot, context, host, port, { kind: 'tls', sni: host }).chain
    const chain = byName ?? serve(snapshot, context, host, port, { kind: 'tcp' }).chain
    return chain === null ? [] : [{ ...chain, port }]
  })
}

function tablePicture(snapshot: Snapshot, { host, port, routes, catchAll }: RouteTable): PortPicture {
  const rest = routes.find(({ matchesAll }) => matchesAll) ?? routes.at(-1)
  const segments = rest === undefined ? [] : segmentsOf(snapshot, host, rest)
  const isLost = routes.some((route) => segmentsOf(snapshot, host, route).some(({ lost }) => lost !== null))
  const state = isLost ? 'lost' : catchAll ? stateOf(segments) : 'partial'
  return { port, segments, conditions: routes.filter(({ matchesAll }) => !matchesAll).length, state }
}

function chainPicture(snapshot: Snapshot, { host, port, destinations }: Chain): PortPicture {
  const segments = destinations.map((destination) => segmentOf(snapshot, host, destination))
  const lost = segments.find((segment) => segment.lost !== null)
  return {
    port,
    segments,
    conditions: 0,
    state: lost === undefined ? stateOf(segments) : 'lost'
  }
}

function stateOf(segments: readonly Segment[]): PictureState {
  return segments.some(({ ready }) => ready === null) ? 'unknown' : 'served'
}

/** Of a redirect, a fixed answer or no action, one segment. */
export function segmentsOf(snapshot: Snapshot, host: string, { action, status, destinations }: Route): Segment[] {
  switch (action) {
    case 'route':
      return destinations.map((destination) => segmentOf(snapshot, host, destination))
    case 'redirect':
      return [{ label: `redirect ${status}`, share: 1, ready: 0, lost: null }]
    case 'direct':
      return [{ label: `answers ${status}`, share: 1, ready: 0, lost: null }]
    case 'none':
      return [{ label: 'no action', share: 1, ready: 0, lost: 'Envoy refuses it' }]
  }
}

export function segmentOf(snapshot: Snapshot, own: string, { host, subset, share, missing, ready }: RoutedDestination): Segment {
  if (host === NOWHERE) return { label: 'a backend', share, ready: 0, lost: 'of an unknown kind, or without a ReferenceGrant' }
  const service = serviceOfHost(host, snapshot.settings.domain)
  const elsewhere = host === own ? null : (service?.name ?? host)
  const label = [elsewhere, subset].filter((part) => part !== null).join(' ') || 'all versions'
  const lost = missing !== null ? `no such ${missing}` : ready === 0 ? 'no Ready Pod' : null
  return { label, share, ready, lost }
}
