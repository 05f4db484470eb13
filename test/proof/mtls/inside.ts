// Runs in a network of its own, which mtls.test.ts makes for it; standard output gets what each world answered, a line of JSON each.
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Manifest } from '../../manifests.ts'
import { installMesh } from '../../rig/binaries.ts'
import { type ControlPlane, startControlPlane } from '../../rig/control-plane.ts'
import type { Containers, Pod } from '../../rig/kubelet.ts'
import { type LocalProcess, startProcess } from '../../rig/local-process.ts'
import { endWithParent } from '../../rig/own-network.ts'
import { CLIENTS } from '../addresses.ts'
import { Marker } from '../marker.ts'
import { bootstrapOf, ISTIOD_ENVIRONMENT, istiodArguments, type ProxyOptions, untilIstiodReady } from '../mesh.ts'
import { must, pathOf } from '../objects.ts'
import { serveSecrets } from './secrets.ts'
import { base, NAMESPACE, SERVED, worlds } from './worlds.ts'

const CLIENT = { address: '10.244.255.1', adminPort: 15100 }
const SERVER_ADMIN_PORT = 15101
/** Where the workload with a sidecar listens, for that alone. */
const BEHIND = 10_000
/** The client's proxy and the server's hear of one push at about the same time. */
const OTHER_PROXY_MS = 500

endWithParent()
const names = process.argv.slice(2)
const secrets = await serveSecrets(NAMESPACE)
const { istiod: istiodPath, envoy } = await installMesh()
const processes: LocalProcess[] = []
const plane = await startControlPlane({ containers: containers(), apiServerFlags: ['--advertise-address=10.244.255.254'] })
for (const name of ['istio-system', CLIENTS, NAMESPACE, 'ingress'])
  await must(plane.api.request('POST', '/api/v1/namespaces', { body: { metadata: { name } } }))
const istiod = run('istiod', istiodPath, await istiodArguments(plane, true), { ...ISTIOD_ENVIRONMENT, PATH: process.env['PATH'] })
await untilIstiodReady(istiod)
await startEnvoy(plane, { type: 'sidecar', name: 'client', namespace: CLIENTS, labels: {}, ...CLIENT, secretsPort: secrets.port })
const marker = new Marker(plane.api, { know })
await marker.install()
await apply(...base(), ingressListeners())
await must(
  plane
    .kubectl(['rollout', 'status', 'deployment', '-n', NAMESPACE, '--timeout=60s'])
    .then(({ code, stderr: body }) => ({ status: code === 0 ? 200 : 500, body, warnings: [] }))
)

for (const world of worlds()) {
  if (names.length > 0 && !names.includes(world.name)) continue
  const { name, host, given, write } = world
  await apply(...given)
  const before = await answers(host)
  await apply(write)
  const after = await answers(host)
  process.stdout.write(`${JSON.stringify({ name, before, after })}\n`)
  await remove(...given, write)
}
for (const each of processes) await each.stop()
await plane.stop()
secrets.stop()
process.stdout.end(() => process.exit(0))

/** In each Pod the workload, and where it is injected its proxy, in front of it. */
function containers(): Containers {
  const started = new Map<string, Promise<void>>()
  const start = async (pod: Pod, address: string) => {
    const { labels = {}, name, namespace } = pod.metadata
    const isInjected = labels['app'] === 'server'
    for (const { targetPort } of SERVED) await listen(isInjected ? '127.0.0.1' : address, isInjected ? BEHIND + targetPort : targetPort)
    if (!isInjected) return
    await startEnvoy(plane, { type: 'sidecar', address, name, namespace, labels, adminPort: SERVER_ADMIN_PORT, secretsPort: secrets.port })
  }
  return {
    start: async (pod, address) => {
      const { uid } = pod.metadata
      if (!started.has(uid)) started.set(uid, start(pod, address))
      await started.get(uid)
    },
    stop: async () => undefined
  }
}

async function listen(address: string, port: number): Promise<Server> {
  const server = createServer((_request, response) => response.end('here'))
  await once(server.listen(port, address), 'listening')
  return server
}

/** Without iptables nothing is intercepted: the server's proxy listens where its Sidecar says, and has no routes of its own. */
function ingressListeners(): Manifest {
  const ingress = SERVED.map(({ targetPort }) => ({
    port: { number: targetPort, protocol: 'HTTP', name: `http-${targetPort}` },
    defaultEndpoint: `127.0.0.1:${BEHIND + targetPort}`
  }))
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'Sidecar',
    metadata: { name: 'server', namespace: NAMESPACE },
    spec: { workloadSelector: { labels: { app: 'server' } }, ingress, egress: [{ hosts: ['~/*'] }] }
  }
}

async function startEnvoy({ directory }: ControlPlane, options: ProxyOptions): Promise<void> {
  const file = join(directory, `${options.name}.json`)
  await writeFile(file, JSON.stringify(bootstrapOf(options)))
  run(options.name, envoy, ['-c', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn'])
}

function run(name: string, path: string, args: readonly string[], env: NodeJS.ProcessEnv = { PATH: process.env['PATH'] }): LocalProcess {
  const started = startProcess({ name, path, args, env, log: join(plane.directory, `${name}.log`) })
  processes.push(started)
  return started
}

async function know(text: string): Promise<boolean> {
  const url = `http://127.0.0.1:${CLIENT.adminPort}/config_dump?resource=dynamic_route_configs`
  return (
    await fetch(url).then(
      (answer) => answer.text(),
      () => ''
    )
  ).includes(text)
}

async function apply(...manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) {
    const path = `${pathOf(manifest)}?fieldManager=rig&force=true`
    await must(plane.api.request('PATCH', path, { body: manifest, contentType: 'application/apply-patch+yaml' }))
  }
}

async function remove(...manifests: readonly Manifest[]): Promise<void> {
  for (const manifest of manifests) await plane.api.request('DELETE', pathOf(manifest))
}

/** What a client gets at each port, once the proxies have everything. */
async function answers(host: string): Promise<number[]> {
  await marker.reached()
  await sleep(OTHER_PROXY_MS)
  const statuses: number[] = []
  for (const { port } of SERVED) {
    const headers = { host: `${host}.${NAMESPACE}.svc.cluster.local:${port}` }
    const { statusCode, body } = await request(`http://127.0.0.1:${port}/`, { headers })
    await body.text()
    statuses.push(statusCode)
  }
  return statuses
}
