/** Gaps that writes in flight together opened: one replica of those that run tells of them, by Events, a metric and its log. */
import { randomUUID } from 'node:crypto'
import type { Logger } from 'pino'
import { AuditLoop } from '../cluster/audit-loop.ts'
import type { OpenGap } from '../cluster/gap-book.ts'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import { formatRef, type MeshObject, type ObjectRef } from '../kinds/index.ts'
import { systemClock } from '../kubernetes/clock.ts'
import { writeEvent } from '../kubernetes/events.ts'
import { Lease } from '../kubernetes/lease.ts'
import { dearest } from '../mesh/gaps/allowance.ts'
import { gapKey, virtualServiceOf } from '../mesh/gaps/gaps.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { formatPath } from '../mesh/names/path.ts'
import { describeClass } from '../mesh/requests/classes.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { type AuditedGap, openGaps } from '../review/audit.ts'
import type { Policy } from '../review/policy.ts'
import { RULE_IDS } from '../rules/index.ts'
import { percent } from '../rules/wording.ts'
import type { Metrics } from '../server/metrics.ts'

const EVENT_MS = 10_000
/** A replica that ends without a word leaves the Lease for as long; what happens then is told by the next one, at worst a second time. */
const HANDOVER_MS = 15_000
/** A cluster that falls apart is told by the metric; thousands of Events would only add to its load. */
const MOST_EVENTS_AT_ONCE = 20

export interface LiveFeed {
  readonly cluster: LiveCluster
  readonly synced: Promise<void>
  /** Tells every change from the first sync on. */
  readonly follow: (listener: (before: MeshObject | null, after: MeshObject | null) => void) => void
}

export interface ReportOptions {
  readonly live: LiveFeed
  readonly policy: () => Policy
  readonly metrics: Metrics
  readonly log: Logger
  readonly nowMs: () => number
  readonly signal: AbortSignal
}

/**
 * Every replica looks, so that one that takes over knows at once; only the holder of the Lease reports, and shows `hitless_gaps`,
 * so that a sum over all replicas counts each gap once.
 */
export function reportGaps({ live, policy, metrics, log, nowMs, signal }: ReportOptions): void {
  const identity = randomUUID()
  const { connection } = live.cluster
  let reporting = false
  let sending = 0
  /** What this replica saw and did not tell, since another one may have. */
  const untold: { readonly gap: OpenGap; readonly what: 'opened' | 'closed'; readonly atMs: number }[] = []
  const loop: AuditLoop = new AuditLoop({
    clock: systemClock,
    snapshot: () => live.cluster.snapshot(),
    find: (snapshot, target, tell) => openGaps(snapshot, [target], policy(), tell).map((found) => describe(found, snapshot)),
    opened: (gap) => report(gap, 'opened'),
    closed: (gap) => report(gap, 'closed'),
    settled: () => {
      metrics.audit.ran(nowMs(), loop.unjudged)
      showGaps()
    },
    unjudged: ({ host, error }) => {
      const cause = dearest(error, '')
      log.warn({ host, object: cause === null ? null : formatRef(cause) }, 'a host was not looked at: too much work')
    },
    failed: (error, what) => {
      metrics.audit.failed()
      log.error({ err: error, what }, 'a look for gaps failed')
    }
  })
  const lease = new Lease({
    connection,
    clock: systemClock,
    nowMs,
    name: 'hitless-audit',
    identity,
    changed: (held) => {
      reporting = held
      showGaps()
      if (!held) return
      log.info({ gaps: loop.open().length }, 'this replica reports gaps')
      for (const { gap, what, atMs } of untold.splice(0)) if (nowMs() - atMs < HANDOVER_MS) report(gap, what)
    },
    failed: (error) => log.warn({ err: error }, 'the Lease of the audit could not be read or written')
  })

  function showGaps(): void {
    const open = reporting ? loop.open() : []
    for (const rule of RULE_IDS) metrics.gaps(rule, open.filter((gap) => gap.rule === rule).length)
  }

  function report(gap: OpenGap, what: 'opened' | 'closed'): void {
    if (!reporting) {
      keepUntold(gap, what)
      return
    }
    const { rule, object, message } = gap
    if (what === 'opened') log.warn({ rule, object }, `gap opened: ${message}`)
    else log.info({ rule, object }, `gap closed: ${message}`)
    const stored = object === null ? undefined : live.cluster.snapshot().find(object.kind, object.namespace, object.name)
    if (stored === undefined || sending >= MOST_EVENTS_AT_ONCE) return
    const { kind, namespace, name, uid } = stored
    sending += 1
    const event =
      what === 'opened'
        ? ({ type: 'Warning', reason: 'GapOpened', note: `${message} [${rule}]` } as const)
        : ({ type: 'Normal', reason: 'GapClosed', note: `no longer: ${message} [${rule}]` } as const)
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(EVENT_MS)])
    writeEvent(connection, { ...event, action: 'Audit', regarding: { kind, namespace, name, uid } }, identity, nowMs(), bounded)
      .catch((error: unknown) => signal.aborted || log.warn({ err: error }, 'an Event could not be written'))
      .finally(() => {
        sending -= 1
      })
  }

  function keepUntold(gap: OpenGap, what: 'opened' | 'closed'): void {
    untold.push({ gap, what, atMs: nowMs() })
    const recent = untold.findIndex(({ atMs }) => nowMs() - atMs < HANDOVER_MS)
    if (recent > 0) untold.splice(0, recent)
  }

  live.follow((before, after) => loop.changed(before, after))
  const reported = live.synced
    .then(() => loop.start(signal))
    .then((existing) => {
      if (signal.aborted) return
      if (existing.length > 0) log.info({ gaps: existing.length }, 'gaps that were there at the start')
      return Promise.all([loop.run(signal), lease.run(signal)])
    })
    // That the cluster cannot be followed is told, and ends the process, where it is followed.
    .catch((error: unknown) => signal.aborted || log.error({ err: error }, 'gaps are not reported'))
  live.cluster.keepOpen(reported)
}

function describe({ rule, gap }: AuditedGap, { settings }: Snapshot): OpenGap {
  const { context, host, port, requestClass, share, status, path, destination, protocol } = gap
  const what = `${percent(share)} of ${describeClass(requestClass, `${host}:${port}`)}`
  const fate = protocol === 'tcp' ? 'are closed' : `get ${status}`
  const subset = destination === null || destination.subset === null ? '' : ` subset "${destination.subset}"`
  const to = destination === null ? '' : ` to ${destination.host}${subset}`
  const service = serviceOfHost(host, settings.domain)
  const object: ObjectRef | null = virtualServiceOf(gap) ?? (service === null ? null : { kind: 'Service', ...service })
  const by = path.length === 0 ? '' : ` by ${formatPath(path)}`
  return { key: `${rule} ${context.kind} ${gapKey(gap)}`, rule, object, message: `${what} ${fate}${by}${to}` }
}
