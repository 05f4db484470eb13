/** What Istio makes of the Gateway API in one piece, and which pieces an object has a part in: those are made anew when it changes. */
import { type Attached, GATEWAY_API, hostnamesOf, type ParentRef, parentKey } from '../../../kinds/gateway-api.ts'
import type { GRPCRoute } from '../../../kinds/grpc-route.ts'
import type { HTTPRoute } from '../../../kinds/http-route.ts'
import type { MeshObject } from '../../../kinds/index.ts'
import type { KubernetesGateway } from '../../../kinds/kubernetes-gateway.ts'
import type { ListenerSet } from '../../../kinds/listener-set.ts'
import type { ReferenceGrant } from '../../../kinds/reference-grant.ts'
import type { Secret } from '../../../kinds/secret.ts'
import type { Service } from '../../../kinds/service.ts'
import type { TCPRoute } from '../../../kinds/tcp-route.ts'
import type { TLSRoute } from '../../../kinds/tls-route.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { namesServices } from './deployed.ts'
import { listenerSetsNaming } from './listeners.ts'

export type HeaderRoute = HTTPRoute | GRPCRoute
export type ConnectionRoute = TLSRoute | TCPRoute
export type AnyRoute = HeaderRoute | ConnectionRoute

/** Gateways are `namespace/name`. */
export type Piece =
  /** The servers of a Gateway's listeners. */
  | { readonly of: 'servers'; readonly gateway: string }
  /** The routes of one hostname, as routes have it, at the listeners of a Gateway. */
  | { readonly of: 'hostname'; readonly gateway: string; readonly hostname: string }
  /** A route of whole connections, at the listeners of a Gateway. */
  | { readonly of: 'connections'; readonly gateway: string; readonly route: Pick<ConnectionRoute, 'kind' | 'namespace' | 'name'> }
  /** The routes of one host on the mesh. */
  | { readonly of: 'mesh'; readonly host: string }

/** The pieces that an object has a part in, with what the snapshot holds beside it; none in a mesh without the Gateway API. */
export function piecesOf(snapshot: Snapshot, object: MeshObject): Piece[] {
  switch (object.kind) {
    case 'HTTPRoute':
    case 'GRPCRoute':
    case 'TLSRoute':
    case 'TCPRoute':
      return ofRoute(snapshot, object)
    case 'KubernetesGateway':
      return ofGateway(snapshot, `${object.namespace}/${object.name}`)
    case 'ListenerSet':
      return ofGateway(snapshot, object.gateway)
    case 'GatewayClass':
      return [...snapshot.all('KubernetesGateway')]
        .filter(({ className }) => className === object.name)
        .flatMap(({ namespace, name }) => ofGateway(snapshot, `${namespace}/${name}`))
    case 'ReferenceGrant':
      return ofGrant(snapshot, object)
    case 'Namespace':
      return ofNamespace(snapshot, object.name)
    case 'Service':
      return ofService(snapshot, object)
    case 'ServiceEntry':
      return object.hosts.flatMap((host) => ofHost(snapshot, host, parentKey({ ...object, kind: 'ServiceEntry' })))
    case 'Secret':
      return withCertificate(snapshot, (ref) => ref.namespace === object.namespace && ref.name === object.name)
    case 'MeshConfig':
      return everyPiece(snapshot)
    default:
      return []
  }
}

/** Which namespaces istiod looks at is in its configuration. */
function everyPiece(snapshot: Snapshot): Piece[] {
  const routes = (['HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute'] as const).flatMap((kind): AnyRoute[] => [...snapshot.all(kind)])
  return [
    ...routes.flatMap((route) => ofRoute(snapshot, route)),
    ...[...snapshot.all('KubernetesGateway')].flatMap(({ namespace, name }) => ofGateway(snapshot, `${namespace}/${name}`))
  ]
}

/** One text for one piece. */
export function pieceKey(piece: Piece): string {
  return JSON.stringify(piece)
}

/** The routes of every kind that are found under a key (`referencesOf`), in no particular order. */
function routesReferring(snapshot: Snapshot, key: string): AnyRoute[] {
  return [...headerRoutesReferring(snapshot, key), ...connectionRoutesReferring(snapshot, key)]
}

export function headerRoutesReferring(snapshot: Snapshot, key: string): HeaderRoute[] {
  return [...snapshot.lookup('httpRouteByReference', key), ...snapshot.lookup('grpcRouteByReference', key)]
}

export function connectionRoutesReferring(snapshot: Snapshot, key: string): ConnectionRoute[] {
  return [...snapshot.lookup('tlsRouteByReference', key), ...snapshot.lookup('tcpRouteByReference', key)]
}

/** The hosts of the mesh that a parent stands for. */
export function hostsOfParent(snapshot: Snapshot, { group, kind, namespace, name }: ParentRef): readonly string[] {
  if (group === '' && kind === 'Service') {
    const service = snapshot.find('Service', namespace, name)
    return service === undefined ? [] : [service.host]
  }
  if (group !== 'networking.istio.io' || kind !== 'ServiceEntry') return []
  return snapshot.find('ServiceEntry', namespace, name)?.hosts ?? []
}

function ofRoute(snapshot: Snapshot, route: AnyRoute): Piece[] {
  return route.parents.flatMap((parent) => [
    ...gatewaysOfParent(snapshot, parent).flatMap((gateway) => atGateway(route, gateway)),
    ...hostsOfParent(snapshot, parent).map((host): Piece => ({ of: 'mesh', host }))
  ])
}

function gatewaysOfParent(snapshot: Snapshot, { group, kind, namespace, name }: ParentRef): string[] {
  if (group !== GATEWAY_API) return []
  if (kind === 'Gateway') return [`${namespace}/${name}`]
  const set = kind === 'ListenerSet' ? snapshot.find('ListenerSet', namespace, name) : undefined
  return set === undefined ? [] : [set.gateway]
}

function atGateway(route: AnyRoute, gateway: string): Piece[] {
  const { kind, namespace, name } = route
  if (kind === 'TLSRoute' || kind === 'TCPRoute') return [{ of: 'connections', gateway, route: { kind, namespace, name } }]
  return hostnamesOf(route).map((hostname) => ({ of: 'hostname', gateway, hostname }))
}

function ofGateway(snapshot: Snapshot, gateway: string): Piece[] {
  const owners = [`Gateway ${gateway}`, ...listenerSetsNaming(snapshot, gateway).map(parentKey)]
  const routes = owners.flatMap((owner) => routesReferring(snapshot, owner))
  snapshot.charge(routes.length)
  return [{ of: 'servers', gateway }, ...routes.flatMap((route: Attached & AnyRoute) => atGateway(route, gateway))]
}

function ofGrant(snapshot: Snapshot, { namespace }: ReferenceGrant): Piece[] {
  return [
    ...routesReferring(snapshot, `into ${namespace}`).flatMap((route) => ofRoute(snapshot, route)),
    ...withCertificate(snapshot, (ref, owner) => ref.namespace === namespace && owner.namespace !== namespace)
  ]
}

/** Listeners are open to namespaces by their labels, and Gateways to ListenerSets; and istiod may not look at all of them. */
function ofNamespace(snapshot: Snapshot, namespace: string): Piece[] {
  const sets = [...snapshot.all('ListenerSet')].filter((set) => set.namespace === namespace)
  return [
    ...['within', 'into'].flatMap((how) => routesReferring(snapshot, `${how} ${namespace}`)).flatMap((route) => ofRoute(snapshot, route)),
    ...[...snapshot.lookup('kubernetesGatewayByNamespace', namespace)].flatMap(({ name }) => ofGateway(snapshot, `${namespace}/${name}`)),
    ...sets.flatMap(({ gateway }) => ofGateway(snapshot, gateway))
  ]
}

function ofService(snapshot: Snapshot, service: Service): Piece[] {
  const { namespace, name, host } = service
  const bound = [...snapshot.lookup('kubernetesGatewayByNamespace', namespace)].filter((gateway) =>
    namesServices(snapshot, gateway, service)
  )
  return [
    ...ofHost(snapshot, host, parentKey({ kind: 'Service', namespace, name })),
    ...bound.flatMap((gateway) => ofGateway(snapshot, `${namespace}/${gateway.name}`))
  ]
}

/** Of a host that an object of the mesh has: the routes for it, and those that mirror to it. */
function ofHost(snapshot: Snapshot, host: string, parent: string): Piece[] {
  const mirroring = headerRoutesReferring(snapshot, `mirrors ${host}`).flatMap((route) => ofRoute(snapshot, route))
  return routesReferring(snapshot, parent).length === 0 ? mirroring : [{ of: 'mesh', host }, ...mirroring]
}

type Owner = KubernetesGateway | ListenerSet

/** What is there of the Gateways with a certificate of that kind. */
function withCertificate(snapshot: Snapshot, isMeant: (ref: Pick<Secret, 'namespace' | 'name'>, owner: Owner) => boolean): Piece[] {
  const owners: Owner[] = [...snapshot.all('KubernetesGateway'), ...snapshot.all('ListenerSet')]
  return owners
    .filter((owner) => owner.listeners.some(({ certificates }) => certificates.some((ref) => isMeant(ref, owner))))
    .flatMap((owner) => ofGateway(snapshot, owner.kind === 'ListenerSet' ? owner.gateway : `${owner.namespace}/${owner.name}`))
}
