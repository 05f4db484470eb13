/** Releases by routes of the Gateway API: a Service for each version, and no subsets. One route for the clients of the mesh and for a Gateway. */
import { backend, backends, HOST, httpRoute, type Manifest, versionService } from '../manifests.ts'
import { INGRESS, INGRESS_LABELS, PORTS } from './addresses.ts'
import { CONTAINER_PORT } from './containers.ts'
import { helloworld, workload } from './objects.ts'
import { apply, CLASSES, REMOVE_WORKLOAD, remove, SCALE_TO_ZERO, type Script, type Step, type WriteStep } from './scripts.ts'

const GATEWAY = 'gateway-api'
/** Not that of the proxy's own: a sidecar of this rig listens on the port of every Service, on the same machine. */
const SERVICE_PORT = 9081

/** Bound to the rig's own proxy by the name of its Service: istiod deploys nothing. */
export const GATEWAY_OBJECTS: readonly Manifest[] = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: GATEWAY, namespace: INGRESS },
    spec: { selector: INGRESS_LABELS, ports: [{ name: 'http', port: SERVICE_PORT, targetPort: PORTS.gateway }] }
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: GATEWAY, namespace: INGRESS },
    spec: {
      gatewayClassName: 'istio',
      addresses: [{ type: 'Hostname', value: GATEWAY }],
      listeners: [{ name: 'http', port: SERVICE_PORT, protocol: 'HTTP', allowedRoutes: { namespaces: { from: 'All' } } }]
    }
  }
]

const PARENTS = [
  { group: '', kind: 'Service', name: 'helloworld', port: PORTS.sidecar },
  { name: GATEWAY, namespace: INGRESS }
]
const routed = (...rules: readonly Record<string, unknown>[]) => httpRoute(rules, { parentRefs: PARENTS, hostnames: [HOST] })
export const split = (v1: number, v2: number) => routed(backends([backend('v1', v1), backend('v2', v2)]))
export const only = (version: string) => routed(backends([backend(version)]))
export const ofVersion = (version: string) =>
  versionService(version, { ports: [{ name: 'http', port: PORTS.sidecar, targetPort: CONTAINER_PORT }] })

const ONE_VERSION = [helloworld(), ofVersion('v1'), workload('v1'), only('v1')]
const TWO_VERSIONS = [helloworld(), ofVersion('v1'), ofVersion('v2'), workload('v1'), workload('v2'), split(50, 50)]

const ADD_SERVICE = apply('Service of v2', ofVersion('v2'))
const ADD_WORKLOAD = apply('Deployment v2', workload('v2'))
const weight = (v2: number): WriteStep => apply(`HTTPRoute ${100 - v2}/${v2}`, split(100 - v2, v2))
const ALL_TO_V2 = apply('HTTPRoute all to v2', only('v2'))
const REMOVE_SERVICE = remove('Service of v1 deleted', ofVersion('v1'))
const CLEAN_UP = [ALL_TO_V2, REMOVE_SERVICE, REMOVE_WORKLOAD]

export const GATEWAY_API_SCRIPTS: readonly Script[] = [
  {
    name: 'http-route',
    title: 'HTTPRoute: in order',
    classes: CLASSES,
    base: ONE_VERSION,
    steps: [ADD_SERVICE, ADD_WORKLOAD, weight(10), weight(50), weight(100), ...CLEAN_UP],
    careless: false
  },
  careless(
    'http-route-weight-first',
    'HTTPRoute: weight before the Service of v2',
    [...ONE_VERSION, workload('v2')],
    [weight(50), ADD_SERVICE, weight(50), ...CLEAN_UP]
  ),
  careless('http-route-unready', 'HTTPRoute: weight before Pods are Ready', ONE_VERSION, [
    ADD_SERVICE,
    { do: 'hold', version: 'v2' },
    ADD_WORKLOAD,
    weight(30),
    { do: 'let go', version: 'v2' },
    weight(30),
    ...CLEAN_UP
  ]),
  careless('http-route-scaled-down', 'HTTPRoute: v1 scaled to 0 too early', TWO_VERSIONS, [
    SCALE_TO_ZERO,
    ALL_TO_V2,
    SCALE_TO_ZERO,
    REMOVE_SERVICE,
    REMOVE_WORKLOAD
  ]),
  careless('http-route-fallback', 'HTTPRoute: missing fallback, then weights all 0', TWO_VERSIONS, [
    apply('HTTPRoute header only', routed(backends([backend('v2')], [{ headers: [{ name: 'my-header', value: 'debug' }] }]))),
    apply('HTTPRoute 0/0', split(0, 0)),
    ...CLEAN_UP
  ])
]

function careless(name: string, title: string, base: readonly Manifest[], steps: readonly Step[]): Script {
  return { name, title, classes: CLASSES, base, steps, careless: true }
}
