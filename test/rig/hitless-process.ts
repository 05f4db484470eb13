/** The real webhook process beside a control plane: registered, synced, and ended with its test. */
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ControlGroup } from './control-group.ts'
import type { ControlPlane } from './control-plane.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface HitlessProcess {
  readonly pid: number
  readonly port: number
  readonly healthPort: number
  /** PEM of the authority behind its certificate. */
  readonly ca: string
  /** What it wrote on standard error so far: its log. */
  log(): string
  /** Its page of metrics. */
  metrics(): Promise<string>
  /** The value of one that has no labels; NaN where the page has none. */
  metric(name: string): Promise<number>
  /** True until it has ended. */
  running(): boolean
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface HitlessOptions {
  /** Where it follows the cluster from. Default: the API server itself. */
  readonly kubeconfig?: string
  /** Further flags of `hitless serve`. */
  readonly flags?: readonly string[]
  /** Further flags of node. */
  readonly nodeFlags?: readonly string[]
  /** What bounds its memory, from its start on. */
  readonly controlGroup?: ControlGroup
  /** False where the test registers the webhook itself. */
  readonly register?: boolean
}

/** Starts `hitless serve` on the control plane and resolves once it is Ready and the API server calls it. */
export async function startHitless(plane: ControlPlane, options: HitlessOptions = {}): Promise<HitlessProcess> {
  const { kubeconfig = plane.kubeconfig, flags = [], nodeFlags = [], register = true } = options
  const caFile = join(plane.directory, 'hitless-ca.pem')
  const args = [
    'serve',
    '--kubeconfig',
    kubeconfig,
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--health-host',
    '127.0.0.1',
    '--health-port',
    '0'
  ]
  const child = spawn(process.execPath, [...nodeFlags, MAIN, ...args, '--drain', '0', '--write-ca', caFile, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  if (child.pid !== undefined) options.controlGroup?.add(child.pid)
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const line = await firstLine(child.stdout, exited, () => log)
  const [, port, healthPort] = /:(\d+)\/validate.*:(\d+)$/.exec(line) ?? []
  const metrics = async () => (await fetch(`http://127.0.0.1:${healthPort}/metrics`)).text()
  const hitless: HitlessProcess = {
    pid: child.pid ?? 0,
    port: Number(port),
    healthPort: Number(healthPort),
    ca: await readFile(caFile, 'utf8'),
    log: () => log,
    metrics,
    metric: async (name) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await metrics())?.[1]),
    running: () => child.exitCode === null && child.signalCode === null,
    stop(signal = 'SIGTERM') {
      child.kill(signal)
      return exited
    }
  }
  await untilReady(hitless)
  if (register) await plane.registerWebhook({ url: `https://127.0.0.1:${port}/validate`, caBundle: hitless.ca })
  return hitless
}

function firstLine(stream: NodeJS.ReadableStream, exited: Promise<unknown>, log: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end !== -1) resolve(text.slice(0, end))
    })
    exited.then(() => reject(new Error(`hitless ended before it answered: ${log()}`)), reject)
  })
}

/** Readiness is what a kubelet would ask: every kind synced. */
async function untilReady({ healthPort, running, log }: HitlessProcess): Promise<void> {
  for (;;) {
    const { status } = await fetch(`http://127.0.0.1:${healthPort}/readyz`)
    if (status === 200) return
    if (!running()) throw new Error(`hitless ended before it was ready: ${log()}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
