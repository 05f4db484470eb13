/** How long after its acknowledgement a proxy still serves by what it had before: requests, and what istiod says, side by side. */
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Connection } from '../../src/kubernetes/connection.ts'
import { CredentialReader } from '../../src/kubernetes/credentials.ts'
import { replicasOf } from '../../src/proxies/asked.ts'
import type { Sight } from '../../src/proxies/expectation.ts'
import { standing } from '../../src/proxies/standing.ts'
import { destinationRule, rule, to, virtualService } from '../manifests.ts'
import { startLoad } from './load.ts'
import { helloworld, must, workload } from './objects.ts'
import { Release } from './release.ts'
import { type Rig, startRig } from './rig.ts'
import { apply } from './scripts.ts'

const WRITES = 40
const PER_SECOND = 800

export interface Margin {
  readonly writes: number
  /** From the moment at which istiod was seen to have the acknowledgement until the last answer of the old version was sent for; 0 where none was. */
  readonly medianMs: number
  readonly mostMs: number
}

export async function margin(): Promise<Margin> {
  const rig = await startRig()
  const release = new Release(rig)
  await release.start([helloworld(), workload('v1'), workload('v2'), destinationRule(['v1', 'v2']), virtualService([rule([to('v1')])])])
  const connection = new Connection(new CredentialReader({ kubeconfig: rig.plane.kubeconfig, context: null }), systemClock)
  const replicas = replicasOf({
    connection,
    snapshot: () => rig.state.snapshot(),
    serviceAccount: 'hitless-settle',
    nowMs: () => performance.now()
  })
  const load = startLoad({ host: release.host, classes: [{ name: 'plain', proxy: 'sidecar' }], perSecond: PER_SECOND })
  const lateMs: number[] = []
  try {
    for (let at = 0; at < WRITES; at += 1) {
      const [old, next] = at % 2 === 0 ? ['v1', 'v2'] : ['v2', 'v1']
      await must(release.write(release.placed(apply('all to the next', virtualService([rule([to(String(next))])])))))
      const ackedMs = await acknowledged(replicas, release.host, String(old))
      await load.answered(performance.now() + 200, 20)
      const late = load.answers.filter(({ sentMs, version }) => sentMs > ackedMs && version === old).map(({ sentMs }) => sentMs - ackedMs)
      lateMs.push(Math.max(0, ...late))
    }
  } finally {
    await load.stop()
    replicas.close()
    await stopped(rig, release, connection)
  }
  const sorted = lateMs.toSorted((one, other) => one - other)
  return { writes: WRITES, medianMs: rounded(sorted[Math.floor(WRITES / 2)]), mostMs: rounded(sorted.at(-1)) }
}

async function acknowledged(replicas: ReturnType<typeof replicasOf>, host: string, old: string): Promise<number> {
  const sight: Sight = { type: 'route', name: `outbound|3000||${host}`, cluster: `outbound|3000|${old}|${host}`, isThere: false }
  const [replica] = await replicas.current(new AbortController().signal)
  if (replica === undefined) throw new Error('there is no istiod')
  replica.watch([sight])
  for (;;) {
    const needs = replica.view.needs([sight])
    if (needs === null) await Promise.race([replica.changed(), sleep(100)])
    else if (standing(await replica.proxies(), needs, false).late.length === 0) return performance.now()
  }
}

async function stopped(rig: Rig, release: Release, connection: Connection): Promise<void> {
  await release.end()
  await connection.close()
  await rig.stop()
}

function rounded(ms: number | undefined): number {
  return Math.round((ms ?? 0) * 10) / 10
}
