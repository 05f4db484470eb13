/** Releases in the right order without a pause between the writes: what hitless' settling is for. */
import { loadavg } from 'node:os'
import { destinationRule, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { type Asked, asked, type Convergence, convergence } from './convergence.ts'
import { ofVersion, only, split } from './gateway-api-scripts.ts'
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
  /** The median time for which writes were held that were, in milliseconds; null where none was. */
  readonly heldMs: number | null
  /** What istiod was asked for a held write, in the mean; null where none was held, or the clock decided. */
  readonly askedAHold: Asked | null
  readonly convergence: Convergence
  /** Processes of the machine that ran or waited to run, in the mean of the last five minutes. */
  readonly load: number
}

export interface BackToBackOptions {
  readonly releases: number
  /** The API server asks hitless. */
  readonly guarded: boolean
  /** Something else changes all the time, from the first write of a release to the last. */
  readonly busy: boolean
  /** Versions are subsets of a VirtualService's host, or Services of an HTTPRoute. */
  readonly by?: keyof typeof WAYS
}

/** How versions are told apart, and what is written to go from one to the next. */
interface Way {
  readonly base: (version: string) => readonly Manifest[]
  /** What the next one needs beside its Pods. */
  readonly beside: (from: string, next: string) => WriteStep
  readonly half: (from: string, next: string) => WriteStep
  readonly all: (next: string) => WriteStep
  readonly cleanUp: (from: string, next: string) => WriteStep
}

const WAYS: Readonly<Record<'subsets' | 'services', Way>> = {
  subsets: {
    base: (version) => [helloworld(), workload(version), destinationRule([version]), all(version)],
    beside: (from, next) => apply('DestinationRule gains a subset', destinationRule([from, next].sort())),
    half: (from, next) => apply('VirtualService 50/50', virtualService([rule([to(from, 50), to(next, 50)])])),
    all: (next) => apply('VirtualService all to the next', all(next)),
    cleanUp: (_, next) => apply('DestinationRule drops a subset', destinationRule([next]))
  },
  services: {
    base: (version) => [helloworld(), ofVersion(version), workload(version), only(version)],
    beside: (_, next) => apply('Service of the next', ofVersion(next)),
    half: () => apply('HTTPRoute 50/50', split(50, 50)),
    all: (next) => apply('HTTPRoute all to the next', only(next)),
    cleanUp: (from) => remove('Service deleted', ofVersion(from))
  }
}

/** Plays releases from v1 to v2 and back. */
export async function backToBack(rig: Rig, { releases, guarded, busy, by = 'subsets' }: BackToBackOptions): Promise<BackToBack> {
  const way = WAYS[by]
  const release = new Release(rig)
  await release.start(way.base('v1'))
  if (guarded) await rig.guard.on()
  const before = await rig.mesh.metrics()
  const heldBefore = await heldCount(rig)
  const load = startLoad({
    host: release.host,
    classes: [{ name: 'plain', proxy: 'sidecar' }],
    perSecond: PER_SECOND
  })
  const spans: number[] = []
  const writing: number[] = []
  const writes: number[] = []
  let held = 0
  try {
    for (let number = 0; number < releases; number += 1) {
      const seen = load.answers.length
      const [from, next] = number % 2 === 0 ? (['v1', 'v2'] as const) : (['v2', 'v1'] as const)
      const others = busy ? rig.marker.disturb(BUSY_MS) : null
      writing.push(await play(release, way, [from, next], number % 4 < 2, writes))
      await others?.stop()
      await release.quiet()
      const failures = load.answers.slice(seen).filter(isFailure)
      if (failures.length > 0) spans.push((failures.at(-1)?.answeredMs ?? 0) - (failures[0]?.answeredMs ?? 0))
    }
    held = (await heldCount(rig)) - heldBefore
  } finally {
    await load.stop()
    if (guarded) await rig.guard.off()
    await release.end()
  }
  const after = await rig.mesh.metrics()
  return {
    releases,
    requests: load.answers.length,
    failed: load.answers.filter(isFailure).length,
    broken: spans.length,
    spanMs: Math.round(Math.max(0, ...spans)),
    writingMs: Math.round(writing.sort((one, other) => one - other)[Math.floor(writing.length / 2)] ?? 0),
    heldMs: medianOfLongest(writes, held),
    askedAHold: shared(asked(before, after), held),
    convergence: convergence(before, after),
    load: Math.round(loadavg()[1] ?? 0)
  }
}

/** The guide's steps. Its own order has the subset before the Pods; with the Pods first, the subset or Service and its first weight stand side by side. */
async function play(
  release: Release,
  { beside, half, all: whole, cleanUp }: Way,
  [from, next]: readonly [from: string, next: string],
  arePodsFirst: boolean,
  writes: number[]
): Promise<number> {
  const startedMs = performance.now()
  const written = async (step: WriteStep) => {
    const sentMs = performance.now()
    await must(release.write(release.placed(step)))
    writes.push(performance.now() - sentMs)
  }
  if (!arePodsFirst) await written(beside(from, next))
  await written(apply('Deployment', workload(next)))
  await release.settled()
  if (arePodsFirst) await written(beside(from, next))
  await written(half(from, next))
  await written(whole(next))
  await written(cleanUp(from, next))
  await written(remove('Deployment deleted', workload(from)))
  return performance.now() - startedMs
}

async function heldCount(rig: Rig): Promise<number> {
  return Number(/^hitless_held_seconds_count (\d+)$/m.exec(await rig.metrics())?.[1] ?? 0)
}

/** Whatever took longest was held. */
function medianOfLongest(writes: readonly number[], held: number): number | null {
  const longest = [...writes].sort((one, other) => other - one).slice(0, held)
  return held === 0 ? null : Math.round(longest[Math.floor(longest.length / 2)] ?? 0)
}

function shared({ answers, bytes }: Asked, held: number): Asked | null {
  return held === 0 || answers === 0 ? null : { answers: Math.round((10 * answers) / held) / 10, bytes: Math.round(bytes / held) }
}

function all(version: string): Manifest {
  return virtualService([rule([to(version)])])
}
