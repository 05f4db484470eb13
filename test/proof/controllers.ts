/** Argo Rollouts and Flagger themselves release on the real mesh, each release in a namespace of its own and under requests of its own. */
import { request } from 'undici'
import { Place, type Scene } from '../controllers/place.ts'
import { BETA_HEADER, RELEASES, type Release } from '../controllers/releases.ts'
import { startReleaseControllers } from '../rig/release-controllers.ts'
import { PORTS } from './addresses.ts'
import { type Answer, isFailure, type LoadClass, startLoad } from './load.ts'
import { startRig } from './rig.ts'

export interface ControlledRelease {
  readonly mesh: string
  readonly name: string
  readonly way: 'without' | 'with'
  readonly seconds: number
  readonly requests: number
  readonly failed: number
  /** Each status of a failed request, and how many had it. */
  readonly statuses: Readonly<Record<string, number>>
  /** From the first failure to the last. */
  readonly gapMs: number
  readonly refused: number
  /** It loses requests by what no webhook is asked about. */
  readonly beyond: boolean
  /** Why it did not come to its end; null where it did. */
  readonly stuck: string | null
}

/** Requests to each release. */
export const PER_SECOND = 60
/** At a time: more would be more than a small machine answers in time. */
const LANES = 5
const CLASSES: readonly LoadClass[] = [
  { name: 'plain', proxy: 'sidecar' },
  { name: 'beta', proxy: 'sidecar', headers: BETA_HEADER }
]

/** What is pushed late meets Pods that are gone already. */
const SLOW = { istiod: { PILOT_DEBOUNCE_AFTER: '1s' } }

export interface ControlledOptions {
  /** Of these releases; of all where there is none. */
  readonly names: readonly string[]
  readonly ways: readonly ControlledRelease['way'][]
  /** On a mesh whose istiod waits for a second of quiet before it pushes. */
  readonly slow: boolean
}

/** Plays releases side by side, and reports each when it has come to its end. */
export async function controlled({ names, ways, slow }: ControlledOptions, report: (release: ControlledRelease) => void): Promise<void> {
  const unknown = names.find((name) => !RELEASES.some((release) => release.name === name))
  if (unknown !== undefined) throw new Error(`there is no release ${unknown}; there are ${RELEASES.map(({ name }) => name).join(', ')}`)
  const chosen = RELEASES.filter(({ name }) => names.length === 0 || names.includes(name))
  const rig = await startRig(slow ? SLOW : {})
  const controllers = await startReleaseControllers(rig.plane)
  const mesh = slow ? 'debounce of 1 s' : "istiod's defaults"
  // One after the other: a mark is lost to the next one.
  let marked = Promise.resolve()
  const reached = () => {
    marked = marked.then(() => rig.marker.reached())
    return marked
  }
  for (const way of ways) {
    const scene: Scene = { plane: rig.plane, controllers, log: way === 'with' ? rig.log : null }
    if (way === 'with') await rig.guard.on()
    const left = [...chosen]
    const lane = async () => {
      for (let release = left.shift(); release !== undefined; release = left.shift()) {
        report({ mesh, way, ...(await played(release, new Place(`${release.name}-${way}`, scene), reached)) })
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    if (way === 'with') await rig.guard.off()
  }
  await controllers.stop()
  await rig.stop()
}

async function played(
  { world, canary, isThere, play, name, beyond }: Release,
  place: Place,
  reached: () => Promise<void>
): Promise<Omit<ControlledRelease, 'mesh' | 'way'>> {
  const host = `web.${place.name}.svc.cluster.local`
  await place.open()
  await place.apply(world)
  await place.until('what is there answers', () => answers(host))
  if (canary === undefined) await place.until('the first version is there', () => isThere(place))
  await reached()
  const startedMs = performance.now()
  const load = startLoad({ host, classes: CLASSES, perSecond: PER_SECOND })
  const stuck = await (async () => {
    if (canary !== undefined) {
      await place.apply([canary])
      await place.until('the first version is there', () => isThere(place))
    }
    await play(place)
    // What it did last is known to the proxies, and seen by requests.
    await reached()
    await load.answered(performance.now(), PER_SECOND)
    return null
  })().catch((error) => String(error))
  await load.stop()
  const failures = load.answers.filter(isFailure)
  const at = failures.map(({ answeredMs }) => answeredMs)
  return {
    name,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    requests: load.answers.length,
    failed: failures.length,
    statuses: counted(failures),
    gapMs: failures.length === 0 ? 0 : Math.round(Math.max(...at) - Math.min(...at)),
    refused: place.refusals().length,
    beyond: beyond !== undefined,
    stuck
  }
}

/** A request gets an answer: of a first one a new mesh may know nothing yet. */
async function answers(host: string): Promise<boolean> {
  const { statusCode, body } = await request(`http://127.0.0.1:${PORTS.sidecar}/`, { headers: { host } })
  await body.dump()
  return statusCode === 200
}

function counted(failures: readonly Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status } of failures) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** What a release must not have come to, in words. */
export function controlledFaults({ name, way, failed, requests, statuses, gapMs, beyond, stuck }: ControlledRelease): string[] {
  if (way === 'without') return stuck === null ? [] : [`${name} without hitless did not come to its end: ${stuck}`]
  return [
    ...(stuck === null ? [] : [`${name} did not come to its end: ${stuck}`]),
    ...(failed > 0 && !beyond
      ? [`${name}: ${failed} of ${requests} requests failed within ${gapMs} ms, by status ${JSON.stringify(statuses)}`]
      : [])
  ]
}
