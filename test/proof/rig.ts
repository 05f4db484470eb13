/** The whole of it: a control plane, a mesh, Pods that answer, and the webhook, which can be called or not. Runs in a network of its own. */
import { LiveCluster } from '../../src/cluster/live-cluster.ts'
import { DEFAULT_SETTINGS } from '../../src/mesh/snapshot/settings.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import type { Manifest } from '../manifests.ts'
import { type ControlPlane, startControlPlane } from '../rig/control-plane.ts'
import { type HitlessProcess, startHitless } from '../rig/hitless-process.ts'
import { CLIENTS, INGRESS, INGRESS_LABELS, MACHINE_ADDRESS, PORTS } from './addresses.ts'
import { httpContainers, startMachine } from './containers.ts'
import { GATEWAY_OBJECTS } from './gateway-api-scripts.ts'
import { Marker } from './marker.ts'
import { type Mesh, type MeshOptions, startMesh } from './mesh.ts'
import { must, pathOf } from './objects.ts'
import { ARGO, FLAGGER } from './tool-scripts.ts'

/** How long hitless holds a write: so many milliseconds, or until istiod says that the proxies know. */
export type Length = number | 'exact'

/** Whether the API server calls hitless. */
export interface Guard {
  on(): Promise<void>
  off(): Promise<void>
}

export interface Rig {
  readonly plane: ControlPlane
  readonly mesh: Mesh
  readonly marker: Marker
  /** The cluster as hitless sees it, followed by the same code in this process. */
  readonly state: State
  readonly guard: Guard
  /** Starts another hitless in place of the one that runs. */
  settle(length: Length): Promise<void>
  /** The pages of metrics of hitless, as it serves them. */
  metrics(): Promise<string>
  /** What it has logged since it started. */
  log(): string
  stop(): Promise<void>
}

export async function startRig(options: MeshOptions = {}): Promise<Rig> {
  const { gatewayApi = false } = options
  const releases: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const release of releases.splice(0).reverse()) await release()
  }
  try {
    const containers = httpContainers()
    releases.push(containers.close)
    releases.push(await startMachine(MACHINE_ADDRESS))
    const plane = await startControlPlane({ containers, apiServerFlags: ['--advertise-address=10.244.255.254'], gatewayApi })
    releases.push(plane.stop)
    await prepare(plane, gatewayApi)
    const mesh = await startMesh(plane, options)
    releases.push(mesh.stop)
    const marker = new Marker(plane.api, mesh)
    await marker.install()
    const { state, stop: stopState } = await follow(plane)
    releases.push(stopState)
    let unregister: () => Promise<void> = async () => undefined
    let hitless = await startGuard(plane)
    releases.push(() => hitless.stop())
    return {
      plane,
      mesh,
      marker,
      state,
      guard: {
        on: async () => {
          unregister = await plane.registerWebhook({
            url: `https://127.0.0.1:${hitless.port}/validate`,
            caBundle: hitless.ca,
            timeoutSeconds: 10
          })
        },
        off: () => unregister()
      },
      settle: async (length) => {
        await hitless.stop()
        hitless = await startGuard(plane, length)
      },
      metrics: () => hitless.metrics(),
      log: () => hitless.log(),
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function startGuard(plane: ControlPlane, length?: Length): Promise<HitlessProcess> {
  const flags = length === undefined ? [] : ['--settle', String(length)]
  return startHitless(plane, { flags, register: false })
}

/** Where Istio, the clients and the gateway are, and tools that may write everything. */
async function prepare({ api }: ControlPlane, gatewayApi: boolean): Promise<void> {
  const apiGroup = 'rbac.authorization.k8s.io'
  const binding = {
    metadata: { name: 'release-tools' },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [FLAGGER, ARGO].map((name) => ({ kind: 'User', name, apiGroup }))
  }
  await must(api.request('POST', `/apis/${apiGroup}/v1/clusterrolebindings`, { body: binding }))
  for (const name of ['istio-system', CLIENTS, INGRESS])
    await must(api.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } }))
  const server = { port: { number: PORTS.gateway, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }
  const gateway: Manifest = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Gateway',
    metadata: { name: 'gateway', namespace: INGRESS },
    spec: { selector: INGRESS_LABELS, servers: [server] }
  }
  for (const object of [gateway, ...(gatewayApi ? GATEWAY_OBJECTS : [])]) {
    const path = `${pathOf(object)}?fieldManager=rig&force=true`
    await must(api.request('PATCH', path, { body: object, contentType: 'application/apply-patch+yaml' }))
  }
}

async function follow({ kubeconfig }: ControlPlane): Promise<{ state: State; stop: () => Promise<void> }> {
  const ended = new AbortController()
  const state = new LiveCluster({ source: { kubeconfig, context: null }, settings: DEFAULT_SETTINGS, observe: () => undefined })
  await state.start(ended.signal)
  const stop = async () => {
    ended.abort()
    await state.ended()
  }
  return { state, stop }
}
