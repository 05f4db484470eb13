/** /livez, /readyz and /metrics. */
import type { Registry } from '@prometheus-io/client'
import type { Health } from '../mesh/snapshot/state.ts'
import type { ProbeAnswer } from '../watchdog.ts'

export interface HealthOptions {
  readonly health: () => Health
  readonly registry: Registry
  readonly isDraining: () => boolean
}

/** Alive while it answers at all; ready while the state of the cluster is fresh and nobody asked it to end. */
export async function answerProbe(path: string, { health, registry, isDraining }: HealthOptions): Promise<ProbeAnswer> {
  switch (path) {
    case '/livez':
      return text(200, 'ok')
    case '/readyz': {
      if (isDraining()) return text(503, 'shutting down')
      const { fresh, reasons } = health()
      return fresh ? text(200, 'ok') : text(503, reasons.join('\n'))
    }
    case '/metrics':
      return { status: 200, type: registry.contentType, body: await registry.metrics() }
    default:
      return text(404, 'there is nothing here')
  }
}

function text(status: number, body: string): ProbeAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${body}\n` }
}
