/** Manifests of the guide's world: a generic Service, a Deployment for each version, one DestinationRule, one VirtualService. Tests change one field at a time. */

export type Manifest = { apiVersion: string; kind: string; metadata: Record<string, unknown>; [field: string]: unknown }

type Fields = Record<string, unknown>

export const HOST = 'helloworld.default.svc.cluster.local'

export function namespace(name: string, metadata: Fields = {}): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, ...metadata } }
}

export function service(spec: Fields = {}, metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'helloworld', namespace: 'default', ...metadata },
    spec: { selector: { app: 'helloworld' }, ports: [{ name: 'http', port: 3000 }], ...spec }
  }
}

/** `helloworld-v1` for `v1`; without status, so that all its replicas count as Ready. */
export function deployment(version: string, spec: Fields = {}, labels: Fields = { app: 'helloworld', version }): Manifest {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: `helloworld-${version}`, namespace: 'default' },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'example/helloworld' }] } },
      ...spec
    }
  }
}

/** A Deployment none of whose Pods is Ready. */
export function unready(manifest: Manifest): Manifest {
  return { ...manifest, status: { replicas: 2, readyReplicas: 0 } }
}

export function destinationRule(versions: readonly string[], spec: Fields = {}, metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'helloworld', namespace: 'default', ...metadata },
    spec: { host: HOST, subsets: versions.map((version) => ({ name: version, labels: { version } })), ...spec }
  }
}

export function virtualService(http: readonly Fields[], spec: Fields = {}, metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name: 'helloworld', namespace: 'default', ...metadata },
    spec: { hosts: ['helloworld'], http, ...spec }
  }
}

/** A destination of the guide's host: `to('v1', 90)`. */
export function to(subset: string | null, weight?: number, destination: Fields = {}): Fields {
  const target = { host: 'helloworld', ...(subset === null ? {} : { subset }), port: { number: 3000 }, ...destination }
  return { destination: target, ...(weight === undefined ? {} : { weight }) }
}

/** A rule: its destinations, and what it matches. */
export function rule(route: readonly Fields[], match?: readonly Fields[]): Fields {
  return match === undefined ? { route } : { match, route }
}

export const DEBUG = [{ headers: { 'my-header': { regex: '.*debug.*' } } }]

export function gateway(hosts: readonly string[] = ['*'], spec: Fields = {}, metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gateway', namespace: 'default', ...metadata },
    spec: { selector: { istio: 'ingressgateway' }, servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts }], ...spec }
  }
}

/** v1 and v2 Ready, all requests to v1. */
export function guide(): Manifest[] {
  return [
    namespace('default'),
    service(),
    deployment('v1'),
    deployment('v2'),
    destinationRule(['v1', 'v2']),
    virtualService([rule([to('v1')])])
  ]
}

/** The guide's world with some objects in place of those with the same kind and name, and others added. */
export function guideWith(...manifests: readonly Manifest[]): Manifest[] {
  const key = ({ kind, metadata }: Manifest) => `${kind} ${String(metadata['namespace'] ?? '')}/${String(metadata['name'])}`
  const replaced = new Set(manifests.map(key))
  return [...guide().filter((manifest) => !replaced.has(key(manifest))), ...manifests]
}

/** The guide's world without the objects of a kind, or without one by name. */
export function guideWithout(kind: string, name?: string): Manifest[] {
  return guide().filter((manifest) => manifest.kind !== kind || (name !== undefined && manifest.metadata['name'] !== name))
}

/** A route of the Gateway API; for the guide's generic Service where `spec` names no other parent. */
export function httpRoute(rules: readonly Fields[], spec: Fields = {}, metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { name: 'helloworld', namespace: 'default', ...metadata },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'helloworld' }], rules, ...spec }
  }
}

/** The Service of one version: `backend('v1', 90)`. */
export function backend(version: string, weight?: number, fields: Fields = {}): Fields {
  return { name: `helloworld-${version}`, port: 3000, ...(weight === undefined ? {} : { weight }), ...fields }
}

/** A rule of a route: its backends, and what it matches. */
export function backends(backendRefs: readonly Fields[], matches?: readonly Fields[]): Fields {
  return matches === undefined ? { backendRefs } : { matches, backendRefs }
}

export function versionService(version: string, spec: Fields = {}, metadata: Fields = {}): Manifest {
  return service({ selector: { app: 'helloworld', version }, ...spec }, { name: `helloworld-${version}`, ...metadata })
}

export const AT_GATEWAY = { parentRefs: [{ name: 'web' }], hostnames: ['hello.example.com'] }

export function kubernetesGateway(
  listeners: readonly Fields[] = [{ name: 'http', port: 80, protocol: 'HTTP' }],
  spec: Fields = {}
): Manifest {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'web', namespace: 'default' },
    spec: { gatewayClassName: 'istio', listeners, ...spec }
  }
}

export function gatewayClass(name: string, controllerName = 'istio.io/gateway-controller', labels: Fields = {}): Manifest {
  return { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'GatewayClass', metadata: { name, labels }, spec: { controllerName } }
}

export function listenerSet(listeners: readonly Fields[], metadata: Fields = {}): Manifest {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'ListenerSet',
    metadata: { name: 'own', namespace: 'default', ...metadata },
    spec: { parentRef: { name: 'web' }, listeners }
  }
}

/** What copies a rule's requests to a Service. */
export function mirrorTo(name: string, fields: Fields = {}): Fields {
  return { filters: [{ type: 'RequestMirror', requestMirror: { backendRef: { name, port: 3000, ...fields } } }] }
}

export function referenceGrant(namespace: string, from: string, to: Fields = { group: '', kind: 'Service' }): Manifest {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'ReferenceGrant',
    metadata: { name: 'routes', namespace },
    spec: { from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: from }], to: [to] }
  }
}

/** What Istio deploys for the Gateway `web`. */
export function deployedGateway(): Manifest[] {
  const labels = { 'gateway.networking.k8s.io/gateway-name': 'web', 'gateway.istio.io/managed': 'istio.io-gateway-controller' }
  return [
    service({ selector: { 'gateway.networking.k8s.io/gateway-name': 'web' }, ports: [{ name: 'http', port: 80 }] }, { name: 'web-istio' }),
    { ...deployment('web', {}, labels), metadata: { name: 'web-istio', namespace: 'default' } }
  ]
}

/** The guide's world without subsets: a Service for each version, both Ready, all requests to v1; on the mesh. */
export function guideByRoutes(...rest: readonly Manifest[]): Manifest[] {
  const versions = [versionService('v1'), versionService('v2'), deployment('v1'), deployment('v2')]
  return [namespace('default'), service(), ...versions, httpRoute([backends([backend('v1')])]), ...rest]
}

/** The same at a Gateway, for hello.example.com. */
export function guideAtGateway(...rest: readonly Manifest[]): Manifest[] {
  const route = httpRoute([backends([backend('v1')])], AT_GATEWAY)
  return [...guideByRoutes().filter(({ kind }) => kind !== 'HTTPRoute'), kubernetesGateway(), ...deployedGateway(), route, ...rest]
}
