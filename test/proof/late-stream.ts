/** A way to a server on which all that it says arrives so much later: what is asked goes at once. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface LateStream {
  readonly port: number
  stop(): void
}

export async function startLateStream(serverPort: number, lateMs: number): Promise<LateStream> {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1')
    const end = () => [client, upstream].forEach((socket) => void socket.destroy())
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', end).on('close', () => {
        open.delete(socket)
        end()
      })
    }
    client.pipe(upstream)
    // Timers of one length fire in the order in which they were set.
    upstream.on('data', (chunk: Buffer) => void setTimeout(() => client.write(chunk), lateMs))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.close()
      for (const socket of open) socket.destroy()
    }
  }
}
