/**
 * The Gateway API as Istio reads it: listeners become Gateways of one server, routes become VirtualServices of one host, and from there on all
 * is as with Istio's own objects. pilot/pkg/config/kube/gateway/route_collections.go.
 */
import type { Gateway, GatewayServer } from '../../../kinds/gateway.ts'
import { hostnamesOf, parentKey } from '../../../kinds/gateway-api.ts'
import type { Destination, HttpRoute, L4Route } from '../../../kinds/http-rule.ts'
import type { Identity } from '../../../kinds/identity.ts'
import type { MeshObject } from '../../../kinds/index.ts'
import type { Service } from '../../../kinds/service.ts'
import type { VirtualService } from '../../../kinds/virtual-service.ts'
import { hostKey, isWildcard, wildcardsOver } from '../../names/hosts.ts'
import { compareText } from '../../names/text.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { hostsAt, ownerOf, parentsAt, takesHost } from './attachment.ts'
import { isManaged, servicesOf } from './deployed.ts'
import { isOfIstio, listenersOf, type PlacedListener, sharedHost } from './listeners.ts'
import {
  type AnyRoute,
  type ConnectionRoute,
  connectionRoutesReferring,
  type HeaderRoute,
  headerRoutesReferring,
  hostsOfParent,
  type Piece,
  pieceKey
} from './pieces.ts'
import { bySpecificity, convertConnections, convertRules } from './rules.ts'

/** What Istio makes of the pieces. */
export function made(snapshot: Snapshot, pieces: Iterable<Piece>): Made[] {
  return [...madeByPiece(snapshot, pieces).values()].flat()
}

/** The same by `pieceKey`. */
export function madeByPiece(snapshot: Snapshot, pieces: Iterable<Piece>): Map<string, Made[]> {
  const parts: Parts = {
    serving: once((gateway) => new Serving(listenersServing(snapshot, gateway))),
    serversOf: once((placed) => boundServers(snapshot, placed)),
    parentsAt: oncePerPair((placed, route) => parentsAt(snapshot, placed, route)),
    rulesOf: once((route) => convertRules(snapshot, route, 'listener', null)),
    known: new Map()
  }
  const unique = new Map([...pieces].map((piece) => [pieceKey(piece), piece]))
  return new Map([...unique].map(([key, piece]) => [key, madeOfPiece(snapshot, piece, parts)]))
}

/** What many pieces have in common. */
interface Parts {
  readonly serving: (gateway: string) => Serving
  /** Names of the Gateways that are made of a listener. */
  readonly serversOf: (placed: PlacedListener) => readonly string[]
  readonly parentsAt: (placed: PlacedListener, route: HeaderRoute) => number
  /** Of a route, at whichever listener; null where it has something for which Istio makes nothing of it. */
  readonly rulesOf: (route: HeaderRoute) => readonly HttpRoute[] | null
  /** Lists of servers by their text: thousands of hostnames are bound to the same. */
  readonly known: Map<string, readonly string[]>
}

/** The listeners of a Gateway that serve, in their order. */
class Serving {
  readonly all: readonly PlacedListener[]
  readonly #byHost: ReadonlyMap<string, readonly { readonly placed: PlacedListener; readonly at: number }[]>

  constructor(all: readonly PlacedListener[]) {
    this.all = all
    this.#byHost = Map.groupBy(
      all.map((placed, at) => ({ placed, at })),
      ({ placed }) => hostKey(placed.listener.hostname || EVERY_HOST)
    )
  }

  /** Those that share a host with a hostname of a route: there may be as many as there are of these. */
  sharing(hostname: string): readonly PlacedListener[] {
    if (isWildcard(hostname)) return this.all.filter(({ listener }) => hostname === EVERY_HOST || sharedHost(listener, hostname) !== null)
    const over = [hostname, ...wildcardsOver(hostname)].flatMap((key) => this.#byHost.get(key) ?? [])
    return over
      .filter(({ placed }) => sharedHost(placed.listener, hostname) !== null)
      .sort((one, other) => one.at - other.at)
      .map(({ placed }) => placed)
  }
}

function once<K, V>(find: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>()
  return (key) => {
    if (!known.has(key)) known.set(key, find(key))
    return known.get(key) as V
  }
}

function oncePerPair<K, L, V>(find: (key: K, other: L) => V): (key: K, other: L) => V {
  const of = once((key: K) => once((other: L) => find(key, other)))
  return (key, other) => of(key)(other)
}

function madeOfPiece(snapshot: Snapshot, piece: Piece, parts: Parts): Made[] {
  snapshot.charge(PIECE_EFFORT)
  switch (piece.of) {
    case 'servers':
      return parts.serving(piece.gateway).all.flatMap((placed) => serversOf(snapshot, placed))
    case 'hostname':
      return ofHostname(snapshot, piece, parts)
    case 'connections':
      return parts.serving(piece.gateway).all.flatMap((placed) => connectionsAt(snapshot, placed, piece.route, parts))
    case 'mesh':
      return onMesh(snapshot, piece.host)
  }
}

/** What Istio makes of the Gateway API is of the same kinds as its own objects. */
export type Made = Gateway | VirtualService

const PIECE_EFFORT = 8
/** The hostname of a route that names none. */
const EVERY_HOST = '*'

function listenersServing(snapshot: Snapshot, named: string): PlacedListener[] {
  const [namespace = '', name = ''] = named.split('/')
  const gateway = snapshot.find('KubernetesGateway', namespace, name)
  if (gateway === undefined || !isOfIstio(snapshot, gateway)) return []
  return listenersOf(snapshot, gateway).filter(({ serves }) => serves)
}

/** No object of a cluster is called so: names have no `~`. */
export function isNameOfMade(name: string): boolean {
  return name.includes('~')
}

/** What no object of a cluster can be called. */
function nameOfServer({ owner, listener }: PlacedListener): string {
  return `${owner.name}~istio-autogenerated-k8s-gateway~${listener.name}`
}

/** One for each Service that the Gateway is bound to, for the Pods behind it; a port that the Service lacks is no listener. */
function serversOf(snapshot: Snapshot, placed: PlacedListener): Gateway[] {
  const { gateway, owner, listener } = placed
  return servicesOf(snapshot, gateway).flatMap((service): Gateway[] => {
    const targetPorts = targetPortsOf(service)
    // Istio adds what is missing to the Service that is its own.
    if (isManaged(gateway) && !service.ports.some(({ port }) => port === listener.port)) targetPorts.set(listener.port, listener.port)
    const port = targetPorts.get(listener.port)
    if (service.selector === null || port === undefined) return []
    return [
      {
        ...madeOf(owner, `${nameOfServer(placed)}${service.name}`),
        kind: 'Gateway',
        namespace: gateway.namespace,
        selector: service.selector,
        servers: [serverOf(placed, port)],
        madeOf: { parent: `${owner.namespace}/${owner.name}`, targetPorts }
      }
    ]
  })
}

function targetPortsOf({ ports }: Service): Map<number, number> {
  return new Map(ports.flatMap(({ port, targetPort }) => (typeof targetPort === 'number' ? [[port, targetPort] as const] : [])))
}

function serverOf({ listener }: PlacedListener, port: number): GatewayServer {
  const { protocol, hostname, tlsMode } = listener
  const endsTls = protocol === 'HTTPS' || (protocol === 'TLS' && tlsMode !== 'Passthrough')
  return {
    port,
    portName: listener.name,
    protocol,
    hosts: [hostname || '*'],
    tlsMode: endsTls ? 'SIMPLE' : protocol === 'TLS' ? 'PASSTHROUGH' : '',
    httpsRedirect: false
  }
}

/** Of one hostname or route: nobody opens as many ports, and what is bound to each is kept for each. */
const MOST_SERVERS = 256

/** The routes with one hostname are one VirtualService at a listener, and at all of its owner's to which the same are attached. */
function ofHostname(snapshot: Snapshot, { gateway, hostname }: Extract<Piece, { of: 'hostname' }>, parts: Parts): VirtualService[] {
  const referring = once((owner: string) =>
    inOrder(headerRoutesReferring(snapshot, `${owner} ${hostname}`)).map((route) => ({
      route,
      times: hostnamesOf(route).filter((written) => written === hostname).length
    }))
  )
  const groups = new Map<string, { routes: readonly HeaderRoute[]; placed: PlacedListener[] }>()
  for (const placed of parts.serving(gateway).sharing(hostname)) {
    const owner = parentKey(ownerOf(placed))
    const routes = referring(owner)
    snapshot.charge(1 + routes.length)
    // One stands for each of its parents, and for each time that it writes the hostname.
    const attached: HeaderRoute[] = []
    let key = owner
    for (const [at, { route, times }] of routes.entries()) {
      const count = times * parts.parentsAt(placed, route)
      if (count === 0 || !takesHost(placed, route, hostname)) continue
      for (let left = count; left > 0; left--) attached.push(route)
      key += ` ${at}*${count}`
    }
    const group = groups.get(key) ?? { routes: attached, placed: [] }
    groups.set(key, group)
    group.placed.push(placed)
  }
  return [...groups.values()].flatMap(({ routes, placed }) => {
    const [oldest] = routes.filter((route) => parts.rulesOf(route) !== null)
    const [first] = placed
    if (oldest === undefined || first === undefined) return []
    const http = bySpecificity(routes.flatMap((route) => parts.rulesOf(route) ?? []))
    const name = `${hostname}~${nameOfServer(first)}`
    return [{ ...virtualService(oldest, name, [hostname], serversOfAll(placed, parts), 'listener'), http }]
  })
}

function serversOfAll(placed: readonly PlacedListener[], { serversOf, known }: Parts): readonly string[] {
  const servers = placed.flatMap(serversOf).slice(0, MOST_SERVERS)
  const text = servers.join()
  const found = known.get(text) ?? servers
  known.set(text, found)
  return found
}

function connectionsAt(
  snapshot: Snapshot,
  placed: PlacedListener,
  named: Pick<ConnectionRoute, 'kind' | 'namespace' | 'name'>,
  { serversOf }: Parts
): VirtualService[] {
  const route = snapshot.find(named.kind, named.namespace, named.name)
  if (route === undefined) return []
  const hosts = [
    ...new Set(hostsAt(snapshot, placed, route, hostnamesOf(route)).flatMap((host) => sharedHost(placed.listener, host) ?? []))
  ]
  const destinations = hosts.length === 0 ? null : convertConnections(snapshot, route, 'listener')
  if (destinations === null) return []
  const base = virtualService(route, `${route.name}~${nameOfServer(placed)}`, hosts, serversOf(placed), 'listener')
  const rule = l4Rule(route, destinations, route.kind === 'TLSRoute' ? hosts : [], null)
  return [route.kind === 'TLSRoute' ? { ...base, tls: [rule] } : { ...base, tcp: [rule] }]
}

function boundServers(snapshot: Snapshot, placed: PlacedListener): string[] {
  return servicesOf(snapshot, placed.gateway).map(({ name }) => `${placed.gateway.namespace}/${nameOfServer(placed)}${name}`)
}

/** Routes of one namespace, Service and setting of `port` are one VirtualService, as old as the oldest. */
function onMesh(snapshot: Snapshot, host: string): VirtualService[] {
  const parents = [
    ...[...snapshot.lookup('serviceByHost', host)].map((service) => parentKey({ ...service, kind: 'Service' })),
    ...[...snapshot.lookup('serviceEntryByHost', host)].map((entry) => parentKey({ ...entry, kind: 'ServiceEntry' }))
  ]
  const headers = new Set(parents.flatMap((parent) => headerRoutesReferring(snapshot, parent)))
  const connections = new Set(parents.flatMap((parent) => connectionRoutesReferring(snapshot, parent)))
  const groups = new Map<string, { parent: MeshParent; made: { route: HeaderRoute; rules: readonly HttpRoute[] }[] }>()
  for (const route of inOrder(headers)) {
    for (const parent of meshParents(snapshot, route, host)) {
      const rules = convertRules(snapshot, route, 'mesh', parent.port)
      if (rules === null) continue
      const key = `${route.namespace} ${parent.port}`
      const group = groups.get(key) ?? { parent, made: [] }
      groups.set(key, group)
      group.made.push({ route, rules })
    }
  }
  const http = [...groups.values()].flatMap(({ parent, made }) => {
    const [oldest] = made
    return oldest === undefined ? [] : [{ ...ofParent(oldest.route, parent), http: bySpecificity(made.flatMap(({ rules }) => rules)) }]
  })
  return [...http, ...inOrder(connections).flatMap((route) => connectionsOnMesh(snapshot, route, host))]
}

function connectionsOnMesh(snapshot: Snapshot, route: ConnectionRoute, host: string): VirtualService[] {
  const destinations = convertConnections(snapshot, route, 'mesh')
  if (destinations === null) return []
  return meshParents(snapshot, route, host).map((parent) => {
    const names = route.hostnames.length === 0 ? [parent.host] : route.hostnames
    const rule = l4Rule(route, destinations, route.kind === 'TLSRoute' ? names : [], parent.port)
    return { ...ofParent(route, parent), ...(route.kind === 'TLSRoute' ? { tls: [rule] } : { tcp: [rule] }) }
  })
}

interface MeshParent {
  readonly host: string
  readonly namespace: string
  readonly port: number | null
}

/** The parents of a route that have a host, each port once. */
function meshParents(snapshot: Snapshot, { parents }: AnyRoute, host: string): MeshParent[] {
  const found = parents.filter((parent) => hostsOfParent(snapshot, parent).includes(host))
  return [...new Map(found.map(({ namespace, port }) => [port, { host, namespace, port }])).values()]
}

/** A route of another namespace than its Service's is for the clients of its own. */
function ofParent(route: AnyRoute, { host, namespace, port }: MeshParent): VirtualService {
  const made = virtualService(route, `${route.name}~${host}~${port ?? ''}`, [host], ['mesh'], 'mesh')
  return route.namespace === namespace ? made : { ...made, exportTo: ['.'] }
}

function virtualService(
  route: AnyRoute,
  name: string,
  hosts: readonly string[],
  gateways: readonly string[],
  madeFor: 'mesh' | 'listener'
): VirtualService {
  return {
    ...madeOf(route, name),
    kind: 'VirtualService',
    hosts,
    gateways,
    exportTo: [],
    http: [],
    tls: [],
    tcp: [],
    misplaced: [],
    madeFor
  }
}

function madeOf(object: Identity, name: string): Identity {
  const { namespace, uid, resourceVersion, createdMs, deleting } = object
  return { namespace, name, uid, resourceVersion, createdMs, deleting, finalizers: [], owners: [], labels: {}, annotations: {} }
}

function l4Rule(made: ConnectionRoute, route: readonly Destination[], sniHosts: readonly string[], port: number | null): L4Route {
  const { kind, namespace, name } = made
  const path = made.rules[0]?.path ?? []
  const source = { kind, namespace, name }
  const match = { path, port, sniHosts, destinationSubnets: [], gateways: [], sourceLabels: {}, sourceNamespace: '' }
  return { path, source, match: sniHosts.length === 0 && port === null ? [] : [match], route }
}

/** Oldest first. */
function inOrder<R extends AnyRoute>(routes: Iterable<R>): R[] {
  return [...routes].sort(byAgeAndNamespace)
}

/** Unlike Istio's own objects, these of one age go by namespace before name. */
function byAgeAndNamespace(one: MeshObject, other: MeshObject): number {
  return (
    (one.createdMs || Infinity) - (other.createdMs || Infinity) ||
    compareText(one.namespace, other.namespace) ||
    compareText(one.name, other.name)
  )
}
