/** hitless as a process with a probe in it, and one that does nothing, whose event loop shows what the machine itself does to both. */
import { type ChildProcess, fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlPlane } from '../../test/rig/control-plane.ts'
import type { ProbeSample } from '../probe.ts'

const PROBE = join(import.meta.dirname, '..', 'probe.ts')
const IN_POD = join(import.meta.dirname, 'in-pod.ts')
const IDLE = join(import.meta.dirname, 'idle.ts')

export class Probed {
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #log = ''

  constructor(script: string, args: readonly string[], nodeFlags: readonly string[] = []) {
    this.#child = fork(script, args, {
      execArgv: ['--expose-gc', ...nodeFlags, '--import', PROBE],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    })
    this.#exited = new Promise((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.stderr?.on('data', (text: Buffer) => {
      this.#log = `${this.#log}${text}`.slice(-4000)
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** What it writes first. */
  line(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#child.stdout?.once('data', (line: Buffer) => resolve(line.toString().trim()))
      this.#exited.then(() => reject(new Error(`it ended: ${this.#log}`)))
    })
  }

  /** `collect` collects garbage before. */
  ask(question: 'sample' | 'collect'): Promise<ProbeSample> {
    this.#child.send(question)
    return new Promise((resolve, reject) => {
      this.#child.once('message', (sample) => resolve(sample as ProbeSample))
      this.#exited.then(() => reject(new Error(`it ended: ${this.#log}`)))
    })
  }

  /** The most memory that it ever had, by the kernel's own account. */
  peakRssMb(): number {
    const [, kilobytes = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []
    return (Number(kilobytes) * 1024) / 1e6
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}

export function startIdle(): Probed {
  return new Probed(IDLE, [])
}

export interface StartedHitless {
  readonly process: Probed
  readonly readySeconds: number
  /** What the probe saw from when it listened until it was Ready. */
  readonly start: ProbeSample
  readonly url: string
}

/** What a Pod finds: its service account, and the certificate of its Secret. */
export interface PodFiles {
  readonly serviceAccount: string
  readonly certFile: string
  readonly keyFile: string
}

/** Puts the files of a Pod into a directory. */
export function podFiles(directory: string, { token, ca, certificate }: Pick<ControlPlane, 'token' | 'ca' | 'certificate'>): PodFiles {
  const files = { serviceAccount: directory, certFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') }
  writeFileSync(files.certFile, certificate.cert)
  writeFileSync(files.keyFile, certificate.key)
  writeFileSync(join(directory, 'token'), token)
  writeFileSync(join(directory, 'ca.crt'), ca)
  writeFileSync(join(directory, 'namespace'), 'default')
  return files
}

/** Starts hitless as it runs in a Pod, and waits until it is Ready. */
export async function startInPod(server: string, { serviceAccount, certFile, keyFile }: PodFiles): Promise<StartedHitless> {
  const startMs = performance.now()
  const started = new Probed(IN_POD, [server, serviceAccount, certFile, keyFile], NODE_FLAGS)
  const [port, healthPort] = (await started.line()).split(' ')
  // What its modules took to load is part of the time, and no stall: nobody waits for it yet.
  await started.ask('sample')
  while ((await fetch(`http://127.0.0.1:${healthPort}/readyz`)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 50))
  const readySeconds = (performance.now() - startMs) / 1000
  const start = await started.ask('sample')
  return { process: started, readySeconds, start, url: `https://127.0.0.1:${port}/validate` }
}

/** As the chart passes them. */
const NODE_FLAGS = ['--max-semi-space-size=4']
