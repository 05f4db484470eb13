/** The real data plane beside a control plane: istiod, and Envoys that it configures. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { installMesh } from '../rig/binaries.ts'
import type { ControlPlane } from '../rig/control-plane.ts'
import { type LocalProcess, startProcess } from '../rig/local-process.ts'
import { CLIENTS, INGRESS, INGRESS_LABELS, type ProxyKind } from './addresses.ts'
import { startLateStream } from './late-stream.ts'
import { must } from './objects.ts'

const START_TIMEOUT_MS = 60_000
const GRPC_PORT = 15010
const SECURE_PORT = 15012
/** Of istiod, among those of the Pods: EndpointSlices refuse loopback. */
const ISTIOD_ADDRESS = '10.244.255.200'
const HTTP_PORT = 18085
const MONITORING_PORT = 15014
/** Of the first proxy; the others have those after it. */
const ADMIN_PORT = 15100

export interface MeshOptions {
  /** Another istiod than that of test/tools/istiod. */
  readonly istiodPath?: string
  /** Environment of istiod beside what the rig needs. */
  readonly istiod?: NodeJS.ProcessEnv
  /** How many proxies share the work of the sidecar: all listen on the same port. Default 1. */
  readonly sidecars?: number
  /** The proxies are told only what changed, as Istio's own are; Envoy's default is to be told all of a type. */
  readonly delta?: boolean
  /** istiod serves the Gateway API, of which the cluster then has the kinds. */
  readonly gatewayApi?: boolean
  /** So much later than the others the first sidecar is told everything. Default 0. */
  readonly lateMs?: number
}

export interface Mesh {
  /** Every proxy has routes in which this text stands. */
  know(text: string): Promise<boolean>
  /** istiod's metrics, as it serves them. */
  metrics(): Promise<string>
  /** Stops a proxy where it is, by its place, until the returned function is called. */
  freeze(proxy: number): () => void
  /** Ends istiod without a word. */
  killIstiod(): Promise<void>
  stop(): Promise<void>
}

/** Starts istiod and the proxies; resolves when istiod is ready and every proxy is connected or about to be. */
export async function startMesh(
  plane: ControlPlane,
  { istiodPath, istiod: env = {}, sidecars = 1, delta = false, lateMs = 0, gatewayApi = false }: MeshOptions = {}
): Promise<Mesh> {
  const binaries = await installMesh()
  await announce(plane)
  const processes: LocalProcess[] = []
  const start = (name: string, path: string, args: readonly string[], more: NodeJS.ProcessEnv = {}) => {
    const started = startProcess({
      name,
      path,
      args,
      env: { PATH: process.env['PATH'], ...more },
      log: join(plane.directory, `${name}.log`)
    })
    processes.push(started)
    return started
  }
  const late = lateMs === 0 ? null : await startLateStream(GRPC_PORT, lateMs)
  const stop = async () => {
    late?.stop()
    await Promise.all(processes.map((running) => running.stop()))
  }
  try {
    const istiod = start('istiod', istiodPath ?? binaries.istiod, await istiodArguments(plane, false), {
      ...ISTIOD_ENVIRONMENT,
      ...(gatewayApi ? GATEWAY_API_ENVIRONMENT : {}),
      ...env
    })
    await untilIstiodReady(istiod)
    const proxies: ProxyKind[] = [...Array.from({ length: sidecars }, () => 'sidecar' as const), 'gateway']
    const envoys: LocalProcess[] = []
    for (const [index, proxy] of proxies.entries()) {
      const file = join(plane.directory, `envoy-${index}.json`)
      await writeFile(file, JSON.stringify(bootstrap(proxy, index, delta, index === 0 ? late?.port : undefined)))
      envoys.push(
        start(`envoy-${index}`, binaries.envoy, ['-c', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn'])
      )
    }
    return {
      know: async (text) => {
        for (const index of proxies.keys()) if (!(await routesOf(index)).includes(text)) return false
        return true
      },
      metrics: async () => (await fetch(`http://127.0.0.1:${MONITORING_PORT}/metrics`)).text(),
      freeze: (proxy) => {
        envoys[proxy]?.signal('SIGSTOP')
        return () => envoys[proxy]?.signal('SIGCONT')
      },
      killIstiod: () => istiod.stop('SIGKILL'),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** What Istio's installation has of this, and the chart of hitless: where istiod is, and as whom it is asked. */
async function announce({ api }: ControlPlane): Promise<void> {
  const core = '/api/v1/namespaces/istio-system'
  const labels = { app: 'istiod', 'kubernetes.io/service-name': 'istiod' }
  await must(api.request('POST', `${core}/serviceaccounts`, { body: { metadata: { name: 'hitless-settle' } } }))
  await must(
    api.request('POST', '/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices', {
      body: {
        metadata: { name: 'istiod', labels },
        addressType: 'IPv4',
        ports: [{ name: 'https-dns', port: SECURE_PORT }],
        endpoints: [{ addresses: [ISTIOD_ADDRESS], conditions: { ready: true } }]
      }
    })
  )
}

export const ISTIOD_ENVIRONMENT = {
  INJECT_ENABLED: 'false',
  VALIDATION_WEBHOOK_CONFIG_NAME: '',
  PILOT_ENABLE_GATEWAY_API: 'false',
  POD_NAMESPACE: 'istio-system',
  // Where it follows, while it runs, what a ConfigMap says of the mesh, beside what the rig's own file does.
  SHARED_MESH_CONFIG: 'istio',
  // Filters that only Istio's own build of Envoy has.
  PILOT_ENABLE_METADATA_EXCHANGE: 'false',
  PILOT_ENABLE_ALPN_FILTER: 'false'
}

/** Routes alone: the gateway's proxy is the rig's, and nobody reads what istiod says of an object. */
const GATEWAY_API_ENVIRONMENT = {
  PILOT_ENABLE_GATEWAY_API: 'true',
  PILOT_ENABLE_GATEWAY_API_STATUS: 'false',
  PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER: 'false',
  PILOT_ENABLE_GATEWAY_API_GATEWAYCLASS_CONTROLLER: 'false'
}

/** With mTLS, proxies wait for certificates, which somebody has to serve. */
export async function istiodArguments({ directory, kubeconfig }: ControlPlane, enableAutoMtls: boolean): Promise<string[]> {
  const meshConfig = join(directory, 'mesh.json')
  await writeFile(meshConfig, JSON.stringify({ enableAutoMtls }))
  const addresses = [
    '--grpcAddr',
    `127.0.0.1:${GRPC_PORT}`,
    '--httpAddr',
    `127.0.0.1:${HTTP_PORT}`,
    '--httpsAddr',
    '',
    '--secureGRPCAddr',
    `${ISTIOD_ADDRESS}:${SECURE_PORT}`
  ]
  return [
    'discovery',
    '--kubeconfig',
    kubeconfig,
    ...addresses,
    '--monitoringAddr',
    `127.0.0.1:${MONITORING_PORT}`,
    '--meshConfig',
    meshConfig
  ]
}

export async function untilIstiodReady(istiod: LocalProcess): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${HTTP_PORT}/ready`).catch(() => undefined)
    if (answer?.ok) return
    if (!istiod.running || performance.now() > deadline) throw new Error(`istiod was not ready:\n${await istiod.tail()}`)
    await sleep(50)
  }
}

/** '' while the proxy does not answer. */
async function routesOf(index: number): Promise<string> {
  const url = `http://127.0.0.1:${ADMIN_PORT + index}/config_dump?resource=dynamic_route_configs`
  return fetch(url).then(
    (answer) => answer.text(),
    () => ''
  )
}

/** The proof's own proxies. Interception NONE: the sidecar listens on a port of its own, without iptables. */
function bootstrap(proxy: ProxyKind, index: number, delta: boolean, istiodPort: number | undefined): unknown {
  const namespace = proxy === 'sidecar' ? CLIENTS : INGRESS
  return bootstrapOf({
    type: proxy === 'sidecar' ? 'sidecar' : 'router',
    address: `10.244.254.${index + 1}`,
    name: `${proxy}-${index}`,
    namespace,
    labels: proxy === 'gateway' ? INGRESS_LABELS : {},
    adminPort: ADMIN_PORT + index,
    delta,
    ...(istiodPort === undefined ? {} : { istiodPort })
  })
}

export interface ProxyOptions {
  readonly type: 'sidecar' | 'router'
  readonly address: string
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  readonly adminPort: number
  readonly delta?: boolean
  /** Where it is told. Default: by istiod itself. */
  readonly istiodPort?: number
  /** Where certificates are served, as Istio's agent does beside each proxy. */
  readonly secretsPort?: number
}

/** What a proxy says of itself, and where it is told the rest. */
export function bootstrapOf(options: ProxyOptions): unknown {
  const { type, address, name, namespace, labels, adminPort, delta = false, istiodPort = GRPC_PORT, secretsPort } = options
  const http2 = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} }
  }
  const grpcCluster = (cluster: string, port: number) => ({
    name: cluster,
    type: 'STATIC',
    connect_timeout: '1s',
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': http2 },
    load_assignment: { cluster_name: cluster, endpoints: [{ lb_endpoints: [endpoint('127.0.0.1', port)] }] }
  })
  return {
    node: {
      id: `${type}~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`,
      cluster: `${name}.${namespace}`,
      metadata: {
        NAMESPACE: namespace,
        CLUSTER_ID: 'Kubernetes',
        LABELS: labels,
        ...(type === 'sidecar' ? { INTERCEPTION_MODE: 'NONE' } : {})
      }
    },
    admin: { address: socketAddress('127.0.0.1', adminPort) },
    dynamic_resources: {
      ads_config: {
        api_type: delta ? 'DELTA_GRPC' : 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'istiod' } }]
      },
      cds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' },
      lds_config: { ads: {}, resource_api_version: 'V3', initial_fetch_timeout: '0s' }
    },
    static_resources: {
      clusters: [grpcCluster('istiod', istiodPort), ...(secretsPort === undefined ? [] : [grpcCluster('sds-grpc', secretsPort)])]
    }
  }
}

function endpoint(address: string, port: number): unknown {
  return { endpoint: { address: socketAddress(address, port) } }
}

function socketAddress(address: string, port: number): unknown {
  return { socket_address: { address, port_value: port } }
}
