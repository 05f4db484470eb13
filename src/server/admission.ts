/** POST /validate: an AdmissionReview in, an AdmissionReview out. */
import type { Server as HttpsServer } from 'node:https'
import type { FastifyInstance } from 'fastify'
import { refuseProbe } from '../admission/probe.ts'
import { parseReview, RESPONSE_SCHEMA, respond } from '../admission/review.ts'
import { HitlessError } from '../errors.ts'
import { formatRef } from '../kinds/index.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Change } from '../review/change.ts'
import { ADMITTED } from '../review/decide.ts'
import { type Asker, type Decision, type Reviewer, refusedBy } from '../review/decision.ts'
import { line } from '../review/message.ts'
import { hasCertificate } from './clients.ts'
import { deadlineMs } from './deadline.ts'
import type { InFlight } from './in-flight.ts'
import type { Metrics } from './metrics.ts'

export interface AdmissionOptions {
  readonly reviewer: Reviewer
  readonly snapshot: () => Snapshot
  readonly metrics: Metrics
  readonly inFlight: InFlight
  readonly maxInFlight: number
  /** Told of each write that was refused, or would have been. */
  readonly onRefusal?: (change: Change, decision: Decision) => void
  /** Told of each write that begins (1) or ceases (-1) to be held. */
  readonly onHeld?: (change: Change, held: 1 | -1) => void
  /** Told the object of each review that is judged. */
  readonly turnTo: (work: string) => void
  /** Reviews are remembered whoever sends them; else only those of a client with a certificate. */
  readonly believesAnybody?: boolean
}

/** Answers reviews; more than `maxInFlight` at once get 503, and the failurePolicy of the webhook decides about those writes. */
export function admission(app: FastifyInstance<HttpsServer>, options: AdmissionOptions): void {
  const { reviewer, snapshot, metrics, inFlight, maxInFlight, onRefusal, onHeld, turnTo, believesAnybody = false } = options
  app.route<{ Querystring: { timeout?: unknown } }>({
    method: 'POST',
    url: '/validate',
    schema: { response: { 200: RESPONSE_SCHEMA } },
    onRequest(_request, reply, done) {
      inFlight.add(reply.raw)
      done()
    },
    async handler(request, reply) {
      if (request.body === undefined) throw new HitlessError('HITLESS_EMPTY_BODY', 'the request has no body')
      if (inFlight.count >= maxInFlight) throw new HitlessError('HITLESS_BUSY', `${maxInFlight} reviews are in flight already`)
      inFlight.judge(reply.raw)
      const refusal = refuseProbe(request.body)
      if (refusal !== null) return refusal
      const { uid, change, warnings } = parseReview(request.body, snapshot())
      if (change !== null) turnTo(formatRef(change.ref))
      // Not needed for as long as the judgement takes, and many times larger than its text.
      request.body = undefined
      const deadline = deadlineMs(request.query.timeout)
      const isBelieved = believesAnybody || hasCertificate(request.raw.socket)
      const asker: Asker = {
        isBelieved,
        remainingMs: () => deadline - reply.elapsedTime,
        held: (held) => {
          inFlight.hold(held)
          if (change !== null) onHeld?.(change, held)
        }
      }
      const decision =
        change === null
          ? { ...ADMITTED, ...(warnings.length > 0 ? { outcome: 'unjudged' as const } : {}), warnings }
          : await inTime(asker.remainingMs(), reply.raw, (signal) => judge(reviewer, change, signal, asker))
      metrics.reviewed(change, decision, reply.elapsedTime / 1000)
      const refusing = refusedBy(decision)
      if (change !== null && refusing.length > 0) {
        request.log.info(logged(uid, change, refusing, reply.elapsedTime), decision.observed ? 'would be denied' : 'denied')
        onRefusal?.(change, decision)
      }
      if (change !== null && decision.exempted.length > 0) {
        const reason = shown(decision.auditAnnotations['exemption-reason'] ?? '')
        request.log.warn({ ...logged(uid, change, decision.exempted, reply.elapsedTime), reason }, 'exempted')
      }
      return respond(uid, decision)
    }
  })
}

/** Rejects when the deadline is over or the client has gone, whatever `work` does; the signal tells `work` so. */
function inTime<T>(deadline: number, client: NodeJS.EventEmitter, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ended = new AbortController()
  return new Promise<T>((resolve, reject) => {
    const end = (reason: string) => {
      const error = new HitlessError('HITLESS_NOT_JUDGED', reason)
      settle()
      reject(error)
      ended.abort(error)
    }
    const gone = () => end('the API server went away before the answer')
    const timer = setTimeout(end, Math.max(deadline, 0), 'no judgement before the deadline of the API server')
    const settle = () => {
      clearTimeout(timer)
      client.off('close', gone)
    }
    client.once('close', gone)
    work(ended.signal).finally(settle).then(resolve, reject)
  })
}

async function judge(reviewer: Reviewer, change: Change, signal: AbortSignal, asker: Asker): Promise<Decision> {
  try {
    return await reviewer(change, signal, asker)
  } catch (cause) {
    if (cause instanceof HitlessError) throw cause
    throw new HitlessError('HITLESS_NOT_JUDGED', `${shown(formatRef(change.ref))} could not be judged`, { cause })
  }
}

/** Names and rules, never a body. */
function logged(uid: string, { ref, operation, author, dryRun }: Change, rules: readonly string[], ms: number): Record<string, unknown> {
  const durationMs = Math.round(ms * 10) / 10
  return {
    uid: shown(uid),
    object: shown(formatRef(ref)),
    operation,
    user: shown(author.username),
    dryRun,
    rules,
    durationMs
  }
}

/** What others wrote: its first KiB, on one line. */
function shown(text: string): string {
  return line(text, '')
}
