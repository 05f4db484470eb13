import { execFile } from 'node:child_process'
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, rmSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Api, connectApi } from './api.ts'
import { type Binaries, installBinaries, installGatewayApi, kept, sourceFromEnvironment } from './binaries.ts'
import { type Containers, type PodMatch, startKubelet } from './kubelet.ts'
import { type LocalProcess, startProcess } from './local-process.ts'
import { registerWebhook, type WebhookRegistration } from './webhook.ts'

const START_TIMEOUT_MS = 60_000
/** The folder of etcd's data, below that of the control plane. */
const ETCD = 'etcd'
// Those that a mesh and its releases need. The node lifecycle controller is left out on purpose: nobody renews this Node's lease, and
// it would take Pods of a silent Node for dead.
const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'statefulset-controller',
  'horizontal-pod-autoscaler-controller',
  'disruption-controller',
  'job-controller',
  'endpointslice-controller',
  'namespace-controller',
  'garbage-collector-controller',
  'serviceaccount-controller',
  'root-ca-certificate-publisher-controller',
  'clusterrole-aggregation-controller'
]

export interface ControlPlaneOptions {
  /** Runs kube-controller-manager and makes Pods Ready. Without it objects stay as they are written. Default true. */
  readonly controllers?: boolean
  /** Installs Istio's CustomResourceDefinitions. Default true. */
  readonly istio?: boolean
  /** Installs those of the Gateway API too. Default false. */
  readonly gatewayApi?: boolean
  /** What runs in the Pods. Default: nothing, they are only said to be Ready. */
  readonly containers?: Containers
  /** Further flags of kube-apiserver. */
  readonly apiServerFlags?: readonly string[]
  /** Further flags of etcd. */
  readonly etcdFlags?: readonly string[]
}

export interface KubectlOptions {
  /** Given to kubectl's standard input. */
  readonly input?: string
  /** Another identity than the administrator's. */
  readonly kubeconfig?: string
}

export interface KubectlResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A Kubernetes control plane of real binaries on loopback, for one test file, that goes away with it. */
export interface ControlPlane {
  readonly url: string
  /** Where etcd answers; without credentials. */
  readonly etcd: string
  /** PEM of the authority that signed the API server's certificate. */
  readonly ca: string
  /** A certificate for 127.0.0.1 that `ca` signed, for a webhook of the test's own. */
  readonly certificate: { readonly cert: string; readonly key: string }
  /** The administrator's (group system:masters). */
  readonly token: string
  readonly kubeconfig: string
  /** Requests as the administrator. */
  readonly api: Api
  /** Holds logs and anything a test wants to put there; removed at the end. */
  readonly directory: string
  /** The real kubectl; resolves with any exit code. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>
  /** Keeps matching Pods unready until the returned function is called. */
  holdUnready(match: PodMatch): () => void
  /** See {@link registerWebhook}. */
  registerWebhook(registration: WebhookRegistration): Promise<() => Promise<void>>
  /** Writes a kubeconfig with a fresh token of an existing ServiceAccount, which RBAC judges as it would the Pod's. */
  kubeconfigFor(serviceAccount: { namespace: string; name: string }): Promise<string>
  /** Crashes a component and starts it again with its data and its port; resolves when the API server is ready. */
  restart(component: 'etcd' | 'kube-apiserver'): Promise<void>
  stop(): Promise<void>
}

/** Starts a control plane, in seconds once its binaries are built; see {@link ControlPlane}. */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await installBinaries()
  const { plane } = await startServers(binaries, await dataOf(binaries, options), options)
  return plane
}

/** Builds and makes what any control plane starts from. */
export async function installControlPlane(): Promise<void> {
  const binaries = await installBinaries()
  for (const options of [{ istio: false }, { istio: true }, { gatewayApi: true }]) await dataOf(binaries, options)
}

/**
 * The path of etcd's data as an API server leaves it that was started and given the CustomResourceDefinitions. It is made once: what the server
 * writes at its first start, and what it builds anew for each definition, is more than half of the work of a start.
 */
async function dataOf(binaries: Binaries, { istio = true, gatewayApi = false }: ControlPlaneOptions): Promise<string> {
  const definitions = [...(istio ? [binaries.istioDefinitions] : []), ...(gatewayApi ? [await installGatewayApi()] : [])]
  const made = await Promise.all([binaries.etcd, binaries['kube-apiserver'], ...definitions].map((path) => stat(path)))
  const identity = createHash('sha256').update(JSON.stringify(made.map(({ size, mtimeMs }) => [size, mtimeMs])))
  return kept(sourceFromEnvironment(), `etcd-data-${identity.digest('hex').slice(0, 12)}`, async (path) => {
    const { plane, processes } = await startServers(binaries, null, { controllers: false })
    try {
      for (const file of definitions) await installDefinitions(plane.kubectl, file)
      // In order, and in their own time: the server takes its address back, and etcd writes what it holds.
      for (const name of ['kube-apiserver', 'etcd']) await processes.get(name)?.stop('SIGTERM')
      await copyFolder(join(plane.directory, ETCD), path)
    } finally {
      await plane.stop()
    }
  })
}

/** Most of etcd's log are holes. */
async function copyFolder(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['--recursive', '--sparse=always', from, to])
}

/** @param data - What etcd begins with; null for nothing. */
async function startServers(
  binaries: Binaries,
  data: string | null,
  { controllers = true, containers, apiServerFlags = [], etcdFlags = [] }: ControlPlaneOptions
): Promise<{ plane: ControlPlane; processes: ReadonlyMap<string, LocalProcess> }> {
  const directory = await mkdtemp(join(tmpdir(), 'hitless-control-plane-'))
  const processes = new Map<string, LocalProcess>()
  const abandon = () => {
    for (const running of processes.values()) void running.stop()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  process.once('exit', abandon)

  const releases: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const release of releases.splice(0).reverse()) await release()
    await Promise.all([...processes.values()].map((running) => running.stop()))
    await rm(directory, { recursive: true, force: true })
    process.off('exit', abandon)
  }

  try {
    const setup = await prepare(directory)
    if (data !== null) await copyFolder(data, join(directory, ETCD))
    const commands = commandLines(setup, apiServerFlags, etcdFlags)
    const start = (name: keyof typeof commands) => {
      const log = join(directory, `${name}.log`)
      processes.set(name, startProcess({ name, path: binaries[name], args: commands[name], log }))
    }
    start('etcd')
    start('kube-apiserver')
    const ca = await certificateOf(processes, setup)
    const api = connectApi({ url: setup.url, ca, token: setup.tokens.admin })
    releases.push(api.close)
    const ready = () => untilReady(processes, api)
    await ready()
    const kubectl = (args: readonly string[], { input, kubeconfig = setup.kubeconfig }: KubectlOptions = {}) =>
      runKubectl(binaries.kubectl, args, { input, kubeconfig, home: directory })

    let holdUnready: ControlPlane['holdUnready'] = () => {
      throw new Error('this control plane was started without controllers')
    }
    if (controllers) {
      start('kube-controller-manager')
      const kubelet = await startKubelet(api, (line) => appendFileSync(join(directory, 'kubelet.log'), `${line}\n`), containers)
      releases.push(kubelet.stop)
      holdUnready = kubelet.holdUnready
    }

    const plane: ControlPlane = {
      url: setup.url,
      etcd: setup.etcd.client,
      ca,
      certificate: { cert: await readFile(setup.servingCert, 'utf8'), key: await readFile(setup.servingKey, 'utf8') },
      token: setup.tokens.admin,
      kubeconfig: setup.kubeconfig,
      api,
      directory,
      kubectl,
      holdUnready,
      registerWebhook: (registration) => registerWebhook(api, registration),
      kubeconfigFor: async ({ namespace, name }) => {
        const path = join(directory, `${namespace}-${name}.kubeconfig`)
        await writeFile(path, kubeconfig(setup, await serviceAccountToken(api, namespace, name), namespace))
        return path
      },
      restart: async (component) => {
        await processes.get(component)?.stop()
        start(component)
        await ready()
      },
      stop
    }
    return { plane, processes }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Setup {
  readonly directory: string
  readonly url: string
  readonly port: number
  readonly etcd: { readonly client: string; readonly peer: string }
  readonly servingCert: string
  readonly servingKey: string
  readonly tokens: { readonly admin: string; readonly controllerManager: string }
  readonly tokenFile: string
  readonly serviceAccountKey: string
  readonly kubeconfig: string
  readonly controllerManagerKubeconfig: string
}

async function prepare(directory: string): Promise<Setup> {
  const [port = 0, client, peer] = await freePorts(3)
  const file = (name: string) => join(directory, name)
  const setup: Setup = {
    directory,
    port,
    url: `https://127.0.0.1:${port}`,
    etcd: { client: `http://127.0.0.1:${client}`, peer: `http://127.0.0.1:${peer}` },
    servingCert: file('apiserver.crt'),
    servingKey: file('apiserver.key'),
    tokens: { admin: randomBytes(16).toString('hex'), controllerManager: randomBytes(16).toString('hex') },
    tokenFile: file('tokens.csv'),
    serviceAccountKey: file('service-account.key'),
    kubeconfig: file('admin.kubeconfig'),
    controllerManagerKubeconfig: file('controller-manager.kubeconfig')
  }
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await Promise.all([
    writeFile(setup.serviceAccountKey, privateKey.export({ type: 'sec1', format: 'pem' })),
    writeFile(
      setup.tokenFile,
      `${setup.tokens.admin},admin,admin,system:masters\n${setup.tokens.controllerManager},system:kube-controller-manager,manager\n`
    ),
    writeFile(setup.kubeconfig, kubeconfig(setup, setup.tokens.admin)),
    writeFile(setup.controllerManagerKubeconfig, kubeconfig(setup, setup.tokens.controllerManager))
  ])
  return setup
}

function commandLines(setup: Setup, apiServerFlags: readonly string[], etcdFlags: readonly string[]) {
  const { directory, etcd, port } = setup
  return {
    etcd: [
      `--data-dir=${join(directory, ETCD)}`,
      '--unsafe-no-fsync',
      `--listen-client-urls=${etcd.client}`,
      `--advertise-client-urls=${etcd.client}`,
      `--listen-peer-urls=${etcd.peer}`,
      `--initial-advertise-peer-urls=${etcd.peer}`,
      `--initial-cluster=default=${etcd.peer}`,
      '--log-level=warn',
      ...etcdFlags
    ],
    'kube-apiserver': [
      `--etcd-servers=${etcd.client}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      `--cert-dir=${directory}`,
      '--service-cluster-ip-range=10.96.0.0/12',
      `--service-account-key-file=${setup.serviceAccountKey}`,
      `--service-account-signing-key-file=${setup.serviceAccountKey}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--token-auth-file=${setup.tokenFile}`,
      '--authorization-mode=RBAC',
      // A Pod would be refused until its new namespace has a ServiceAccount, and nothing here mounts the token.
      '--disable-admission-plugins=ServiceAccount',
      ...apiServerFlags
    ],
    'kube-controller-manager': [
      `--kubeconfig=${setup.controllerManagerKubeconfig}`,
      '--secure-port=0',
      '--leader-elect=false',
      // Each controller writes under its own ServiceAccount, as in a real cluster: hitless knows some of them by name.
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${setup.serviceAccountKey}`,
      `--root-ca-file=${setup.servingCert}`,
      `--controllers=${CONTROLLERS.join(',')}`,
      // Every 15 s by default, for which each test of an autoscaler would wait.
      '--horizontal-pod-autoscaler-sync-period=2s',
      '--kube-api-qps=200',
      '--kube-api-burst=400'
    ]
  } satisfies Partial<Record<keyof Binaries, readonly string[]>>
}

/** `namespace` is where requests go that name none, as a Pod's own is. */
function kubeconfig({ url, servingCert }: Setup, token: string, namespace = 'default'): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace } }],
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority': servingCert } }],
    users: [{ name: 'test', user: { token } }]
  })
}

/** Asked for together, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** The API server makes its own certificate, with its authority in the same file, before it listens. */
async function certificateOf(processes: ReadonlyMap<string, LocalProcess>, { servingCert, servingKey }: Setup): Promise<string> {
  return poll(processes, 'make its certificate', async () => {
    const key = await readFile(servingKey, 'utf8').catch(() => '')
    const cert = await readFile(servingCert, 'utf8').catch(() => '')
    return key.includes('-----END') && cert.trimEnd().endsWith('-----') ? cert : undefined
  })
}

async function untilReady(processes: ReadonlyMap<string, LocalProcess>, api: Api): Promise<void> {
  await poll(processes, 'become ready', async () => {
    // The second is read from etcd itself: `/readyz` may still speak of the etcd before a restart.
    for (const path of ['/readyz', '/api/v1/namespaces/default']) {
      const answer = await api.request('GET', path).catch(() => undefined)
      if (answer?.status !== 200) return undefined
    }
    return true
  })
}

/** Neither a file being written nor a server that does not listen yet can be waited for in another way than asking again. */
async function poll<T>(processes: ReadonlyMap<string, LocalProcess>, what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    const dead = [...processes.values()].find(({ running }) => !running)
    if (dead) throw new Error(`${dead.name} ended while kube-apiserver was to ${what}:\n${await dead.tail()}`)
    if (performance.now() > deadline) {
      throw new Error(`kube-apiserver did not ${what} in ${START_TIMEOUT_MS} ms:\n${await processes.get('kube-apiserver')?.tail()}`)
    }
    await sleep(50)
  }
}

async function installDefinitions(kubectl: ControlPlane['kubectl'], file: string): Promise<void> {
  for (const args of [
    ['apply', '--server-side', '-f', file],
    ['wait', '--for=condition=Established', '--timeout=30s', '-f', file]
  ]) {
    const { code, stderr } = await kubectl(args)
    if (code !== 0) throw new Error(`the CustomResourceDefinitions of ${file} could not be installed: ${stderr}`)
  }
}

async function serviceAccountToken(api: Api, namespace: string, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } }
  const answer = await api.request<{ status: { token: string } }>('POST', path, { body })
  if (answer.status !== 201) throw new Error(`no token for ${namespace}/${name}: ${JSON.stringify(answer.body)}`)
  return answer.body.status.token
}

function runKubectl(
  path: string,
  args: readonly string[],
  { input, kubeconfig, home }: { input: string | undefined; kubeconfig: string; home: string }
): Promise<KubectlResult> {
  return new Promise((resolve) => {
    // HOME takes its discovery cache along into the control plane's directory.
    const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfig }
    const child = execFile(path, args, { env, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr })
    })
    child.stdin?.end(input)
  })
}
