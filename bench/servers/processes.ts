/** Servers to measure, as processes of their own, and the CPU time that each has taken. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Linux counts CPU time in these (USER_HZ), whatever its own clock. */
const TICKS_PER_SECOND = 100

export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

export interface MeasuredServer {
  readonly name: string
  readonly url: string
  /** Seconds of CPU time since it started, those of all its threads. */
  cpuSeconds(): number
  stop(): Promise<void>
}

export function startBareFastify(certificate: Certificate): Promise<MeasuredServer> {
  return startNode('bare Fastify', 'bare-fastify.ts', certificate, [])
}

export function startHitlessServer(certificate: Certificate, hosts: number): Promise<MeasuredServer> {
  return startNode(`hitless, ${hosts.toLocaleString('en')} hosts`, 'hitless.ts', certificate, [String(hosts)])
}

/** Built with the machine's Go, into the cache; on one core, as the others. */
export async function startBareGo({ certFile, keyFile }: Certificate): Promise<MeasuredServer> {
  const source = join(import.meta.dirname, 'bare-go')
  const hash = createHash('sha256')
    .update(readFileSync(join(source, 'main.go')))
    .digest('hex')
    .slice(0, 12)
  const directory = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hitless')
  const path = join(directory, `bare-go-${hash}`)
  mkdirSync(directory, { recursive: true })
  // Go has a cache of its own: built anew, it is there at once.
  await promisify(execFile)('go', ['build', '-o', path, '.'], { cwd: source })
  return started(
    'bare Go',
    spawn(path, [certFile, keyFile], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, GOMAXPROCS: '1' } })
  )
}

function startNode(name: string, script: string, { certFile, keyFile }: Certificate, args: readonly string[]): Promise<MeasuredServer> {
  const path = join(import.meta.dirname, script)
  return started(name, spawn(process.execPath, [path, certFile, keyFile, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }))
}

async function started(name: string, child: ChildProcess): Promise<MeasuredServer> {
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (line: Buffer) => resolve(line.toString().trim()))
    exited.then(() => reject(new Error(`${name} ended before it listened`)))
  })
  return {
    name,
    url,
    cpuSeconds: () => cpuSecondsOf(child.pid ?? 0),
    stop: () => {
      child.kill('SIGKILL')
      return exited
    }
  }
}

/** Resolves when a process has done next to nothing for a second: whatever came to it is worked off. */
export async function untilIdle(pid: number): Promise<void> {
  for (;;) {
    const before = cpuSecondsOf(pid)
    await sleep(1000)
    if (cpuSecondsOf(pid) - before <= 2 / TICKS_PER_SECOND) return
  }
}

export function cpuSecondsOf(pid: number): number {
  // The name, in brackets, may hold spaces; utime and stime are the 12th and 13th field behind it (proc_pid_stat(5)).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
