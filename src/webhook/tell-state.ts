/** What happens to the live state, told by the log and the metrics. */
import type { Logger } from 'pino'
import type { ClusterEvent } from '../cluster/observe.ts'
import { kindModule } from '../kinds/index.ts'
import type { Metrics } from '../server/metrics.ts'

/** Every change of an object comes by here as well, and is passed over. */
export function tellState(event: ClusterEvent, log: Logger, { state }: Metrics): void {
  if (event.type === 'changed') return
  const { kind } = event
  switch (event.type) {
    case 'synced':
      state.listed(kind)
      log.info({ kind, objects: event.objects, tookMs: Math.round(event.tookMs) }, 'listed')
      return
    case 'unserved':
      log.info({ kind }, 'the cluster does not serve this kind: waiting for it')
      return
    case 'interrupted':
      state.interrupted(kind, event.why)
      // Servers end watches all the time, and history expires: only what should not happen is told as such.
      log[event.why === 'expired' ? 'info' : 'warn'](
        { kind, why: event.why, err: event.error, retryMs: Math.round(event.retryMs) },
        'watch interrupted'
      )
      return
    case 'skipped':
      state.skipped(kind, event.why)
      if (kindModule(kind).keepsReadable) log.warn({ kind, why: event.why }, 'it cannot be read: what it said before goes on to count')
      else log.debug({ kind, why: event.why }, 'an event was skipped')
      return
    case 'compared':
      state.drifted(kind, event.drifted)
      if (event.drifted > 0) log.error({ kind, objects: event.drifted }, 'the cache differed from the API server: listing again')
      return
    case 'uncompared':
      log.warn({ kind, err: event.error }, 'the cache could not be compared with the API server')
      return
    case 'write-dropped':
      state.dropped(kind)
      log.debug({ kind }, 'an admitted write was not made')
  }
}
