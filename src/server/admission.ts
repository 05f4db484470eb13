/** POST /validate: an AdmissionReview in, an AdmissionReview out. */
import type { FastifyInstance } from 'fastify'
import { parseReview, respond } from '../admission/review.ts'
import { HitlessError } from '../errors.ts'
import { formatRef } from '../mesh/objects.ts'
import type { Snapshot } from '../mesh/snapshot.ts'
import type { Change } from '../review/change.ts'
import { ADMITTED } from '../review/decide.ts'
import type { Decision, Reviewer } from '../review/decision.ts'
import { deadlineMs } from './deadline.ts'
import type { Metrics } from './metrics.ts'

export interface AdmissionOptions {
  readonly reviewer: Reviewer
  readonly snapshot: () => Snapshot
  readonly metrics: Metrics
  readonly maxInFlight: number
}

const RESPONSE = {
  type: 'object',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    response: {
      type: 'object',
      properties: {
        uid: { type: 'string' },
        allowed: { type: 'boolean' },
        status: {
          type: 'object',
          properties: { code: { type: 'integer' }, reason: { type: 'string' }, message: { type: 'string' } }
        },
        warnings: { type: 'array', items: { type: 'string' } },
        auditAnnotations: { type: 'object', additionalProperties: { type: 'string' } }
      }
    }
  }
}

/** Answers reviews; more than `maxInFlight` at once get 503, and the failurePolicy of the webhook decides about those writes. */
export function admission(app: FastifyInstance, { reviewer, snapshot, metrics, maxInFlight }: AdmissionOptions): void {
  let inFlight = 0
  app.post<{ Querystring: { timeout?: string } }>('/validate', { schema: { response: { 200: RESPONSE } } }, async (request, reply) => {
    if (inFlight >= maxInFlight) {
      reply.header('retry-after', '1')
      throw new HitlessError('HITLESS_BUSY', `${maxInFlight} reviews are in flight`)
    }
    const started = performance.now()
    inFlight++
    metrics.inFlight(1)
    try {
      const { uid, change, warnings } = parseReview(request.body, snapshot())
      const signal = AbortSignal.timeout(deadlineMs(request.query.timeout))
      const decision = change === null ? { ...ADMITTED, warnings } : await judge(reviewer, change, signal)
      metrics.reviewed(change, decision, (performance.now() - started) / 1000)
      if (decision.verdict === 'deny' && change !== null) request.log.info(denialOf(change, decision), 'denied')
      return respond(uid, decision)
    } finally {
      inFlight--
      metrics.inFlight(-1)
    }
  })
  app.all('/validate', () => {
    throw new HitlessError('HITLESS_METHOD', 'reviews are sent by POST')
  })
}

async function judge(reviewer: Reviewer, change: Change, signal: AbortSignal): Promise<Decision> {
  try {
    return await reviewer(change, signal)
  } catch (cause) {
    throw new HitlessError('HITLESS_NOT_JUDGED', `${formatRef(change.ref)} could not be judged`, { cause })
  }
}

/** Names and rules, never a body. */
function denialOf(change: Change, decision: Decision): Record<string, unknown> {
  return {
    object: formatRef(change.ref),
    operation: change.operation,
    user: change.author.username,
    dryRun: change.dryRun,
    rules: [...new Set(decision.findings.map(({ rule }) => rule))]
  }
}
