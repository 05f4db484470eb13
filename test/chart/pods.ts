/** Pods of the chart as real processes: with the arguments of the template, the ServiceAccount's own token, and what the volumes hold. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ControlPlane } from '../cluster/control-plane.ts'
import type { Containers, Pod } from '../cluster/kubelet.ts'

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
  /** Ends the process of a Pod as a node that dies does. */
  kill(uid: string): Promise<void>
  close(): Promise<void>
}

export function chartPods(): ChartPods {
  const { promise: attached, resolve: attach } = Promise.withResolvers<ControlPlane>()
  const processes = new Map<string, Promise<ChildProcess>>()
  let log = ''

  const launch = async (pod: Pod, address: string): Promise<ChildProcess> => {
    const plane = await attached
    const { namespace, name, uid } = pod.metadata
    const spec = pod.spec as unknown as Template
    const kubeconfig = await plane.kubeconfigFor({ namespace, name: spec.serviceAccountName })
    const args = await resolved(plane, pod, join(plane.directory, uid))
    // All share one network here: each takes the address that in a cluster would be its own.
    const own = args[0] === 'serve' ? [`--host=${address}`, `--health-host=${address}`] : []
    const env = { PATH: process.env['PATH'], HOME: plane.directory, KUBECONFIG: kubeconfig }
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
    stop: (pod) => end(pod.metadata.uid, 'SIGTERM'),
    kill: (uid) => end(uid, 'SIGKILL'),
    close: async () => {
      await Promise.all([...processes.keys()].map((uid) => end(uid, 'SIGKILL')))
    }
  }
}

/** The arguments, with each mounted folder where its content was put. */
async function resolved(plane: ControlPlane, pod: Pod, folder: string): Promise<string[]> {
  const { containers, volumes = [] } = pod.spec as unknown as Template
  const { args = [], volumeMounts = [] } = containers[0] ?? {}
  let found = [...args]
  for (const { name, mountPath } of volumeMounts) {
    const volume = volumes.find((each) => each.name === name)
    const source = volume?.configMap === undefined ? `secrets/${volume?.secret?.secretName}` : `configmaps/${volume.configMap.name}`
    const { body } = await plane.api.request<{ data: Record<string, string> }>(
      'GET',
      `/api/v1/namespaces/${pod.metadata.namespace}/${source}`
    )
    mkdirSync(join(folder, name), { recursive: true })
    for (const [file, text] of Object.entries(body.data)) {
      writeFileSync(join(folder, name, file), volume?.configMap === undefined ? Buffer.from(text, 'base64') : text)
    }
    found = found.map((arg) => arg.replace(`=${mountPath}/`, `=${join(folder, name)}/`))
  }
  return found
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
