/** The webhook as processes see it: a TLS port for reviews, a plain one for probes and metrics. */
import type { Server as HttpsServer } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SecureVersion } from 'node:tls'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController, type RawServerBase } from 'fastify'
import { HitlessError } from '../errors.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Health } from '../mesh/snapshot/state.ts'
import type { Change } from '../review/change.ts'
import type { Decision, Reviewer } from '../review/decision.ts'
import { admission } from './admission.ts'
import { type Clients, clientChecks, requireName } from './clients.ts'
import { answerProbe, type Page } from './health.ts'
import { InFlight } from './in-flight.ts'
import { type IntakeLimits, intake } from './intake.ts'
import type { Metrics } from './metrics.ts'
import { type Probes, startProbes } from './probes.ts'
import { refusals, refuseBytes } from './replies.ts'

/** The API server closes idle connections after 90 s (Go's transport, IdleConnTimeout): ours must live longer, or a request meets a closing one. */
const KEEP_ALIVE_MS = 95_000
/** The API server sends a review at once, in one piece: a client that takes longer is none. */
const HEADERS_MS = 5_000
const REQUEST_MS = 10_000
/** After the drain time nothing can be in flight for longer than the longest deadline (ValidatingWebhook.timeoutSeconds). */
const LAST_ANSWERS_MS = 30_000

/** PEM texts, wherever they come from. */
export interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface ServerOptions extends IntakeLimits {
  readonly reviewer: Reviewer
  readonly snapshot: () => Snapshot
  /** Told of each write that was refused, or would have been. */
  readonly onRefusal?: (change: Change, decision: Decision) => void
  /** Told of each write that begins (1) or ceases (-1) to be held. */
  readonly onHeld?: (change: Change, held: 1 | -1) => void
  /** The page on the port for probes; there is none where absent. */
  readonly lookedAt?: Page | null
  readonly health: () => Health
  readonly metrics: Metrics
  readonly log: FastifyBaseLogger
  readonly tls: KeyPair
  /** Whose certificates are asked for on the port for reviews; anybody may ask where absent. */
  readonly clients?: Clients | null
  /** Reviews are remembered whoever sends them, as where they are played on an embedded cluster; else only those of `clients`. */
  readonly believesAnybody?: boolean
  /** TLSv1.3 where absent. */
  readonly minTlsVersion?: SecureVersion
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  readonly healthHost: string
  readonly healthPort: number
  readonly maxInFlight: number
  /** CPU time of one turn of the event loop after which the process ends, to be started anew. */
  readonly maxTurnMs: number
  /** How long requests go on being answered after `close()` was called. */
  readonly drainMs: number
  /** How long a client may take for a handshake and for its headers; twice that for a whole request. */
  readonly headersMs?: number
}

export interface Server {
  readonly port: number
  readonly healthPort: number
  /** Serves a new pair from the next handshake on; throws HITLESS_CERTIFICATE, and keeps the old one, where it cannot be served. */
  setCertificate(pair: KeyPair): void
  /** Fails readiness, answers what still comes for the drain time with `Connection: close`, then ends. */
  close(): Promise<void>
}

/** Listens on both ports. The end of `signal` closes the server as `close()` does. */
export async function startServer(options: ServerOptions, signal?: AbortSignal): Promise<Server> {
  let closed: Promise<void> | null = null
  const isDraining = () => closed !== null
  const inFlight = new InFlight(options.metrics.inFlight, Math.floor(options.maxConnections / 2))
  const probes = await startProbes({
    host: options.healthHost,
    port: options.healthPort,
    maxTurnMs: options.maxTurnMs,
    answer: (probe) =>
      answerProbe(probe, { health: options.health, registry: options.metrics.registry, isDraining, page: options.lookedAt ?? null })
  })
  const reviews = await listening(options, inFlight, probes, isDraining)
  const close = () => (closed ??= drain(reviews, probes, inFlight, options.drainMs))
  signal?.addEventListener('abort', close, { once: true })
  return {
    port: portOf(reviews),
    healthPort: probes.port,
    setCertificate: (pair) => servable(() => reviews.server.setSecureContext(tlsOptions(options, pair))),
    close
  }
}

/** The app on its port; where that cannot be, nothing is left listening. */
async function listening(
  options: ServerOptions,
  inFlight: InFlight,
  probes: Probes,
  isDraining: () => boolean
): Promise<FastifyInstance<HttpsServer>> {
  try {
    const app = reviewApp(options, inFlight, probes, isDraining)
    await listen(app, options.host, options.port)
    return app
  } catch (error) {
    await probes.close()
    throw error
  }
}

function reviewApp(
  options: ServerOptions,
  inFlight: InFlight,
  { turnTo }: Probes,
  isDraining: () => boolean
): FastifyInstance<HttpsServer> {
  const { log, tls, metrics, headersMs = HEADERS_MS } = options
  const app = servable(() =>
    Fastify<HttpsServer>({
      https: {
        ...tlsOptions(options, tls),
        handshakeTimeout: headersMs,
        headersTimeout: headersMs,
        // Node looks for late clients only this often, every 30 s unless told.
        connectionsCheckingInterval: Math.min(headersMs, 1000)
      },
      requestTimeout: options.headersMs === undefined ? REQUEST_MS : headersMs * 2,
      keepAliveTimeout: KEEP_ALIVE_MS,
      loggerInstance: log,
      logController: new LogController({ disableRequestLogging: true }),
      // What is logged of a review names it by its uid: no logger is made for each.
      childLoggerFactory: (logger) => logger,
      // While draining, requests of kept-alive connections are answered, not refused.
      return503OnClosing: false,
      clientErrorHandler: (error, socket) => refuseBytes(error, socket, metrics)
    })
  )
  intake(app, options)
  refusals(app, metrics)
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (isDraining()) reply.header('connection', 'close')
    done(null, payload)
  })
  requireName(app, options.clients ?? null)
  admission(app, { ...options, inFlight, turnTo })
  return app
}

/** Idle connections end last: one that a request is just coming in on would lose it. */
async function drain(reviews: FastifyInstance<HttpsServer>, probes: Probes, inFlight: InFlight, drainMs: number): Promise<void> {
  await sleep(drainMs)
  const closing = reviews.close()
  await Promise.race([inFlight.empty(), sleep(LAST_ANSWERS_MS, undefined, { ref: false })])
  // Node does not take a connection that never sent a request for an idle one, and would wait for it.
  reviews.server.closeAllConnections()
  // Nor one whose handshake ends only now: nobody would look after it any more.
  reviews.server.on('secureConnection', (socket) => socket.destroy())
  await closing
  await probes.close()
}

async function listen<S extends RawServerBase>(app: FastifyInstance<S>, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (cause) {
    throw new HitlessError('HITLESS_LISTEN', `cannot listen on ${host} port ${port}`, { cause })
  }
}

function servable<T>(serve: () => T): T {
  try {
    return serve()
  } catch (cause) {
    throw new HitlessError('HITLESS_CERTIFICATE', 'the certificate and its key cannot be served', { cause })
  }
}

function tlsOptions({ minTlsVersion = 'TLSv1.3', clients = null }: ServerOptions, { certificate, key }: KeyPair) {
  return { cert: certificate, key, minVersion: minTlsVersion, ...clientChecks(clients) }
}

function portOf<S extends RawServerBase>(app: FastifyInstance<S>): number {
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  return address.port
}
