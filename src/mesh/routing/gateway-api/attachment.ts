/** Which hostnames of a route a listener takes, and what of the others stands in the way. `referenceAllowed`, pilot/pkg/config/kube/gateway/conversion.go. */
import { GATEWAY_API, hostnamesOf, type ParentRef } from '../../../kinds/gateway-api.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { admits } from './admission.ts'
import { isIsolated, isOfIstio, listenersOf, type PlacedListener, sharedHost } from './listeners.ts'
import type { AnyRoute } from './pieces.ts'

/** Those of a route's hostnames for which a listener takes it, as the route has them, once for each parent that is the listener. */
export function hostsAt(snapshot: Snapshot, placed: PlacedListener, route: AnyRoute, hostnames: readonly string[]): string[] {
  const parents = parentsAt(snapshot, placed, route)
  if (parents === 0) return []
  snapshot.charge(hostnames.length)
  const hosts = hostnames.filter((written) => takesHost(placed, route, written))
  return Array.from({ length: parents }, () => hosts).flat()
}

/** How many parents of a route are a listener that takes it, whatever its hostnames. */
export function parentsAt(snapshot: Snapshot, placed: PlacedListener, route: AnyRoute): number {
  const { owner, listener } = placed
  snapshot.charge(route.parents.length)
  const parents = route.parents.filter((parent) => isOwner(placed, parent) && isSection(placed, parent) && isPort(placed, parent))
  const isTaken =
    parents.length > 0 && takesKind(listener, route.kind) && admits(snapshot, listener.admits, owner.namespace, route.namespace)
  return isTaken ? parents.length : 0
}

/** A route without hostnames is for every one. */
export function takesHost(placed: PlacedListener, { hostnames }: AnyRoute, written: string): boolean {
  return hostnames.length === 0 || (isShared(placed, written) && isOwn(placed, written))
}

/** How routes name what a listener is written in. */
export function ownerOf({ owner }: PlacedListener): Pick<ParentRef, 'kind' | 'namespace' | 'name'> {
  return { kind: owner.kind === 'ListenerSet' ? 'ListenerSet' : 'Gateway', namespace: owner.namespace, name: owner.name }
}

function isOwner(placed: PlacedListener, { group, kind, namespace, name }: ParentRef): boolean {
  const owner = ownerOf(placed)
  return group === GATEWAY_API && kind === owner.kind && namespace === owner.namespace && name === owner.name
}

function isSection({ listener }: PlacedListener, { sectionName }: ParentRef): boolean {
  return sectionName === '' || sectionName === listener.name
}

function isPort({ listener }: PlacedListener, { port }: ParentRef): boolean {
  return port === null || port === listener.port
}

function takesKind({ protocol, tlsMode, kinds }: PlacedListener['listener'], kind: AnyRoute['kind']): boolean {
  if (kinds.length > 0 && !kinds.includes(kind)) return false
  switch (protocol) {
    case 'HTTP':
    case 'HTTPS':
      return kind === 'HTTPRoute' || kind === 'GRPCRoute'
    case 'TLS':
      return kind === 'TLSRoute' || (kind === 'TCPRoute' && tlsMode !== 'Passthrough')
    default:
      return kind === 'TCPRoute'
  }
}

function isShared({ listener }: PlacedListener, written: string): boolean {
  return sharedHost(listener, written) !== null
}

function isOwn({ listener, siblings }: PlacedListener, written: string): boolean {
  return !isIsolated(listener, siblings, written)
}

/** What of a parent no listener fits: the first condition that none of those which meet the ones before it meets. */
export type Misfit = 'set' | 'section' | 'port' | 'serves' | 'kind' | 'namespace' | 'hostname' | 'isolated'

export interface Unattached {
  readonly parent: ParentRef
  /** Of the parent within the route. */
  readonly at: number
  readonly misfit: Misfit
  /** Those that fit as far as that; none where the Gateway does not take the ListenerSet (`set`). */
  readonly among: readonly PlacedListener[]
}

/** The Gateways of Istio's and their ListenerSets that a route names as parents and that take nothing of it; at one port alone, where that is told. */
export function unattached(snapshot: Snapshot, route: AnyRoute, port: number | null = null): Unattached[] {
  return route.parents.flatMap((parent, at): Unattached[] => {
    const placed = placedOf(snapshot, parent)
    const all = placed.filter((each) => isOwner(each, parent))
    if (parent.kind === 'ListenerSet' && placed.length > 0 && all.length === 0) return [{ parent, at, misfit: 'set', among: [] }]
    const own = all.filter(({ listener }) => port === null || listener.port === port)
    const isElsewhere =
      !own.some((each) => isSection(each, parent)) && own.length < all.length && all.some((each) => isSection(each, parent))
    if (own.length === 0 || isElsewhere) return []
    const hostnames = hostnamesOf(route)
    const isOpen = ({ listener, owner }: PlacedListener) => admits(snapshot, listener.admits, owner.namespace, route.namespace)
    const steps: readonly (readonly [Misfit, (placed: PlacedListener) => boolean])[] = [
      ['section', (placed) => isSection(placed, parent)],
      ['port', (placed) => isPort(placed, parent)],
      ['serves', ({ serves }) => serves],
      ['kind', ({ listener }) => takesKind(listener, route.kind)],
      ['namespace', isOpen],
      ['hostname', (placed) => route.hostnames.length === 0 || hostnames.some((written) => isShared(placed, written))],
      [
        'isolated',
        (placed) => route.hostnames.length === 0 || hostnames.some((written) => isShared(placed, written) && isOwn(placed, written))
      ]
    ]
    let among = own
    for (const [misfit, fits] of steps) {
      snapshot.charge(among.length * hostnames.length)
      const fitting = among.filter(fits)
      if (fitting.length === 0) return [{ parent, at, misfit, among }]
      among = fitting
    }
    return []
  })
}

/** All listeners of the Gateway that a parent is, or adds to. */
function placedOf(snapshot: Snapshot, { group, kind, namespace, name }: ParentRef): PlacedListener[] {
  if (group !== GATEWAY_API) return []
  const named =
    kind === 'ListenerSet' ? snapshot.find('ListenerSet', namespace, name)?.gateway : kind === 'Gateway' ? `${namespace}/${name}` : ''
  const [home = '', own = ''] = (named ?? '').split('/')
  const gateway = snapshot.find('KubernetesGateway', home, own)
  return gateway === undefined || !isOfIstio(snapshot, gateway) ? [] : listenersOf(snapshot, gateway)
}
