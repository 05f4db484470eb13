/** Two real replicas whose watches are late, behind one address that gives them reviews by turns, and which they know for the API server. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeKubeconfig } from '../cluster/reflector/fixtures.ts'
import { clientAuthority } from '../server/client-certificate.ts'
import type { ControlPlane } from './control-plane.ts'
import { type HitlessProcess, startHitless } from './hitless-process.ts'
import { type SlowWatches, startSlowWatches } from './slow-watches.ts'
import { startTurns, type Turns } from './turns.ts'

export interface LateReplica {
  readonly watches: SlowWatches
  readonly hitless: HitlessProcess
}

export interface LateReplicas {
  readonly replicas: readonly LateReplica[]
  readonly turns: Turns
  /** Has the API server ask them. */
  register(): Promise<unknown>
  stop(): Promise<void>
}

/** `delayMs` is asked for each piece of a watch. */
export async function startLateReplicas(
  plane: ControlPlane,
  delayMs: () => number,
  flags: readonly string[],
  /** Told of each answer, which is passed on when this resolves. */
  answered?: () => Promise<unknown>
): Promise<LateReplicas> {
  const releases: (() => unknown)[] = []
  const stop = async () => {
    for (const release of releases.splice(0).reverse()) await release()
  }
  try {
    const files = { cert: join(plane.directory, 'turns.crt'), key: join(plane.directory, 'turns.key') }
    writeFileSync(files.cert, plane.certificate.cert)
    writeFileSync(files.key, plane.certificate.key)
    const clients = clientAuthority(plane.directory)
    const config = join(plane.directory, 'replicas.yaml')
    writeFileSync(join(plane.directory, 'clients-ca.crt'), clients.ca)
    const server = { clientCa: join(plane.directory, 'clients-ca.crt'), clientNames: ['turns'] }
    writeFileSync(config, JSON.stringify({ apiVersion: 'hitless.io/v1', kind: 'Config', server }))
    const tls = ['--tls-cert', files.cert, '--tls-key', files.key, '--config', config]
    const replicas: LateReplica[] = []
    for (let count = 0; count < 2; count++) {
      const watches = await startSlowWatches(plane, delayMs)
      releases.push(watches.close)
      const kubeconfig = writeKubeconfig(mkdtempSync(join(plane.directory, 'replica-')), watches.url, plane.token)
      const hitless = await startHitless(plane, { kubeconfig, flags: [...tls, ...flags], register: false })
      releases.push(hitless.stop)
      replicas.push({ watches, hitless })
    }
    const turns = await startTurns(
      plane.certificate,
      plane.ca,
      replicas.map(({ hitless }) => hitless.port),
      answered,
      clients.pair('turns')
    )
    releases.push(turns.close)
    const url = `https://127.0.0.1:${turns.port}/validate`
    const register = () => plane.registerWebhook({ url, caBundle: plane.ca, timeoutSeconds: 10 })
    return { replicas, turns, register, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
