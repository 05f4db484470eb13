/** One address in front of several webhook processes, which answer by turns. */
import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'

export interface Turns {
  readonly port: number
  /** Which process got the last request. */
  last(): number
  close(): void
}

/** Go, which the API server is, keeps an idle connection for 90 s: where the other end closes it before, a request that is just sent is lost. */
export const KEEP_ALIVE_MS = 95_000

/** A balancer of connections would give every review to one process: the API server keeps its connection. So this one looks at requests. */
export async function startTurns(
  tls: { cert: string; key: string },
  ca: string,
  ports: readonly number[],
  /** An answer of a process is passed on when this resolves. */
  answered: (process: number) => Promise<unknown> = async () => undefined,
  /** By which it is known for the API server. */
  client: { readonly cert: string; readonly key: string } | null = null
): Promise<Turns> {
  const agent = new https.Agent({ ca, keepAlive: true, ...client })
  let last = -1
  const server = https.createServer({ ...tls, keepAliveTimeout: KEEP_ALIVE_MS }, (incoming, outgoing) => {
    last = (last + 1) % ports.length
    const process = last
    const { method = 'POST', url = '/', headers } = incoming
    const onward = https.request({ host: '127.0.0.1', port: ports[process], method, path: url, headers, agent }, (answer) => {
      answered(process).then(
        () => {
          outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
          answer.pipe(outgoing)
        },
        () => outgoing.destroy()
      )
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    last: () => last,
    close: () => {
      server.closeAllConnections()
      server.close()
      agent.destroy()
    }
  }
}
