/** The webhook as processes see it: a TLS port for reviews, a plain one for probes and metrics. */
import type { Server as HttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance } from 'fastify'
import type { KeyPair } from '../certificates/self-signed.ts'
import { HitlessError } from '../errors.ts'
import type { Snapshot } from '../mesh/snapshot.ts'
import type { Health } from '../mesh/state.ts'
import type { Reviewer } from '../review/decision.ts'
import { admission } from './admission.ts'
import { health } from './health.ts'
import type { Metrics } from './metrics.ts'

/** A review holds object and oldObject, each at most 3 MiB (the API server's MaxRequestBodyBytes); 1 MiB more for the envelope and escapes. */
const BODY_LIMIT = 7 * 1024 * 1024
/** The API server closes idle connections after 90 s (k8s.io/apiserver, webhook transport): ours must live longer, or a request meets a closing one. */
const KEEP_ALIVE_MS = 95_000
const HEADERS_MS = 10_000
const REQUEST_MS = 30_000

export interface ServerOptions {
  readonly reviewer: Reviewer
  readonly snapshot: () => Snapshot
  readonly health: () => Health
  readonly metrics: Metrics
  readonly log: FastifyBaseLogger
  readonly tls: KeyPair
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly healthHost: string
  readonly healthPort: number
  readonly maxInFlight: number
  /** How long requests go on being answered after `close()` was called. */
  readonly drainMs: number
  /** How long a client may take for its headers and for a request; for tests with slow clients. */
  readonly headersMs?: number
}

export interface Server {
  readonly port: number
  readonly healthPort: number
  /** Serves a new pair from the next handshake on; throws, and keeps the old one, where the two do not belong together. */
  setCertificate(pair: KeyPair): void
  /** Fails readiness, answers what still comes for the drain time with `Connection: close`, then ends. */
  close(): Promise<void>
}

export async function startServer(options: ServerOptions): Promise<Server> {
  let draining = false
  const reviews = reviewApp(options, () => draining)
  admission(reviews, options)
  const probes = Fastify({ loggerInstance: options.log, disableRequestLogging: true })
  health(probes, { health: options.health, isDraining: () => draining, metrics: options.metrics })
  await reviews.listen({ host: options.host, port: options.port })
  await probes.listen({ host: options.healthHost, port: options.healthPort })
  return {
    port: portOf(reviews),
    healthPort: portOf(probes),
    setCertificate: (pair) => (reviews.server as HttpsServer).setSecureContext(tlsOptions(pair)),
    async close() {
      draining = true
      if (options.drainMs > 0) await new Promise((resolve) => setTimeout(resolve, options.drainMs))
      await reviews.close()
      await probes.close()
    }
  }
}

function reviewApp(options: ServerOptions, isDraining: () => boolean): FastifyInstance {
  const { log, tls, metrics, headersMs = HEADERS_MS } = options
  const app = Fastify({
    https: { ...tlsOptions(tls), headersTimeout: headersMs, connectionsCheckingInterval: Math.min(headersMs, 1000) },
    loggerInstance: log,
    disableRequestLogging: true,
    bodyLimit: BODY_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: Math.min(REQUEST_MS, headersMs * 3),
    // While draining, requests of kept-alive connections are answered, not refused.
    return503OnClosing: false,
    forceCloseConnections: 'idle'
  }) as unknown as FastifyInstance
  // Fastify's own parser refuses objects with keys such as __proto__, which are legitimate data here and never merged into anything.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    if (body.length === 0) return done(new HitlessError('HITLESS_EMPTY_BODY', 'the request has no body'))
    try {
      done(null, JSON.parse(String(body)))
    } catch (cause) {
      done(new HitlessError('HITLESS_BAD_JSON', 'the body is no JSON', { cause }))
    }
  })
  app.addHook('onRequest', async (request, reply) => {
    if (isDraining()) reply.header('connection', 'close')
    if (request.method === 'POST' && request.headers['content-type'] === undefined) {
      const empty = request.headers['content-length'] === '0' || request.headers['content-length'] === undefined
      throw empty
        ? new HitlessError('HITLESS_EMPTY_BODY', 'the request has no body')
        : new HitlessError('HITLESS_CONTENT_TYPE', 'the request has no content type; expected application/json')
    }
  })
  app.setNotFoundHandler((request) => {
    throw new HitlessError(
      'HITLESS_NOT_FOUND',
      `there is nothing at ${request.method} ${request.url.slice(0, 200)}; reviews go to POST /validate`
    )
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const coded = codedError(error)
    metrics.failed(coded.code)
    if (coded.http >= 500) request.log.error({ err: error }, coded.message)
    return reply.code(coded.http).send({ code: coded.code, message: coded.message })
  })
  return app
}

function codedError(error: FastifyError): HitlessError {
  if (error instanceof HitlessError) return error
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new HitlessError('HITLESS_TOO_LARGE', `the request is larger than ${BODY_LIMIT} bytes`, { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new HitlessError('HITLESS_CONTENT_TYPE', 'expected content type application/json', { cause: error })
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new HitlessError('HITLESS_EMPTY_BODY', 'the request has no body', { cause: error })
    default:
      if (error.statusCode !== undefined && error.statusCode < 500)
        return new HitlessError('HITLESS_BAD_JSON', error.message, { cause: error })
      return new HitlessError('HITLESS_NOT_JUDGED', 'the review could not be judged', { cause: error })
  }
}

function tlsOptions({ certificate, key }: KeyPair) {
  return { cert: certificate, key, minVersion: 'TLSv1.3' as const }
}

function portOf(app: FastifyInstance): number {
  return (app.server.address() as AddressInfo).port
}
