/** `hitless serve`: the webhook, on a live cluster or on the embedded one. */
import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { createReviewer } from '../admission/judge.ts'
import { createAuthority, issue, type KeyPair } from '../certificates/self-signed.ts'
import type { ClusterSource } from '../cluster/credentials.ts'
import { LiveCluster } from '../cluster/live-cluster.ts'
import { HitlessError } from '../errors.ts'
import type { State } from '../mesh/state.ts'
import type { Policy } from '../review/policy.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import { createMetrics } from '../server/metrics.ts'
import { type Server, startServer } from '../server/server.ts'
import type { Io } from './io.ts'
import { readManifests } from './manifests.ts'

/** Follows a live cluster; reviews are answered by the policy for a stale state until it is synced. */
export function liveState(source: ClusterSource, io: Io): LiveCluster {
  const cluster = new LiveCluster({ source })
  cluster.start(io.signal).catch((error: unknown) => {
    if (!io.signal.aborted)
      io.err(`hitless: the cluster cannot be followed: ${error instanceof Error ? error.message : String(error)} [HITLESS_UNREACHABLE]\n`)
  })
  return cluster
}

export interface ServeOptions {
  readonly state: State
  readonly policy: Policy
  readonly tls: KeyPair
  readonly host: string
  readonly port: number
  readonly healthHost: string
  readonly healthPort: number
  readonly drainMs: number
  readonly logLevel: string
}

export async function serve(options: ServeOptions, io: Io): Promise<Server> {
  const metrics = createMetrics()
  const log = pino({ level: options.logLevel }, { write: io.err })
  const reviewer = createReviewer({
    state: options.state,
    policy: () => options.policy,
    nowMs: io.nowMs,
    onReads: (_change, reads, lists, changedVerdict) => metrics.read(reads, lists, changedVerdict)
  })
  return startServer({
    ...options,
    reviewer,
    metrics,
    log,
    snapshot: () => options.state.snapshot(),
    health: () => options.state.health(),
    maxInFlight: 200
  })
}

/** The embedded cluster from manifests. An admitted Deployment becomes Ready after `readyAfterMs`, as a kubelet would make it. */
export function loadSandbox(paths: readonly string[], readyAfterMs: number, io: Io): Sandbox {
  const { manifests, errors } = readManifests(paths, io.stdin)
  if (errors[0] !== undefined) throw errors[0]
  const starting = new Map<string, NodeJS.Timeout>()
  const sandbox: Sandbox = new Sandbox(undefined, ({ namespace, name }) => {
    const key = `${namespace}/${name}`
    // A template that changes while its Pods start makes others of them, which start anew.
    clearTimeout(starting.get(key))
    starting.set(key, setTimeout(() => sandbox.ready(namespace, name), readyAfterMs).unref())
  })
  for (const { object } of manifests) if (object !== null) sandbox.load(object)
  return sandbox
}

/** The pair in the files, or a self-signed one for this host, with the certificate that clients must trust. */
export async function keyPair(
  certFile: string | undefined,
  keyFile: string | undefined,
  names: readonly string[],
  nowMs: number
): Promise<KeyPair & { readonly authority: string }> {
  if (certFile !== undefined && keyFile !== undefined) {
    const certificate = readText(certFile)
    return { certificate, key: readText(keyFile), authority: certificate }
  }
  if (certFile !== keyFile) throw new HitlessError('HITLESS_USAGE', '--tls-cert and --tls-key go together')
  const authority = await createAuthority({ nowMs, days: 365 })
  return { ...(await issue(authority, names, { nowMs, days: 90 })), authority: authority.certificate }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new HitlessError('HITLESS_UNREADABLE', `${file}: cannot be read`, { cause })
  }
}
