/** The listeners of Gateways that Istio serves, with those that ListenerSets add. pilot/pkg/config/kube/gateway/gateway_collection.go. */
import { GATEWAY_API } from '../../../kinds/gateway-api.ts'
import type { Identity } from '../../../kinds/identity.ts'
import type { KubernetesGateway, Listener } from '../../../kinds/kubernetes-gateway.ts'
import type { ListenerSet } from '../../../kinds/listener-set.ts'
import { hostCovers } from '../../names/hosts.ts'
import { byAge } from '../../names/visibility.ts'
import type { Snapshot } from '../../snapshot/snapshot.ts'
import { admits } from './admission.ts'
import { isGranted } from './grants.ts'

/** Of a Gateway or ListenerSet. */
export interface PlacedListener {
  readonly listener: Listener
  readonly gateway: KubernetesGateway
  /** Where it is written: routes name this one as their parent. */
  readonly owner: Identity & { readonly kind: 'KubernetesGateway' | 'ListenerSet' }
  /** All listeners of the owner, which part the hosts among them whether or not they serve. */
  readonly siblings: readonly Listener[]
  /** It lost to none, and has a certificate where it needs one. */
  readonly serves: boolean
}

const CONTROLLER = 'istio.io/gateway-controller'
const OWN_CLASS = 'istio'
const PROTOCOLS = ['HTTP', 'HTTPS', 'TLS', 'TCP']

/** Istio serves it, whatever its revision. */
export function isOfIstio(snapshot: Snapshot, { className }: KubernetesGateway): boolean {
  if (className === OWN_CLASS) return true
  const found = snapshot.find('GatewayClass', '', className)
  return found?.controller === CONTROLLER
}

/** Listeners placed in one step of work. */
const LISTENERS_A_STEP = 8

/** Every listener of a Gateway in the order in which they take their ports: its own, then those of its ListenerSets, oldest first. */
export function listenersOf(snapshot: Snapshot, gateway: KubernetesGateway): PlacedListener[] {
  const ports = new Ports()
  return [gateway, ...listenerSetsOf(snapshot, gateway)].flatMap((owner) => {
    snapshot.charge(1 + owner.listeners.length / LISTENERS_A_STEP)
    return owner.listeners.map((listener): PlacedListener => {
      const isFree = PROTOCOLS.includes(listener.protocol) && ports.take(listener)
      return { listener, gateway, owner, siblings: owner.listeners, serves: isFree && hasCertificate(snapshot, owner, listener) }
    })
  })
}

/** The hostnames that are taken on each port: a listener for bytes has a port for itself. `ListenerConflict`, pilot/pkg/config/kube/gatewaycommon/listener_conflict.go. */
class Ports {
  readonly #taken = new Map<number, Set<string> | 'bytes'>()

  /** False where another has the port or the hostname on it. */
  take({ port, protocol, hostname }: Listener): boolean {
    const taken = this.#taken.get(port)
    if (taken === 'bytes' || (taken !== undefined && (protocol === 'TCP' || taken.has(hostname)))) return false
    this.#taken.set(port, protocol === 'TCP' ? 'bytes' : (taken ?? new Set<string>()).add(hostname))
    return true
  }
}

function listenerSetsOf(snapshot: Snapshot, gateway: KubernetesGateway) {
  const { namespace, name, admitsListeners } = gateway
  return listenerSetsNaming(snapshot, `${namespace}/${name}`)
    .filter((set) => admits(snapshot, admitsListeners, namespace, set.namespace))
    .sort(byAge)
}

/** The ListenerSets that name a Gateway, `namespace/name`, as their parent, admitted there or not. */
export function listenerSetsNaming(snapshot: Snapshot, gateway: string): ListenerSet[] {
  return [...snapshot.lookup('listenerSetByGateway', gateway)]
}

function hasCertificate(snapshot: Snapshot, owner: PlacedListener['owner'], { protocol, tlsMode, certificates }: Listener): boolean {
  const endsTls = protocol === 'HTTPS' || (protocol === 'TLS' && tlsMode !== 'Passthrough')
  if (!endsTls) return true
  const by = { group: GATEWAY_API, kind: owner.kind === 'ListenerSet' ? 'ListenerSet' : 'Gateway', namespace: owner.namespace }
  return certificates.some(
    (ref) =>
      ref.group === '' &&
      ref.kind === 'Secret' &&
      isGranted(snapshot, by, ref) &&
      (!snapshot.knows('Secret') || snapshot.find('Secret', ref.namespace, ref.name)?.isKeyPair === true)
  )
}

/** The host that a listener and a hostname of a route share, the narrower of both; null where there is none. */
export function sharedHost({ hostname }: Listener, written: string): string | null {
  const served = hostname || '*'
  if (hostCovers(served, written)) return written
  return hostCovers(written, served) ? served : null
}

/** A hostname belongs to the most specific of the listeners of one port and protocol that cover it. `hostnameAllowedByIsolation`. */
export function isIsolated(listener: Listener, siblings: readonly Listener[], written: string): boolean {
  const among = narrower.get(siblings) ?? new Map<Listener, readonly Listener[]>()
  narrower.set(siblings, among)
  const known = among.get(listener) ?? siblings.filter((other) => isNarrower(other, listener))
  among.set(listener, known)
  return known.some(({ hostname }) => hostCovers(hostname || '*', written))
}

/** Of a listener those beside it: asked for each hostname of each route. */
const narrower = new WeakMap<readonly Listener[], Map<Listener, readonly Listener[]>>()

function isNarrower({ hostname, port, protocol }: Listener, than: Listener): boolean {
  if (port !== than.port || protocol !== than.protocol || hostname === than.hostname) return false
  return hostCovers(than.hostname || '*', hostname || '*')
}
