/** Whether a client that trusts what the API server trusts would accept what is served: asked by a handshake. */
import { connect } from 'node:tls'

const HANDSHAKE_MS = 2_000

export interface Dialled {
  readonly host: string
  readonly port: number
  /** The name that the certificate must be for. */
  readonly servername: string
  /** PEM of the authorities that are trusted. */
  readonly bundle: string
}

/** Null where the handshake ends well; else what is wrong. */
export function dial({ host, port, servername, bundle }: Dialled): Promise<string | null> {
  return new Promise((resolve) => {
    const end = (problem: string | null) => {
      socket.destroy()
      resolve(problem)
    }
    const socket = connect({ host, port, servername, ca: bundle, timeout: HANDSHAKE_MS }, () => end(null))
    socket.once('timeout', () => end(`no handshake within ${HANDSHAKE_MS} ms`))
    socket.once('error', (error) => end(error.message))
  })
}
