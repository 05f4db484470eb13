/** Requests at a constant rate, whatever becomes of them, each with what it got and when. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { PORTS, type ProxyKind } from './addresses.ts'
import { VERSION_HEADER } from './containers.ts'

const DEADLINE_MS = 60_000
const TICK_MS = 5
/** To each proxy: so many that a slow machine does not make requests wait for one another, and that each of twenty proxies gets some. */
const CONNECTIONS = 64

/** Requests that are alike, and by which proxy they go. */
export interface LoadClass {
  readonly name: string
  readonly proxy: ProxyKind
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly loadClass: LoadClass
  /** When it was to be sent, by `performance.now()` like every time here; it is sent later where this process was kept waiting. */
  readonly dueMs: number
  readonly sentMs: number
  readonly answeredMs: number
  /** 0 where the connection broke. */
  readonly status: number
  /** Of the Pod that answered; '' for an answer by the proxy itself. */
  readonly version: string
}

export interface LoadOptions {
  readonly host: string
  readonly classes: readonly LoadClass[]
  /** Over all classes. */
  readonly perSecond: number
}

export interface Load {
  /** In the order in which they came. */
  readonly answers: readonly Answer[]
  /** Resolves when each class has so many answers to requests sent from then on. */
  answered(sinceMs: number, perClass: number): Promise<void>
  /** Resolves when the last request was answered. */
  stop(): Promise<void>
}

export function startLoad({ host, classes, perSecond }: LoadOptions): Load {
  const pools = new Map(
    [...new Set(classes.map(({ proxy }) => proxy))].map((proxy) => [
      proxy,
      new Pool(`http://127.0.0.1:${PORTS[proxy]}`, { connections: CONNECTIONS })
    ])
  )
  const answers: Answer[] = []
  const startedMs = performance.now()
  let sent = 0

  const send = async (loadClass: LoadClass, dueMs: number) => {
    const { proxy, path = '/', headers = {} } = loadClass
    const sentMs = performance.now()
    const answer = await pools
      .get(proxy)
      ?.request({ method: 'GET', path, headers: { ...headers, host }, headersTimeout: 10_000 })
      .catch(() => undefined)
    await answer?.body.dump().catch(() => undefined)
    const version = String(answer?.headers[VERSION_HEADER] ?? '')
    answers.push({ loadClass, dueMs, sentMs, answeredMs: performance.now(), status: answer?.statusCode ?? 0, version })
  }
  const tick = () => {
    for (const due = ((performance.now() - startedMs) * perSecond) / 1000; sent < due; sent += 1) {
      const loadClass = classes[sent % classes.length]
      if (loadClass !== undefined) void send(loadClass, startedMs + (sent * 1000) / perSecond)
    }
  }
  const timer = setInterval(tick, TICK_MS)

  return {
    answers,
    answered: async (sinceMs, perClass) => {
      const deadline = performance.now() + DEADLINE_MS
      while (fewest(answers, classes, sinceMs) < perClass) {
        if (performance.now() > deadline) throw new Error(`fewer than ${perClass} requests of a class were answered in ${DEADLINE_MS} ms`)
        await sleep(20)
      }
    },
    stop: async () => {
      clearInterval(timer)
      const deadline = performance.now() + DEADLINE_MS
      while (answers.length < sent && performance.now() < deadline) await sleep(10)
      await Promise.all([...pools.values()].map((pool) => pool.close()))
    }
  }
}

export function isFailure({ status }: Answer): boolean {
  return status !== 200
}

/** Of the class with the fewest answers to requests sent since then: how many. Answers stand in the order in which they came, so the last decide. */
function fewest(answers: readonly Answer[], classes: readonly LoadClass[], sinceMs: number): number {
  const counts = new Map(classes.map(({ name }) => [name, 0]))
  for (let at = answers.length - 1; at >= 0; at -= 1) {
    const answer = answers[at]
    if (answer === undefined || answer.answeredMs < sinceMs) break
    if (answer.sentMs >= sinceMs) counts.set(answer.loadClass.name, (counts.get(answer.loadClass.name) ?? 0) + 1)
  }
  return Math.min(...counts.values())
}
