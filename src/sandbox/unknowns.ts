/**
 * What files do not show of a mesh. A repository seldom holds all of it: a Service that routes lead to, or the workload behind one, may stand
 * elsewhere. It is not known then, and never taken for gone: something stands in for it that nothing can be held against.
 */
import { type Attached, GATEWAY_API, type ParentRef } from '../kinds/gateway-api.ts'
import { isRouteKind, isWorkload, type MeshObject, parseAs, refKey } from '../kinds/index.ts'
import type { KubernetesGateway } from '../kinds/kubernetes-gateway.ts'
import type { ListenerSet } from '../kinds/listener-set.ts'
import type { Service } from '../kinds/service.ts'
import { serviceHost, serviceOfHost } from '../mesh/names/hosts.ts'
import { type Labels, selects } from '../mesh/names/labels.ts'

export interface Unknown {
  /** Of a Gateway, and of one whose Secret is missing, `Gateway namespace/name`. */
  readonly host: string
  /** What no file holds. */
  readonly missing: 'Service' | 'workload' | 'Gateway' | 'Secret'
}

export interface StandIns {
  readonly unknowns: readonly Unknown[]
  readonly objects: readonly MeshObject[]
}

/** The port where nothing names another. */
const HTTP = 80
/** No Pod has it. */
const NOBODYS = 'hitless.io/unknown'
/** What has listeners, by the kind that routes name it by. */
const PARENTS = { KubernetesGateway: 'Gateway', ListenerSet: 'ListenerSet' }

/** Of all the objects that files hold, before and after what is written. */
export function standInsFor(objects: readonly MeshObject[], domain: string): StandIns {
  const parts = [unknownServices, unknownWorkloads, unknownIstioGateways, unknownGateways, unknownSecrets].map((find) =>
    find(objects, domain)
  )
  return { unknowns: parts.flatMap(({ unknowns }) => unknowns), objects: parts.flatMap((part) => part.objects) }
}

/**
 * The namespaces with something that may send requests: a workload that is no gateway's, or a route for the mesh. In any other a client would see what nobody
 * sees. Undefined where there is none at all.
 */
export function clientNamespaces(objects: readonly MeshObject[]): ReadonlySet<string> | undefined {
  const gateways = objects.flatMap((object) => (object.kind === 'Gateway' ? [object.selector] : []))
  const found = objects.flatMap((object) => {
    if (object.kind === 'VirtualService') return object.gateways.includes('mesh') ? [object.namespace] : []
    if (isRoute(object)) return object.parents.some(({ kind }) => kind === 'Service') ? [object.namespace] : []
    const labels = podLabels(object)
    return labels === null || gateways.some((selector) => selects(selector, labels)) ? [] : [object.namespace]
  })
  return found.length === 0 ? undefined : new Set(found)
}

interface Wanted {
  readonly ports: Set<number>
  readonly subsets: Set<string>
}

/** A Service that selects nothing has Pods that nobody knows of. Its subsets are not known either where no DestinationRule is. */
function unknownServices(objects: readonly MeshObject[], domain: string): StandIns {
  const known = new Set(objects.flatMap((object) => hostsOf(object, domain)))
  const ruled = new Set(objects.flatMap((object) => (object.kind === 'DestinationRule' ? [object.host] : [])))
  const unknown = [...wantedOf(objects, domain)].filter(([host]) => !known.has(host) && serviceOfHost(host, domain) !== null)
  return {
    unknowns: unknown.map(([host]) => ({ host, missing: 'Service' })),
    objects: unknown.flatMap(([host, wanted]) => {
      const named = serviceOfHost(host, domain)
      if (named === null) return []
      const ports = [...(wanted.ports.size === 0 ? [HTTP] : wanted.ports)].map((port) => ({ name: `http-${port}`, port }))
      const service = parseAs('Service', { metadata: named, spec: { ports } }, domain)
      if (ruled.has(host) || wanted.subsets.size === 0) return [service]
      const subsets = [...wanted.subsets].map((name) => ({ name }))
      return [service, parseAs('DestinationRule', { metadata: named, spec: { host, subsets } }, domain)]
    })
  }
}

function isHeaderRoute({ kind }: MeshObject): boolean {
  return kind === 'HTTPRoute' || kind === 'GRPCRoute'
}

/** Of the Gateway API. */
function hasListeners(object: MeshObject): object is KubernetesGateway | ListenerSet {
  return object.kind === 'KubernetesGateway' || object.kind === 'ListenerSet'
}

/** Istio's Gateways that VirtualServices name: they are the platform's. One stands in that takes every host at the ports that these ask for. */
function unknownIstioGateways(objects: readonly MeshObject[], domain: string): StandIns {
  const known = new Set(objects.flatMap((object) => (object.kind === 'Gateway' ? [nameOf(object)] : [])))
  const bound = objects.flatMap((object) => (object.kind === 'VirtualService' ? object.gateways.map((name) => ({ name, of: object })) : []))
  const unknown = Map.groupBy(
    bound.filter(({ name }) => name !== 'mesh' && !known.has(name)),
    ({ name }) => name
  )
  return {
    unknowns: [...unknown.keys()].map((name) => ({ host: `Gateway ${name}`, missing: 'Gateway' })),
    objects: [...unknown].map(([full, users]) => {
      const [namespace = '', name = ''] = full.split('/')
      const asked = users.flatMap(({ of }) => of.http.flatMap(({ match }) => match.flatMap(({ port }) => port ?? [])))
      const ports = [...new Set([HTTP, ...asked])].map((number) => ({ number, name: `http-${number}`, protocol: 'HTTP' }))
      const servers = ports.map((port) => ({ port, hosts: ['*/*'] }))
      return parseAs('Gateway', { metadata: { namespace, name }, spec: { selector: { [NOBODYS]: name }, servers } }, domain)
    })
  }
}

/** The same of what routes of the Gateway API name as parents. For a Gateway one stands in that takes HTTPRoutes and GRPCRoutes at the listeners and ports that they name. */
function unknownGateways(objects: readonly MeshObject[], domain: string): StandIns {
  const known = new Set(objects.filter(hasListeners).map((object) => `${PARENTS[object.kind]} ${nameOf(object)}`))
  const isUnknown = (parent: ParentRef) =>
    parent.group === GATEWAY_API && Object.values(PARENTS).includes(parent.kind) && !known.has(`${parent.kind} ${nameOf(parent)}`)
  const parents = objects.filter(isRoute).flatMap((route) => route.parents.filter(isUnknown).map((parent) => ({ route, parent })))
  const byName = Map.groupBy(parents, ({ parent }) => `${parent.kind} ${nameOf(parent)}`)
  return {
    unknowns: [...byName.keys()].map((host) => ({ host, missing: 'Gateway' })),
    objects: [...byName.values()].flatMap((users) => {
      const [first, ...others] = users.flatMap(({ route, parent }) => (isHeaderRoute(route) && parent.kind === 'Gateway' ? [parent] : []))
      return first === undefined ? [] : [parseAs('KubernetesGateway', gatewayFor([first, ...others], first), domain)]
    })
  }
}

function gatewayFor(parents: readonly ParentRef[], { namespace, name }: ParentRef) {
  const listeners = parents.map(({ sectionName, port }) => ({
    name: sectionName || `http-${port ?? HTTP}`,
    port: port ?? HTTP,
    protocol: 'HTTP',
    allowedRoutes: { namespaces: { from: 'All' } }
  }))
  // A name is a listener's own, and Gateways have no two of one port and hostname.
  const unique = [...new Map(listeners.map((listener) => [listener.name, listener])).values()]
  return { metadata: { namespace, name }, spec: { gatewayClassName: 'istio', listeners: unique } }
}

function nameOf({ namespace, name }: Pick<MeshObject, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`
}

/** Certificates that listeners name: whoever keeps manifests in git keeps Secrets elsewhere. */
function unknownSecrets(objects: readonly MeshObject[], domain: string): StandIns {
  const known = new Set(objects.flatMap((object) => (object.kind === 'Secret' ? [refKey(object)] : [])))
  const owners = objects.filter(hasListeners)
  const named = owners.flatMap((owner) =>
    owner.listeners.flatMap(({ certificates }) =>
      certificates.flatMap(({ group, kind, namespace, name }) =>
        group === '' && kind === 'Secret' && !known.has(refKey({ kind, namespace, name })) ? [{ owner, namespace, name }] : []
      )
    )
  )
  const unknowns = new Set(
    named.map(({ owner }) => `${owner.kind === 'ListenerSet' ? 'ListenerSet' : 'Gateway'} ${owner.namespace}/${owner.name}`)
  )
  return {
    unknowns: [...unknowns].map((host) => ({ host, missing: 'Secret' })),
    objects: named.map(({ namespace, name }) => parseAs('Secret', { metadata: { namespace, name }, stringData: KEY_PAIR }, domain))
  }
}

const KEY_PAIR = { 'tls.crt': '-----BEGIN CERTIFICATE-----', 'tls.key': '-----BEGIN PRIVATE KEY-----' }

function hostsOf(object: MeshObject, domain: string): readonly string[] {
  if (object.kind === 'Service') return [hostOf(object, domain)]
  return object.kind === 'ServiceEntry' ? object.hosts : []
}

/** What a route names: a host, and perhaps a port or a subset of it. */
interface Named {
  readonly host: string
  readonly port?: number | null
  readonly subset?: string | null
}

/** By host, what routes ask of it. */
function wantedOf(objects: readonly MeshObject[], domain: string): Map<string, Wanted> {
  const byHost = new Map<string, Wanted>()
  const shown = new Set(objects.flatMap(({ kind, namespace }) => (kind === 'Service' ? [namespace] : [])))
  // A route of the Gateway API tells versions apart by their Services: among others of the namespace, one that is missing is missing.
  const isMissing = (object: MeshObject, host: string) => isRoute(object) && shown.has(serviceOfHost(host, domain)?.namespace ?? '')
  const named = objects.flatMap((object) => namedBy(object, domain).filter(({ host }) => !isMissing(object, host)))
  for (const { host, port = null, subset = null } of named) {
    const wanted = byHost.get(host) ?? { ports: new Set(), subsets: new Set() }
    byHost.set(host, wanted)
    if (port !== null) wanted.ports.add(port)
    if (subset !== null) wanted.subsets.add(subset)
  }
  return byHost
}

function namedBy(object: MeshObject, domain: string): Named[] {
  if (object.kind === 'VirtualService') {
    const { gateways, hosts, http, tls, tcp } = object
    return [
      ...(gateways.includes('mesh') ? hosts.map((host) => ({ host })) : []),
      ...http.flatMap(({ route, mirrors }) => [...route, ...mirrors]),
      ...[...tls, ...tcp].flatMap(({ route }) => route)
    ]
  }
  if (!isRoute(object)) return []
  const filters = object.rules.flatMap((rule) => ('filters' in rule ? rule.filters : []))
  return [
    ...object.parents.flatMap(({ kind, namespace, name, port }) =>
      kind === 'Service' ? [{ host: serviceHost(namespace, name, domain), port }] : []
    ),
    ...object.rules.flatMap(({ backends }) => backends),
    ...filters.flatMap(({ mirror }) => mirror?.backend ?? [])
  ]
}

/** Of the Gateway API. */
function isRoute(object: MeshObject): object is Extract<MeshObject, Attached> {
  return object.kind !== 'VirtualService' && isRouteKind(object.kind)
}

/** Pods for a Service that nothing in any file makes: one that it selects, and one for each subset of it. */
function unknownWorkloads(objects: readonly MeshObject[], domain: string): StandIns {
  const made = Map.groupBy(
    objects.filter((object) => podLabels(object) !== null),
    ({ namespace }) => namespace
  )
  const rules = Map.groupBy(
    objects.filter((object) => object.kind === 'DestinationRule'),
    ({ host }) => host
  )
  const services = objects.filter((object) => object.kind === 'Service')
  const isBacked = (service: Service) => (made.get(service.namespace) ?? []).some((object) => isBehind(object, service))
  // One that files show with its Pods in one state and without any in the other has lost them.
  const backed = new Set(services.filter(isBacked).map(refKey))
  const unknown = services.filter((service) => service.selector !== null && !backed.has(refKey(service)))
  return {
    unknowns: [...new Set(unknown.map((service) => hostOf(service, domain)))].map((host) => ({ host, missing: 'workload' })),
    objects: unknown.flatMap((service, at) => {
      const host = hostOf(service, domain)
      const subsets = (rules.get(host) ?? []).flatMap((rule) => rule.subsets)
      return [{}, ...subsets.map(({ labels }) => labels)].map((labels, number) => podOf(service, labels, `${at}.${number}`, domain))
    })
  }
}

function isBehind(object: MeshObject, { selector }: Service): boolean {
  const labels = podLabels(object)
  return labels !== null && selector !== null && selects(selector, labels)
}

/** The labels of the Pods that an object makes or is. */
function podLabels(object: MeshObject): Labels | null {
  if (isWorkload(object)) return object.templateLabels
  return object.kind === 'Pod' ? object.labels : null
}

function podOf({ namespace, name, selector, ports }: Service, labels: Labels, number: string, domain: string): MeshObject {
  const names = ports.flatMap(({ targetPort }) => (typeof targetPort === 'string' ? [{ name: targetPort }] : []))
  return parseAs(
    'Pod',
    {
      metadata: { namespace, name: `${name}.unknown.${number}`, labels: { ...selector, ...labels } },
      spec: { containers: [{ ports: names }] },
      status: { conditions: [{ type: 'Ready', status: 'True' }] }
    },
    domain
  )
}

function hostOf({ namespace, name }: Service, domain: string): string {
  return `${name}.${namespace}.svc.${domain}`
}
