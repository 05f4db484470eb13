/** /livez, /readyz and /metrics; and the page, where it is switched on. */
import type { Registry } from '@prometheus-io/client'
import type { Health } from '../mesh/snapshot/state.ts'
import { type Probe, type ProbeAnswer, plain } from '../watchdog.ts'

/** Answers what is the page's; null for any other path. */
export type Page = (url: string, etag?: string) => ProbeAnswer | null

export interface HealthOptions {
  readonly health: () => Health
  readonly registry: Registry
  readonly isDraining: () => boolean
  /** null where it is switched off. */
  readonly page: Page | null
}

/** Alive while it answers at all; ready while the state of the cluster is fresh and nobody asked it to end. */
export async function answerProbe({ url, etag }: Probe, { health, registry, isDraining, page }: HealthOptions): Promise<ProbeAnswer> {
  switch (url.split('?', 1)[0]) {
    case '/livez':
      return plain(200, 'ok')
    case '/readyz': {
      if (isDraining()) return plain(503, 'shutting down')
      const { fresh, reasons } = health()
      return fresh ? plain(200, 'ok') : plain(503, reasons.join('\n'))
    }
    case '/metrics':
      return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() }
    default:
      return lookedAt(page?.(url, etag) ?? null) ?? plain(404, 'there is nothing here')
  }
}

/** Whoever looks keeps no connection that a probe may need. */
function lookedAt(answer: ProbeAnswer | null): ProbeAnswer | null {
  return answer === null ? null : { ...answer, headers: { ...answer.headers, connection: 'close' } }
}
