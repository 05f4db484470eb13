/** What a live cluster holds at one moment, for commands that look at it once. */
import type { ClusterSource } from '../cluster/credentials.ts'
import { LiveCluster } from '../cluster/live-cluster.ts'
import type { ClusterEvent } from '../cluster/observe.ts'
import { HitlessError } from '../errors.ts'
import type { Snapshot } from '../mesh/snapshot.ts'
import type { Io } from './io.ts'

/** A list may meet a server that is just busy; one that fails so often will fail again. */
const MOST_FAILURES = 3

/** Which cluster a command speaks to. */
export interface SourceFlags {
  readonly kubeconfig?: string
  readonly context?: string
}

/** Options of commands that can look at a cluster instead of files. */
export interface ClusterFlags extends SourceFlags {
  readonly cluster: boolean
}

export function sourceOf({ kubeconfig, context }: SourceFlags): ClusterSource {
  return { kubeconfig: kubeconfig ?? null, context: context ?? null }
}

/** Lists every kind that the model reads; rejects with HITLESS_UNREACHABLE where one of them cannot be listed. */
export async function clusterState(source: ClusterSource, { signal }: Io): Promise<Snapshot> {
  const looked = new AbortController()
  const until = AbortSignal.any([signal, looked.signal])
  let failures = 0
  const failed = Promise.withResolvers<never>()
  const observe = (event: ClusterEvent) => {
    if (event.type !== 'interrupted' || event.why === 'expired' || event.why === 'unsupported') return
    failures += 1
    if (failures === MOST_FAILURES) failed.reject(new Error(`${event.kind}: ${event.error.message}`, { cause: event.error }))
  }
  const cluster = new LiveCluster({ source, observe })
  try {
    await Promise.race([cluster.start(until), failed.promise])
    return cluster.snapshot()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HitlessError('HITLESS_UNREACHABLE', `the cluster cannot be read: ${reason}`, { cause })
  } finally {
    looked.abort()
    await cluster.ended()
  }
}
