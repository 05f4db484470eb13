/** Whoever waits for proxies asks istiod by this: the webhook for the writes that it holds, commands for those that they make. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from '../kubernetes/connection.ts'
import type { Propagation } from '../mesh/snapshot/propagation.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { exactPropagation } from './exact.ts'
import { istiodsOf } from './istiods.ts'
import type { Quiet } from './quiet.ts'
import { nodeOf, Replicas } from './replicas.ts'

export interface AskedOptions {
  readonly connection: Connection
  readonly snapshot: () => Snapshot
  /** In istiod's namespace: as whom it is asked. */
  readonly serviceAccount: string
  /** Decides where istiod cannot be asked, or does not tell. */
  readonly fixed: Propagation
  readonly settleMs: () => number
  readonly quiet: Quiet
  readonly nowMs: () => number
  /** Told whether istiod could be asked: null, or why not. */
  readonly onAsked: (problem: unknown) => void
}

/** Streams are opened when somebody waits, and closed for good when the signal ends. */
export function askedPropagation(options: AskedOptions, signal: AbortSignal): Propagation {
  const replicas = replicasOf(options)
  signal.addEventListener('abort', () => replicas.close(), { once: true })
  return exactPropagation({
    ...options,
    ready: () => replicas.ready(),
    replicas: (until) => replicas.current(until),
    sleep: (ms, until) => sleep(ms, undefined, { signal: until })
  })
}

export function replicasOf({
  connection,
  snapshot,
  serviceAccount,
  nowMs
}: Pick<AskedOptions, 'connection' | 'snapshot' | 'serviceAccount' | 'nowMs'>): Replicas {
  const { istiodNamespace: namespace, domain } = snapshot().settings
  const istiods = istiodsOf({ connection, namespace, serviceAccount, nowMs })
  return new Replicas({ istiods, node: nodeOf(namespace, domain, randomBytes(4).toString('hex')), nowMs })
}
