/** Who may ask for reviews: anybody who reaches the port, or only clients with a certificate of an authority that is named. */
import { X509Certificate } from 'node:crypto'
import type { Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { FastifyInstance } from 'fastify'
import { HitlessError } from '../errors.ts'

export interface Clients {
  /** PEM of the authority, or of several. */
  readonly authority: string
  /** One of these must be the certificate's common name or a DNS name of it; empty: any certificate will do. */
  readonly names: readonly string[]
}

/** Throws HITLESS_CERTIFICATE where `authority` is no certificate: TLS itself would go on without one and refuse everybody. */
export function clientsOf(authority: string, names: readonly string[]): Clients {
  try {
    new X509Certificate(authority)
  } catch (cause) {
    throw new HitlessError('HITLESS_CERTIFICATE', 'the authority of clients is no certificate', { cause })
  }
  return { authority, names }
}

/** Has TLS refuse whoever shows no certificate of the authority. */
export function clientChecks(clients: Clients | null) {
  return clients === null ? {} : { ca: clients.authority, requestCert: true, rejectUnauthorized: true }
}

/** The client has shown a certificate of the authority. */
export function hasCertificate(socket: Socket): boolean {
  return socket instanceof TLSSocket && socket.authorized
}

/** Refuses clients with another name before their request is read. */
export function requireName(app: FastifyInstance<HttpsServer>, clients: Clients | null): void {
  if (clients === null || clients.names.length === 0) return
  app.addHook('onRequest', (request, _reply, done) => {
    const { socket } = request.raw
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
    const isNamed = (name: string) => certificate?.checkHost(name, { subject: 'always', wildcards: false }) !== undefined
    if (clients.names.some(isNamed)) return done()
    done(new HitlessError('HITLESS_CLIENT', 'the certificate of the client has none of the names in server.clientNames'))
  })
}
