/** `hitless serve`: the webhook, on a live cluster or on the embedded one. */
import { randomUUID } from 'node:crypto'
import { createReviewer } from '../admission/judge.ts'
import type { KeyPair } from '../certificates/self-signed.ts'
import { LiveCluster } from '../cluster/live-cluster.ts'
import { type Config, policyOf, settingsOf } from '../config.ts'
import { HitlessError } from '../errors.ts'
import type { MeshObject } from '../kinds/index.ts'
import { mayExempt } from '../kubernetes/access.ts'
import { systemClock } from '../kubernetes/clock.ts'
import type { ClusterSource } from '../kubernetes/credentials.ts'
import { Steps } from '../kubernetes/pace.ts'
import { Slots } from '../kubernetes/slots.ts'
import { readText } from '../manifests/files.ts'
import { readManifests } from '../manifests/manifests.ts'
import type { Health, State } from '../mesh/snapshot/state.ts'
import type { Io } from '../output/io.ts'
import type { Policy } from '../review/policy.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import { clientsOf } from '../server/clients.ts'
import { type Server, startServer } from '../server/server.ts'
import { type ConfigFile, followConfig } from './follow-config.ts'
import { RecentWrites, webhookPage } from './page.ts'
import { type LiveFeed, reportGaps } from './report-gaps.ts'
import { reportRefusals } from './report-refusals.ts'
import { EventSender } from './send-events.ts'
import type { Settle } from './settle.ts'
import { tellState } from './tell-state.ts'
import type { Telling } from './telling.ts'

export interface ServeOptions extends Telling {
  /** The configuration of this moment. */
  readonly config: () => Config
  readonly state: State
  readonly settle: Settle
  readonly tls: KeyPair
  /** Why the API server could not trust this replica; null where it could. Fails readiness. */
  readonly problem: () => string | null
  /** What to follow for gaps that no single write opened; null on the embedded cluster, where writes come one by one. */
  readonly live: LiveFeed | null
}

/** The configuration of this moment: that of the file, where there is one, as it changes while the webhook runs. */
export function configured(started: Config, file: ConfigFile | null, { log, metrics }: Telling, io: Io): () => Config {
  if (file === null) return () => started
  return followConfig({ ...file, config: started, log, reloaded: metrics.configured }, io.signal)
}

/** Follows a live cluster; reviews are answered by the policy for a stale state until it is synced. `failed` rejects where it cannot be followed. */
export function liveState(
  source: ClusterSource,
  config: Config,
  { recent, follow, heard }: Settle,
  { log, metrics }: Telling,
  io: Io
): { state: State; failed: Promise<never>; live: LiveFeed } {
  let synced = false
  const listeners: ((before: MeshObject | null, after: MeshObject | null) => void)[] = []
  const state = new LiveCluster({
    source,
    settings: settingsOf(config),
    observe: (event) => {
      tellState(event, log, metrics)
      // What the first lists bring was there before, and has long reached every proxy.
      if (event.type !== 'changed' || !synced) return
      heard(event.before, event.after)
      recent.note(event.before, event.after)
      for (const listener of listeners) listener(event.before, event.after)
    }
  })
  follow(state)
  metrics.state.follow(() => state.health())
  const started = state.start(io.signal)
  const failed = new Promise<never>((_, reject) => {
    started.then(
      () => {
        synced = true
      },
      (cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause)
        if (!io.signal.aborted) reject(new HitlessError('HITLESS_UNREACHABLE', `the cluster cannot be followed: ${reason}`, { cause }))
      }
    )
  })
  return { state, failed, live: { cluster: state, synced: started, follow: (listener) => listeners.push(listener) } }
}

export async function serve({ config, state, settle, tls, problem, live, log, metrics }: ServeOptions, io: Io): Promise<Server> {
  const policy = () => policyOf(config())
  const slots = new Slots(1)
  const reviewer = createReviewer({
    state,
    policy,
    nowMs: io.nowMs,
    leisure: { pace: () => new Steps(systemClock, io.busyMs), take: (signal, asker) => slots.take(signal, asker) },
    ...(live === null ? {} : { mayExempt: (...asked) => mayExempt(live.cluster.connection, ...asked) }),
    onNews: (shown, stored) => settle.recent.note(shown, stored),
    onReads: (_change, reads, lists, changedVerdict) => metrics.read(reads, lists, changedVerdict),
    settle,
    onTimeout: () => config().settle.onTimeout,
    onHeld: (heldMs) => metrics.held(heldMs / 1000)
  })
  const recent = new RecentWrites(io.nowMs)
  const reporting = live === null ? null : reported(live, policy, { log, metrics }, io)
  const { maxBodyMebibytes, maxTurnSeconds, drainSeconds, clientCa, clientNames, page, ...listening } = config().server
  return startServer({
    ...listening,
    maxTurnMs: maxTurnSeconds * 1000,
    maxBodyBytes: maxBodyMebibytes * 1024 * 1024,
    clients: clientCa === '' ? null : clientsOf(readText(clientCa), clientNames),
    believesAnybody: live === null,
    tls,
    reviewer,
    onRefusal: (change, decision) => {
      recent.refused(change, decision)
      reporting?.onRefusal(change, decision)
    },
    onHeld: (change, held) => recent.hold(change, held),
    lookedAt: page ? webhookPage({ config, state, recent, gaps: reporting?.gaps ?? null, nowMs: io.nowMs }) : null,
    metrics,
    drainMs: drainSeconds * 1000,
    log,
    snapshot: () => state.snapshot(),
    health: () => withProblem(state.health(), problem())
  })
}

/** Tells of gaps as they stand, which it gives, and of each refusal that it is told. */
function reported(live: LiveFeed, policy: () => Policy, { log, metrics }: Telling, { nowMs, signal }: Io) {
  const identity = randomUUID()
  const sender = new EventSender({ connection: live.cluster.connection, instance: identity, log, nowMs, signal })
  const gaps = reportGaps({ live, policy, sender, identity, metrics, log, nowMs, signal })
  return { gaps, onRefusal: reportRefusals(sender, nowMs) }
}

function withProblem(health: Health, problem: string | null): Health {
  return problem === null ? health : { ...health, fresh: false, reasons: [...health.reasons, problem] }
}

/** The embedded cluster from manifests. An admitted workload becomes Ready after `readyAfterMs`, as a kubelet would make it. */
export function loadSandbox(paths: readonly string[], readyAfterMs: number, { recent }: Settle, io: Io): Sandbox {
  const { manifests, errors } = readManifests(paths, io.stdin)
  if (errors[0] !== undefined) throw errors[0]
  const starting = new Map<string, NodeJS.Timeout>()
  const sandbox: Sandbox = new Sandbox(undefined, {
    started: ({ kind, namespace, name }) => {
      const key = `${kind} ${namespace}/${name}`
      // A template that changes while its Pods start makes others of them, which start anew.
      clearTimeout(starting.get(key))
      starting.set(key, setTimeout(() => sandbox.ready(namespace, name, kind), readyAfterMs).unref())
    },
    changed: (before, after) => recent.note(before, after)
  })
  for (const { object } of manifests) if (object !== null) sandbox.load(object)
  return sandbox
}
