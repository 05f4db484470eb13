/** The connections to the port for reviews: a bounded number, of which those that nobody waits at give way to new ones. */
import type { IncomingMessage } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'

/** HTTP lets a client ask on before it is answered. Go's, which the API server is, never does: one connection must not take all places. */
const MOST_REQUESTS = 8

interface Connection {
  readonly raw: Socket
  /** Begun, and not answered. */
  requests: number
  /** The last that began, until all are answered. */
  last: IncomingMessage | null
}

export class Connections {
  readonly #most: number
  /** The one whose last request began longest ago first. */
  readonly #open = new Set<Connection>()
  readonly #byPeer = new Map<string, Connection>()
  readonly #bySocket = new WeakMap<Socket, Connection>()

  constructor(server: HttpsServer, most: number) {
    this.#most = most
    server.on('connection', (raw: Socket) => this.#opened(raw))
    // TLS makes another socket of it.
    server.on('secureConnection', (socket) => {
      const connection = this.#byPeer.get(peerOf(socket))
      if (connection !== undefined) this.#bySocket.set(socket, connection)
    })
  }

  /** A request begins; false where its connection has too many already. */
  begin(request: IncomingMessage): boolean {
    const connection = this.#bySocket.get(request.socket)
    if (connection === undefined || connection.requests >= MOST_REQUESTS) return false
    connection.requests++
    connection.last = request
    this.#open.delete(connection)
    this.#open.add(connection)
    return true
  }

  end({ socket }: IncomingMessage): void {
    const connection = this.#bySocket.get(socket)
    if (connection !== undefined && --connection.requests === 0) connection.last = null
  }

  #opened(raw: Socket): void {
    const connection: Connection = { raw, requests: 0, last: null }
    const peer = peerOf(raw)
    if (this.#open.size >= this.#most) this.#makeRoom(connection)
    this.#open.add(connection)
    this.#byPeer.set(peer, connection)
    raw.once('close', () => {
      this.#open.delete(connection)
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer)
    })
  }

  /** Idle ones go, and those whose request does not come to an end; where there is none, the new one. */
  #makeRoom(newest: Connection): void {
    for (const connection of this.#open) if (connection.last?.complete !== true) return void this.#end(connection)
    this.#end(newest)
  }

  #end(connection: Connection): void {
    this.#open.delete(connection)
    connection.raw.destroy()
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
