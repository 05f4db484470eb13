/** A real Chromium without a window, told what to do over its DevTools protocol. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { installChromium } from './binaries.ts'

const PATIENCE_MS = 30_000

export interface View {
  readonly width: number
  readonly height: number
  readonly scheme?: 'light' | 'dark'
  readonly scripts?: boolean
  /** As on a phone: touch, and two pixels for each. */
  readonly phone?: boolean
}

interface Reply {
  readonly id?: number
  readonly sessionId?: string
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: { readonly message: string }
}

export interface Tab {
  /** Resolves when all of the page has been loaded. */
  open(url: string): Promise<void>
  /** The value of an expression in the page. */
  read<T>(expression: string): Promise<T>
  /** Resolves once the expression is true. */
  until(expression: string): Promise<void>
  click(selector: string): Promise<void>
  press(key: string): Promise<void>
  /** Of the whole page, or of what is seen of it; PNG. */
  picture(whole?: boolean): Promise<Buffer>
  /** What the page complained of: errors, and what its policy refused. */
  readonly complaints: readonly string[]
}

export interface Chromium {
  tab(view: View): Promise<Tab>
  close(): Promise<void>
}

export async function startChromium(): Promise<Chromium> {
  const path = await installChromium()
  const profile = mkdtempSync(join(tmpdir(), 'hitless-chromium-'))
  const args = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--hide-scrollbars',
    '--disable-software-rasterizer',
    '--no-zygote'
  ]
  const child = spawn(path, [...args, '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      LD_LIBRARY_PATH: join(dirname(path), 'lib'),
      FONTCONFIG_FILE: join(dirname(path), 'fonts.conf'),
      XDG_CACHE_HOME: profile,
      HOME: profile
    }
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const connection = new Connection(child)
  return {
    tab: (view) => newTab(connection, view),
    close: async () => {
      child.kill('SIGKILL')
      await ended
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

type Listener = (method: string, params: Readonly<Record<string, unknown>>) => void

/** Messages are JSON, each ended by a zero byte: to Chromium by its third descriptor, from it by the fourth. */
class Connection {
  readonly #to: Writable
  readonly #waiting = new Map<number, (reply: Reply) => void>()
  readonly #listeners = new Map<string, Listener>()
  #count = 0

  constructor(child: ChildProcess) {
    this.#to = child.stdio[3] as Writable
    let unread = ''
    ;(child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = `${unread}${text}`.split('\0')
      unread = messages.pop() ?? ''
      for (const message of messages) this.#take(JSON.parse(message))
    })
    child.once('exit', (code) => {
      for (const take of this.#waiting.values()) take({ error: { message: `Chromium ended with ${code}` } })
    })
  }

  #take(reply: Reply): void {
    if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply)
    else this.#listeners.get(reply.sessionId ?? '')?.(reply.method ?? '', reply.params ?? {})
  }

  listen(session: string, listener: Listener): void {
    this.#listeners.set(session, listener)
  }

  async call(method: string, params: object = {}, sessionId?: string): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#count
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#to.write(`${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`)
    })
    this.#waiting.delete(id)
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`)
    return reply.result ?? {}
  }
}

async function newTab(connection: Connection, { width, height, scheme = 'light', scripts = true, phone = false }: View): Promise<Tab> {
  const { targetId } = await connection.call('Target.createTarget', { url: 'about:blank' })
  const session = String((await connection.call('Target.attachToTarget', { targetId, flatten: true }))['sessionId'])
  const call = (method: string, params: object = {}) => connection.call(method, params, session)
  const complaints: string[] = []
  let loaded: () => void = () => undefined
  connection.listen(session, (method, params) => {
    if (method === 'Page.loadEventFired') loaded()
    if (method === 'Log.entryAdded') complaints.push(String((params['entry'] as { text?: string }).text))
    if (method === 'Runtime.exceptionThrown') complaints.push(JSON.stringify(params['exceptionDetails']))
  })
  for (const domain of ['Page', 'Runtime', 'Log']) await call(`${domain}.enable`)
  await call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: phone ? 2 : 1, mobile: phone })
  await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
  await call('Emulation.setScriptExecutionDisabled', { value: !scripts })
  const read = async <T>(expression: string): Promise<T> => {
    const { result } = await call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    return (result as { value: T }).value
  }
  const load = async (start: () => Promise<unknown>) => {
    const done = new Promise<void>((resolve) => {
      loaded = resolve
    })
    await start()
    await done
  }
  return {
    complaints,
    read,
    open: (url) => load(() => call('Page.navigate', { url })),
    until: async (expression) => {
      const deadlineMs = performance.now() + PATIENCE_MS
      while ((await read<boolean>(expression).catch(() => false)) !== true) {
        if (performance.now() > deadlineMs) throw new Error(`never true: ${expression}`)
        await sleep(50)
      }
    },
    click: (selector) => load(() => read(`document.querySelector(${JSON.stringify(selector)}).click()`)),
    press: async (key) => {
      const text = key.length === 1 ? key : key === 'Enter' ? '\r' : undefined
      for (const type of ['keyDown', 'keyUp'])
        await call('Input.dispatchKeyEvent', { type, key, ...(type === 'keyDown' && text ? { text } : {}) })
    },
    picture: async (whole = false) =>
      Buffer.from(String((await call('Page.captureScreenshot', { format: 'png', captureBeyondViewport: whole }))['data']), 'base64')
  }
}
