/** Stands between a replica and the API server: watches are late, everything else passes at once. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, type Dispatcher, request } from 'undici'

export interface SlowWatches {
  readonly url: string
  /** Paths of the requests that were not watches, in their order. */
  readonly reads: readonly string[]
  close(): Promise<void>
}

/** Each piece of a watch waits as long as `delayMs` says when it comes, and for those before it; the order stays. */
export async function startSlowWatches(plane: { url: string; ca: string; token: string }, delayMs: () => number): Promise<SlowWatches> {
  const agent = new Agent({ connect: { ca: plane.ca }, allowH2: false, bodyTimeout: 0 })
  const reads: string[] = []
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const path = incoming.url ?? ''
    const isWatch = path.includes('watch=true')
    if (!isWatch) reads.push(path)
    const gone = new AbortController()
    outgoing.once('close', () => gone.abort())
    const { statusCode, headers, body } = await request(plane.url + path, {
      dispatcher: agent,
      method: (incoming.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: { ...passedOn(incoming), authorization: `Bearer ${plane.token}` },
      body: incoming.method === 'GET' ? null : incoming,
      signal: gone.signal
    })
    outgoing.writeHead(statusCode, { 'content-type': String(headers['content-type']) })
    outgoing.flushHeaders()
    let last = Promise.resolve()
    let dueMs = 0
    for await (const chunk of body) {
      if (isWatch) dueMs = Math.max(dueMs, performance.now() + delayMs())
      const waitMs = dueMs - performance.now()
      last = Promise.all([last, waitMs > 0 ? sleep(waitMs, undefined, { ref: false }) : null]).then(() => void outgoing.write(chunk))
    }
    await last
    outgoing.end()
  }
  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    reads,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await agent.destroy()
    }
  }
}

function passedOn({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    ['accept', 'content-type'].flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]]] : []))
  )
}
