/** `hitless serve` as a process of its own, with the heap of a small Pod, and sockets to it that do what no API server does. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect, type TLSSocket } from 'node:tls'

const ROOT = join(import.meta.dirname, '../..')
const ADDRESSES = ['--host', '127.0.0.1', '--port', '0', '--health-host', '127.0.0.1', '--health-port', '0', '--drain', '0']

export interface Served {
  readonly healthPort: number
  /** What it wrote to its log so far. */
  log(): string
  /** Resolves with the signal or code that it ended with. */
  readonly ended: Promise<number | string>
  running(): boolean
  /** Seconds of CPU time of all its threads. */
  cpuSeconds(): number
  /** The most memory that it ever had, by the kernel's account. */
  peakMb(): number
  /** A connection after its handshake. */
  connect(): Promise<TLSSocket>
  /** A request on a connection of its own. */
  post(body: string | Buffer): Promise<string>
}

type After = { testdir(): string; teardown(end: () => Promise<unknown>): unknown }

/** Serves the guide's world; the process ends with the test. */
export async function serve(t: After, config = '', nodeFlags: readonly string[] = ['--max-old-space-size=512']): Promise<Served> {
  const folder = t.testdir()
  const [caFile, configFile] = [join(folder, 'ca.pem'), join(folder, 'config.yaml')]
  writeFileSync(configFile, `apiVersion: hitless.io/v1\nkind: Config\n${config}`)
  const args = ['serve', '--sandbox', join(ROOT, 'examples/helloworld/world'), ...ADDRESSES, '--config', configFile, '--write-ca', caFile]
  const child = spawn(process.execPath, [...nodeFlags, '--max-semi-space-size=4', join(ROOT, 'src/main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  const ended = new Promise<number | string>((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code ?? 0)))
  t.teardown(() => {
    child.kill('SIGKILL')
    return ended
  })
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => [log])])
  const [, port, healthPort] = /:(\d+)\/validate.*:(\d+)$/.exec(String(line)) ?? []
  if (port === undefined) throw new Error(`hitless did not start: ${line}`)
  const ca = readFileSync(caFile)
  const proc = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, 'utf8')
  const sockets = socketsTo(Number(port), ca)
  return {
    healthPort: Number(healthPort),
    log: () => log,
    ended,
    running: () => child.exitCode === null && child.signalCode === null,
    cpuSeconds: () => {
      const [user = '', system = ''] = proc('stat')
        .replace(/^.*\) /s, '')
        .split(' ')
        .slice(11, 13)
      return (Number(user) + Number(system)) / 100
    },
    peakMb: () => Number(/^VmHWM:\s+(\d+) kB$/m.exec(proc('status'))?.[1]) / 1000,
    ...sockets
  }
}

/** What a stranger does who reaches the port. */
export function socketsTo(port: number, ca: string | Buffer): Pick<Served, 'connect' | 'post'> {
  const open = async () => {
    const socket = connect({ host: '127.0.0.1', port, ca })
    await once(socket, 'secureConnect')
    // What ends a connection is seen by its end.
    return socket.on('error', () => undefined)
  }
  return {
    connect: open,
    async post(body) {
      const socket = await open()
      socket.write(`${head(Buffer.byteLength(body))}`)
      socket.write(body)
      return answerOn(socket)
    }
  }
}

/** Requests of so many bytes, each on a connection of its own, none of which comes to its end. */
export async function withoutEnd({ connect }: Pick<Served, 'connect'>, count: number, bytes: number): Promise<Promise<string>[]> {
  const body = Buffer.alloc(bytes, ' ')
  const answers: Promise<string>[] = []
  for (let at = 0; at < count; at++) {
    const socket = await connect()
    answers.push(answerOn(socket))
    socket.write(head(body.length + 1))
    if (!socket.write(body)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
  }
  return answers
}

export function head(length: number, more = ''): string {
  return `POST /validate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${more}content-length: ${length}\r\n\r\n`
}

/** The first answer; '' where the connection ends without one. */
export async function answerOn(socket: TLSSocket): Promise<string> {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
    const [, headers = '', body = ''] = /^(.*?\r\n)\r\n(.*)$/s.exec(text) ?? []
    const length = /^content-length: (\d+)\r$/im.exec(headers)?.[1]
    if (length !== undefined && Buffer.byteLength(body) >= Number(length)) socket.destroy()
  })
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve))
  return text
}
