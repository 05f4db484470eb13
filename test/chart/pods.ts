/** Pods of the chart as real processes: with the arguments of the template, the ServiceAccount's own token, and what the volumes hold. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ControlPlane } from '../rig/control-plane.ts'
import type { Containers, Pod } from '../rig/kubelet.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

interface Template {
  readonly serviceAccountName: string
  readonly containers: readonly {
    readonly args: readonly string[]
    readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
    readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  }[]
  readonly volumes?: readonly {
    readonly name: string
    readonly configMap?: { readonly name: string }
    readonly secret?: { readonly secretName: string }
  }[]
}

export interface ChartPods extends Containers {
  /** The control plane, which is started with these containers and so after them. */
  attach(plane: ControlPlane): void
  /** What all of them have logged so far. */
  log(): string
  /** Puts into the volumes what their Secrets and ConfigMaps hold now, as a kubelet does within a minute. */
  mountAgain(): Promise<void>
  /** Ends the process of a Pod as a node that dies does. */
  kill(uid: string): Promise<void>
  close(): Promise<void>
}

export function chartPods(): ChartPods {
  const { promise: attached, resolve: attach } = Promise.withResolvers<ControlPlane>()
  const processes = new Map<string, Promise<ChildProcess>>()
  const mounted = new Map<string, Pod>()
  let log = ''

  const launch = async (pod: Pod, address: string): Promise<ChildProcess> => {
    const plane = await attached
    const { namespace, name, uid } = pod.metadata
    const spec = pod.spec as unknown as Template
    const kubeconfig = await plane.kubeconfigFor({ namespace, name: spec.serviceAccountName })
    const args = await mount(plane, pod)
    mounted.set(uid, pod)
    // All share one network here: each takes the address that in a cluster would be its own.
    const own = args[0] === 'serve' ? [`--host=${address}`, `--health-host=${address}`] : []
    const { PATH, NODE_COMPILE_CACHE } = process.env
    const env = { PATH, NODE_COMPILE_CACHE, HOME: plane.directory, KUBECONFIG: kubeconfig }
    const child = spawn(process.execPath, [MAIN, ...args, ...own], { stdio: ['ignore', 'pipe', 'pipe'], env })
    const note = (text: Buffer) => {
      log += text
      appendFileSync(join(plane.directory, `pod-${name}.log`), text)
    }
    child.stdout.on('data', note)
    child.stderr.on('data', note)
    return child
  }
  const launched = (pod: Pod, address: string) => {
    const running = processes.get(pod.metadata.uid) ?? launch(pod, address)
    processes.set(pod.metadata.uid, running)
    return running
  }
  const end = async (uid: string, signal: NodeJS.Signals) => {
    const child = await processes.get(uid)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  return {
    attach,
    log: () => log,
    start: async (pod, address) => untilReady(await launched(pod, address), `http://${address}:${portOf(pod)}/readyz`, () => log),
    run: async (pod, address) => {
      const child = await launched(pod, address)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      return child.exitCode ?? 1
    },
    mountAgain: async () => {
      const plane = await attached
      await Promise.all([...mounted.values()].map((pod) => mount(plane, pod)))
    },
    stop: (pod) => end(pod.metadata.uid, 'SIGTERM'),
    kill: (uid) => end(uid, 'SIGKILL'),
    close: async () => {
      await Promise.all([...processes.keys()].map((uid) => end(uid, 'SIGKILL')))
    }
  }
}

/** Puts what the volumes hold into a folder. Resolves with the arguments, which then lead there. */
async function mount(plane: ControlPlane, pod: Pod): Promise<string[]> {
  const { containers, volumes = [] } = pod.spec as unknown as Template
  const { args = [], volumeMounts = [] } = containers[0] ?? {}
  const folder = (name: string) => join(plane.directory, pod.metadata.uid, name)
  for (const { name } of volumeMounts) {
    const { configMap, secret } = volumes.find((each) => each.name === name) ?? {}
    const source = configMap === undefined ? `secrets/${secret?.secretName}` : `configmaps/${configMap.name}`
    const path = `/api/v1/namespaces/${pod.metadata.namespace}/${source}`
    const { data } = (await plane.api.request<{ data: Record<string, string> }>('GET', path)).body
    mkdirSync(folder(name), { recursive: true })
    for (const [file, text] of Object.entries(data)) {
      writeFileSync(join(folder(name), file), configMap === undefined ? Buffer.from(text, 'base64') : text)
    }
  }
  const led = (arg: string, { name, mountPath }: (typeof volumeMounts)[number]) =>
    arg === mountPath ? folder(name) : arg.replace(`=${mountPath}/`, `=${folder(name)}/`)
  return args.map((arg) => volumeMounts.reduce(led, arg))
}

function portOf(pod: Pod): number {
  const [container] = (pod.spec as unknown as Template).containers
  return container?.ports?.find(({ name }) => name === 'health')?.containerPort ?? 0
}

async function untilReady(child: ChildProcess, url: string, log: () => string): Promise<void> {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.status === 200) return
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`a Pod ended before it was Ready: ${log().slice(-2000)}`)
    await sleep(50)
  }
}
