/** /livez, /readyz and /metrics, on a port of their own: plain HTTP, never reached by reviews. */
import type { FastifyInstance } from 'fastify'
import type { Health } from '../mesh/state.ts'
import type { Metrics } from './metrics.ts'

export interface HealthOptions {
  readonly health: () => Health
  readonly isDraining: () => boolean
  readonly metrics: Metrics
}

export function health(app: FastifyInstance, { health: state, isDraining, metrics }: HealthOptions): void {
  app.get('/livez', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    const { fresh, reasons } = state()
    if (isDraining()) return reply.code(503).send('shutting down\n')
    return fresh ? 'ok\n' : reply.code(503).send(`${reasons.join('\n')}\n`)
  })
  app.get('/metrics', async (_request, reply) => {
    reply.type(metrics.registry.contentType)
    return metrics.registry.metrics()
  })
}
