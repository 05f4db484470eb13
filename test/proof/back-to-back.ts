/** Releases in the right order without a pause between the writes: what hitless' settling is for. */
import { destinationRule, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { type Convergence, convergence } from './convergence.ts'
import { isFailure, startLoad } from './load.ts'
import { helloworld, must, workload } from './objects.ts'
import { Release } from './release.ts'
import type { Rig } from './rig.ts'
import { apply, remove, type WriteStep } from './scripts.ts'

const PER_SECOND = 500
/** Less than istiod waits for quiet, so that it goes on waiting. */
const BUSY_MS = 50

export interface BackToBack {
  readonly releases: number
  readonly requests: number
  readonly failed: number
  /** Releases in which some request failed. */
  readonly broken: number
  /** The longest time from the first failure of a release to its last, in milliseconds. */
  readonly spanMs: number
  /** The median time from the first write of a release to the answer to its last, in milliseconds. */
  readonly writingMs: number
  readonly convergence: Convergence
}

export interface BackToBackOptions {
  readonly releases: number
  /** The API server asks hitless. */
  readonly guarded: boolean
  /** Something else changes all the time, from the first write of a release to the last. */
  readonly busy: boolean
}

/** Plays releases from v1 to v2 and back. */
export async function backToBack(rig: Rig, { releases, guarded, busy }: BackToBackOptions): Promise<BackToBack> {
  const release = new Release(rig)
  await release.start([helloworld(), workload('v1'), destinationRule(['v1']), all('v1')])
  if (guarded) await rig.guard.on()
  const before = await rig.mesh.metrics()
  const load = startLoad({
    host: release.host,
    classes: [{ name: 'plain', proxy: 'sidecar' }],
    perSecond: PER_SECOND
  })
  const spans: number[] = []
  const writing: number[] = []
  try {
    for (let number = 0; number < releases; number += 1) {
      const seen = load.answers.length
      const [from, next] = number % 2 === 0 ? (['v1', 'v2'] as const) : (['v2', 'v1'] as const)
      const others = busy ? rig.marker.disturb(BUSY_MS) : null
      writing.push(await play(release, from, next, number % 4 < 2))
      await others?.stop()
      await release.quiet()
      const failures = load.answers.slice(seen).filter(isFailure)
      if (failures.length > 0) spans.push((failures.at(-1)?.answeredMs ?? 0) - (failures[0]?.answeredMs ?? 0))
    }
  } finally {
    await load.stop()
    if (guarded) await rig.guard.off()
    await release.end()
  }
  return {
    releases,
    requests: load.answers.length,
    failed: load.answers.filter(isFailure).length,
    broken: spans.length,
    spanMs: Math.round(Math.max(0, ...spans)),
    writingMs: Math.round(writing.sort((one, other) => one - other)[Math.floor(writing.length / 2)] ?? 0),
    convergence: convergence(before, await rig.mesh.metrics())
  }
}

/** The guide's steps. Its own order has the subset before the Pods; with the Pods first, the subset and its first weight stand side by side. */
async function play(release: Release, from: string, next: string, arePodsFirst: boolean): Promise<number> {
  const subset = apply('DestinationRule gains a subset', destinationRule([from, next].sort()))
  const pods = apply('Deployment', workload(next))
  const split = apply('VirtualService 50/50', virtualService([rule([to(from, 50), to(next, 50)])]))
  const startedMs = performance.now()
  const written = (step: WriteStep) => must(release.write(release.placed(step)))
  if (!arePodsFirst) await written(subset)
  await written(pods)
  await release.settled()
  if (arePodsFirst) await written(subset)
  await written(split)
  await written(apply('VirtualService all to the next', all(next)))
  await written(apply('DestinationRule drops a subset', destinationRule([next])))
  await written(remove('Deployment deleted', workload(from)))
  return performance.now() - startedMs
}

function all(version: string): Manifest {
  return virtualService([rule([to(version)])])
}
