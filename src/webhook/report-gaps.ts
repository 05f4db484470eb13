/** Gaps that writes in flight together opened: one replica of those that run tells of them, by Events, a metric and its log. */

import type { Logger } from 'pino'
import { AuditLoop } from '../cluster/audit-loop.ts'
import type { OpenGap } from '../cluster/gap-book.ts'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import { formatRef, type MeshObject, type ObjectRef } from '../kinds/index.ts'
import { systemClock } from '../kubernetes/clock.ts'
import { Lease } from '../kubernetes/lease.ts'
import { dearest, type Unjudged } from '../mesh/gaps/allowance.ts'
import { gapKey } from '../mesh/gaps/gaps.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { formatPath } from '../mesh/names/path.ts'
import { describeClass } from '../mesh/requests/classes.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { type AuditedGap, openGaps } from '../review/audit.ts'
import { line } from '../review/message.ts'
import type { Policy } from '../review/policy.ts'
import { RULE_IDS } from '../rules/index.ts'
import { isLost, percent } from '../rules/wording.ts'
import type { Metrics } from '../server/metrics.ts'
import type { EventSender } from './send-events.ts'

/** A replica that ends without a word leaves the Lease for as long; what happens then is told by the next one, at worst a second time. */
const HANDOVER_MS = 15_000

export interface LiveFeed {
  readonly cluster: LiveCluster
  readonly synced: Promise<void>
  /** Tells every change from the first sync on. */
  readonly follow: (listener: (before: MeshObject | null, after: MeshObject | null) => void) => void
}

export interface ReportOptions {
  readonly live: LiveFeed
  readonly policy: () => Policy
  readonly sender: EventSender
  /** Of this replica. */
  readonly identity: string
  readonly metrics: Metrics
  readonly log: Logger
  readonly nowMs: () => number
  readonly signal: AbortSignal
}

type Happening = 'opened' | 'closed'

/**
 * Every replica looks, so that one that takes over knows at once; only the holder of the Lease reports, and shows `hitless_gaps`,
 * so that a sum over all replicas counts each gap once. Gives the gaps that this replica sees; null until it has looked at all.
 */
export function reportGaps(options: ReportOptions): () => readonly OpenGap[] | null {
  const { live, policy, log, nowMs, signal } = options
  const reporter = new GapReporter(options)
  let hasLooked = false
  const loop = new AuditLoop({
    clock: systemClock,
    snapshot: () => live.cluster.snapshot(),
    find: (snapshot, target, tell) => openGaps(snapshot, [target], policy(), tell).map((found) => describeGap(found, snapshot)),
    opened: (gap) => reporter.tell(gap, 'opened'),
    closed: (gap) => reporter.tell(gap, 'closed'),
    settled: () => reporter.show(loop),
    unjudged: (unjudged) => reporter.leftOut(unjudged),
    failed: (error, what) => reporter.failed(error, what)
  })
  const lease = new Lease({
    connection: live.cluster.connection,
    clock: systemClock,
    nowMs,
    name: 'hitless-audit',
    identity: options.identity,
    changed: (held) => (held ? reporter.takeOver(loop) : reporter.handOver(loop)),
    failed: (error) => log.warn({ err: error }, 'the Lease of the audit could not be read or written')
  })
  live.follow((before, after) => loop.changed(before, after))
  const reported = live.synced
    .then(() => loop.start(signal))
    .then((existing) => {
      hasLooked = true
      if (existing.length > 0 && !signal.aborted) log.info({ gaps: existing.length }, 'gaps that were there at the start')
      return Promise.all([loop.run(signal), lease.run(signal)])
    })
    // That the cluster cannot be followed is told, and ends the process, where it is followed.
    .catch((error: unknown) => signal.aborted || log.error({ err: error }, 'gaps are not reported'))
  live.cluster.keepOpen(reported)
  return () => (hasLooked ? loop.open() : null)
}

/** What one replica tells of gaps, as long as it is the one that does. */
class GapReporter {
  readonly #options: ReportOptions
  #isReporting = false
  /** What this replica saw and did not tell, since another one may have. */
  #untold: { readonly gap: OpenGap; readonly what: Happening; readonly atMs: number }[] = []

  constructor(options: ReportOptions) {
    this.#options = options
  }

  /** From now on this replica tells, and what another one may have left untold. */
  takeOver(loop: AuditLoop): void {
    this.#isReporting = true
    this.#options.log.info({ gaps: loop.open().length }, 'this replica reports gaps')
    this.#showOpen(loop)
    for (const { gap, what } of this.#recent()) this.tell(gap, what)
    this.#untold = []
  }

  handOver(loop: AuditLoop): void {
    this.#isReporting = false
    this.#showOpen(loop)
  }

  /** A look came to its end. */
  show(loop: AuditLoop): void {
    const { metrics, nowMs } = this.#options
    metrics.audit.ran(nowMs(), loop.unjudged)
    this.#showOpen(loop)
  }

  tell(gap: OpenGap, what: Happening): void {
    const { log, nowMs } = this.#options
    if (!this.#isReporting) {
      const [oldest] = this.#untold
      if (oldest !== undefined && nowMs() - oldest.atMs >= HANDOVER_MS) this.#untold = this.#recent()
      this.#untold.push({ gap, what, atMs: nowMs() })
      return
    }
    const { rule, object, message } = gap
    if (what === 'opened') log.warn({ rule, object }, `gap opened: ${message}`)
    else log.info({ rule, object }, `gap closed: ${message}`)
    this.#send(gap, what)
  }

  leftOut({ host, error }: Unjudged): void {
    const cause = dearest(error, '')
    this.#options.log.warn({ host, object: cause === null ? null : formatRef(cause) }, 'a host was not looked at: too much work')
  }

  failed(error: unknown, what: string): void {
    const { metrics, log } = this.#options
    metrics.audit.failed()
    log.error({ err: error, what }, 'a look for gaps failed')
  }

  #showOpen(loop: AuditLoop): void {
    const open = this.#isReporting ? loop.open() : []
    for (const rule of RULE_IDS) this.#options.metrics.gaps(rule, open.filter((gap) => gap.rule === rule).length)
  }

  #recent() {
    return this.#untold.filter(({ atMs }) => this.#options.nowMs() - atMs < HANDOVER_MS)
  }

  /** An Event on the object at fault, where it is there. */
  #send({ rule, object, message }: OpenGap, what: Happening): void {
    const { live, sender } = this.#options
    const stored = object === null ? undefined : live.cluster.snapshot().find(object.kind, object.namespace, object.name)
    if (stored === undefined) return
    const { kind, namespace, name, uid } = stored
    const event =
      what === 'opened'
        ? ({ type: 'Warning', reason: 'GapOpened', note: `${message} [${rule}]` } as const)
        : ({ type: 'Normal', reason: 'GapClosed', note: `no longer: ${message} [${rule}]` } as const)
    sender.send({ ...event, action: 'Audit', regarding: { kind, namespace, name, uid } })
  }
}

/** A gap as it is told, whoever tells it. */
export function describeGap({ rule, gap }: AuditedGap, { settings }: Snapshot): OpenGap {
  const { context, host, port, requestClass, share, path, destination } = gap
  const what = `${percent(share)} of ${describeClass(requestClass, `${host}:${port}`)}`
  const subset = destination === null || destination.subset === null ? '' : ` subset "${destination.subset}"`
  const to = destination === null || destination.host === NOWHERE ? '' : ` to ${destination.host}${subset}`
  const service = serviceOfHost(host, settings.domain)
  const object: ObjectRef | null = gap.source ?? (service === null ? null : { kind: 'Service', ...service })
  const by = path.length === 0 ? '' : ` by ${formatPath(path)}`
  return { key: `${rule} ${context.kind} ${gapKey(gap)}`, rule, host, object, message: line(`${what} ${isLost(gap)}${by}${to}`, '') }
}
