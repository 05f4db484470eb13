/** How requests come in: connections and bodies within their bounds, and JSON made of what was read. */
import type { Server as HttpsServer } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { HitlessError } from '../errors.ts'
import { Bodies } from './bodies.ts'
import { Connections } from './connections.ts'
import { parseJson } from './json.ts'

export interface IntakeLimits {
  readonly maxConnections: number
  /** Of all bodies that are in memory. */
  readonly maxBodyBytes: number
}

/** Refuses what is beyond the limits, each with the connection that it came on. */
export function intake(app: FastifyInstance<HttpsServer>, { maxConnections, maxBodyBytes }: IntakeLimits): void {
  const connections = new Connections(app.server, maxConnections)
  const bodies = new Bodies(maxBodyBytes)
  app.addHook('onRequest', ({ raw }, reply, done) => {
    if (!connections.begin(raw)) return done(new HitlessError('HITLESS_PIPELINED', 'the connection has requests in flight already'))
    reply.raw.once('close', () => {
      connections.end(raw)
      bodies.release(raw)
    })
    // The API server compresses nothing that it sends.
    if (raw.headers['content-encoding'] === undefined) return done()
    done(new HitlessError('HITLESS_CONTENT_TYPE', 'expected a body that is not compressed'))
  })
  app.removeAllContentTypeParsers()
  // Fastify's own refuses objects with keys such as `__proto__`, which are legitimate data here and never merged into anything.
  app.addContentTypeParser('application/json', ({ raw }, _payload, done) => {
    bodies.read(raw, (error, bytes) => (bytes === undefined ? done(error) : parsed(bytes, done)))
  })
}

function parsed(bytes: Buffer, done: (error: Error | null, body?: unknown) => void): void {
  try {
    done(null, bytes.length === 0 ? undefined : parseJson(bytes))
  } catch (error) {
    if (!(error instanceof HitlessError)) throw error
    done(error)
  }
}
