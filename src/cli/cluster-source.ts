/** What a live cluster holds at one moment, for commands that look at it once. */
import { existsSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { LiveCluster } from '../cluster/live-cluster.ts'
import type { ClusterEvent } from '../cluster/observe.ts'
import { HitlessError } from '../errors.ts'
import type { ClusterSource } from '../kubernetes/credentials.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Io } from '../output/io.ts'
import { whileWaiting } from '../output/progress.ts'

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

/** Where Kubernetes puts it in every Pod. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The cluster of the flags; else of a kubeconfig, as kubectl finds it; else of the Pod that this runs in. */
export function sourceOf(
  { kubeconfig, context }: SourceFlags,
  env: Io['env'],
  exists: (path: string) => boolean = existsSync
): ClusterSource {
  const source = { kubeconfig: kubeconfig ?? null, context: context ?? null }
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443', KUBECONFIG, HOME = '' } = env
  if (kubeconfig !== undefined || context !== undefined || KUBECONFIG || exists(join(HOME, '.kube', 'config'))) return source
  if (host === undefined || !exists(join(SERVICE_ACCOUNT, 'token'))) return source
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`
  return { ...source, serviceAccount: { server, directory: SERVICE_ACCOUNT } }
}

/** Lists every kind that the model reads; rejects with HITLESS_UNREACHABLE where one of them cannot be listed. */
export function clusterState(source: ClusterSource, io: Io): Promise<Snapshot> {
  return followed(source, io, async (cluster) => cluster.snapshot())
}

/** Follows the cluster while `use` runs, which begins once all is listed; rejects as `clusterState` does. `observe` is told from then on. */
export async function followed<T>(
  source: ClusterSource,
  io: Io,
  use: (cluster: LiveCluster) => Promise<T>,
  observe: (event: ClusterEvent) => void = () => undefined
): Promise<T> {
  const { LiveCluster } = await import('../cluster/live-cluster.ts')
  const done = new AbortController()
  let failures = 0
  let isListed = false
  const failed = Promise.withResolvers<never>()
  const cluster = new LiveCluster({
    source,
    observe: (event) => {
      if (isListed) return observe(event)
      if (event.type !== 'interrupted' || event.why === 'expired' || event.why === 'unsupported') return
      failures += 1
      if (failures === MOST_FAILURES) failed.reject(new Error(`${event.kind}: ${event.error.message}`, { cause: event.error }))
    }
  })
  try {
    const listed = Promise.race([cluster.start(AbortSignal.any([io.signal, done.signal])), failed.promise]).catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new HitlessError('HITLESS_UNREACHABLE', `the cluster cannot be read: ${reason}`, { cause })
    })
    await whileWaiting('listing the cluster', io, listed)
    isListed = true
    return await use(cluster)
  } finally {
    done.abort()
    await cluster.ended()
  }
}
