/** /livez, /readyz and /metrics, on a port of their own: plain HTTP, never reached by reviews. */
import type { FastifyInstance } from 'fastify'
import type { Health } from '../mesh/snapshot/state.ts'

export interface HealthOptions {
  readonly health: () => Health
  readonly isDraining: () => boolean
}

/** Alive while it answers at all; ready while the state of the cluster is fresh and nobody asked it to end. */
export function health(app: FastifyInstance, { health: state, isDraining }: HealthOptions): void {
  app.get('/livez', async () => 'ok\n')
  app.get('/readyz', async (_request, reply) => {
    if (isDraining()) return reply.code(503).send('shutting down\n')
    const { fresh, reasons } = state()
    return fresh ? 'ok\n' : reply.code(503).send(`${reasons.join('\n')}\n`)
  })
}
