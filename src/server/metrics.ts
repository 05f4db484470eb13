/** What the webhook counts, in Prometheus' form. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { Kind } from '../kinds/index.ts'
import type { Health } from '../mesh/snapshot/state.ts'
import type { Change } from '../review/change.ts'
import { type Decision, refusedBy } from '../review/decision.ts'
import { RULE_IDS } from '../rules/index.ts'
import { type CertificateMetrics, certificateMetrics } from './certificate-metrics.ts'

/** The live state, by kind. */
export interface StateMetrics {
  /** Asked for the milliseconds since each kind was heard from, whenever metrics are read. */
  follow(health: () => Health): void
  listed(kind: Kind): void
  interrupted(kind: Kind, why: string): void
  skipped(kind: Kind, why: string): void
  /** So many objects differed from the API server's. */
  drifted(kind: Kind, objects: number): void
  /** An admitted write was not made. */
  dropped(kind: Kind): void
}

/** The audit of the cluster as it stands. */
export interface AuditMetrics {
  /** A look came to its end; `unjudged` hosts take too much work. */
  ran(atMs: number, unjudged: number): void
  /** A host or change could not be looked at. */
  failed(): void
}

export interface Metrics {
  readonly registry: Registry
  readonly state: StateMetrics
  /** A review was answered; `change` is null where it held nothing to judge. */
  reviewed(change: Change | null, decision: Decision, seconds: number): void
  /** A request was answered with an error of this code; HITLESS_BUSY counts overload. */
  failed(code: string): void
  inFlight(change: 1 | -1): void
  read(reads: number, lists: number, changedVerdict: boolean): void
  /** A write was held until what it relies on had settled, or its deadline came. */
  held(seconds: number): void
  /** Whether istiod could be asked when a write was held last, or the fixed time decided in its place. */
  settledBy(mode: 'exact' | 'fixed'): void
  /** So many gaps of a rule stand open; told by the replica that reports them. */
  gaps(rule: string, open: number): void
  readonly audit: AuditMetrics
  /** The configuration's file was read again. */
  configured(success: boolean): void
  readonly certificates: CertificateMetrics
}

/** Dense between 5 and 500 ms, where the API server's own latency targets lie; below, what pure code takes; above, held reviews. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Between two looks at how busy the process was. The library's 100 ms would wake an idle Pod ten times a second. */
const UTILIZATION_MS = 1000

/** Registers the metrics, those of the process included. One registry bears them once. */
export function createMetrics(registry: Registry = new Registry()): Metrics {
  collectDefaultMetrics({ register: registry, eventLoopUtilizationTimeout: UTILIZATION_MS })
  const registers = [registry]
  const reviews = new Counter({
    name: 'hitless_reviews_total',
    help: 'Reviews answered',
    labelNames: ['kind', 'operation', 'verdict', 'dry_run'],
    registers
  })
  const findings = new Counter({ name: 'hitless_findings_total', help: 'Findings by rule', labelNames: ['rule', 'severity'], registers })
  const refusals = new Counter({
    name: 'hitless_refusals_total',
    help: 'Writes that were refused, or (mode observe) would have been, by rule; dry runs are left out',
    labelNames: ['rule', 'mode'],
    registers
  })
  // From the start, so that none within a time can be told from none known.
  for (const rule of [...RULE_IDS, 'settle', 'stale']) for (const mode of ['enforce', 'observe']) refusals.inc({ rule, mode }, 0)
  const duration = new Histogram({ name: 'hitless_review_duration_seconds', help: 'Time to answer a review', buckets: SECONDS, registers })
  const errors = new Counter({
    name: 'hitless_request_errors_total',
    help: 'Requests answered with an error',
    labelNames: ['code'],
    registers
  })
  const waiting = new Gauge({ name: 'hitless_reviews_in_flight', help: 'Reviews being read or judged', registers })
  const reads = new Counter({ name: 'hitless_confirm_reads_total', help: 'Fresh reads before an answer', labelNames: ['type'], registers })
  const changed = new Counter({ name: 'hitless_confirm_changed_total', help: 'Verdicts that fresh reads changed', registers })
  const held = new Histogram({ name: 'hitless_held_seconds', help: 'Time that writes were held to settle', buckets: SECONDS, registers })
  const settleMode = new Gauge({
    name: 'hitless_settle_mode',
    help: 'How writes are held where istiod is to be asked: 1 for exact as long as it can be, 1 for fixed while it cannot',
    labelNames: ['mode'],
    registers
  })
  const gaps = new Gauge({
    name: 'hitless_gaps',
    help: 'Gaps that stand open, by the one replica that reports',
    labelNames: ['rule'],
    registers
  })
  const exemptions = new Counter({
    name: 'hitless_exemptions_used_total',
    help: 'Denials that an annotation turned into warnings',
    labelNames: ['rule'],
    registers
  })
  const configured = new Gauge({
    name: 'hitless_config_last_reload_successful',
    help: 'Whether the file of the configuration, when it was read last, could be taken over',
    registers
  })
  configured.set(1)
  return {
    registry,
    state: stateMetrics(registers),
    audit: auditMetrics(registers),
    certificates: certificateMetrics(registers),
    configured: (success) => configured.set(Number(success)),
    gaps: (rule, open) => gaps.set({ rule }, open),
    held: (seconds) => held.observe(seconds),
    settledBy: (mode) => {
      for (const each of ['exact', 'fixed']) settleMode.set({ mode: each }, Number(each === mode))
    },
    reviewed(change, decision, seconds) {
      const { verdict, observed, findings: found, exempted } = decision
      const labels = { kind: change?.ref.kind ?? 'other', operation: change?.operation ?? 'other' }
      reviews.inc({ ...labels, verdict, dry_run: String(change?.dryRun ?? false) })
      for (const { rule, severity } of found) findings.inc({ rule, severity })
      for (const rule of exempted) exemptions.inc({ rule })
      const mode = observed ? 'observe' : 'enforce'
      if (change?.dryRun === false) for (const rule of refusedBy(decision)) refusals.inc({ rule, mode })
      duration.observe(seconds)
    },
    failed: (code) => errors.inc({ code }),
    inFlight: (change) => waiting.inc(change),
    read(byName, lists, changedVerdict) {
      if (byName > 0) reads.inc({ type: 'get' }, byName)
      if (lists > 0) reads.inc({ type: 'list' }, lists)
      if (changedVerdict) changed.inc()
    }
  }
}

function auditMetrics(registers: Registry[]): AuditMetrics {
  const ran = new Gauge({ name: 'hitless_audit_last_run_timestamp_seconds', help: 'When the audit last came to its end', registers })
  const unjudged = new Gauge({ name: 'hitless_audit_unjudged_hosts', help: 'Hosts that take too much work to be judged', registers })
  const failures = new Counter({ name: 'hitless_audit_failures_total', help: 'Hosts or changes that could not be looked at', registers })
  return {
    ran(atMs, hosts) {
      ran.set(atMs / 1000)
      unjudged.set(hosts)
    },
    failed: () => failures.inc()
  }
}

function stateMetrics(registers: Registry[]): StateMetrics {
  let health: (() => Health) | null = null
  const byKind = { labelNames: ['kind'], registers }
  const byReason = { labelNames: ['kind', 'why'], registers }
  new Gauge({
    ...byKind,
    name: 'hitless_state_age_seconds',
    help: 'Time since a kind was heard from; absent where it never was',
    collect() {
      for (const [kind, ms] of Object.entries(health?.().ageMs ?? {})) this.set({ kind }, ms / 1000)
    }
  })
  new Gauge({
    name: 'hitless_state_fresh',
    help: 'Whether every kind that the cluster serves is synced and was heard from in time',
    registers,
    collect() {
      if (health !== null) this.set(Number(health().fresh))
    }
  })
  const lists = new Counter({
    ...byKind,
    name: 'hitless_state_lists_total',
    help: 'Times that all of a kind was listed: more than one is a relist'
  })
  const interruptions = new Counter({
    ...byReason,
    name: 'hitless_watch_interruptions_total',
    help: 'Watches that ended before their time'
  })
  const skipped = new Counter({ ...byReason, name: 'hitless_state_skipped_total', help: 'Events that could not be applied' })
  const drift = new Counter({
    ...byKind,
    name: 'hitless_state_drift_total',
    help: 'Objects that differed from the API server when compared'
  })
  const dropped = new Counter({ ...byKind, name: 'hitless_writes_dropped_total', help: 'Admitted writes that were not made' })
  return {
    follow: (read) => {
      health = read
    },
    listed: (kind) => lists.inc({ kind }),
    interrupted: (kind, why) => interruptions.inc({ kind, why }),
    skipped: (kind, why) => skipped.inc({ kind, why }),
    drifted: (kind, objects) => drift.inc({ kind }, objects),
    dropped: (kind) => dropped.inc({ kind })
  }
}
