/**
 * Argo Rollouts and Flagger themselves release through hitless, each release in a namespace of its own, all at the same time. Every one comes to its end, and at no
 * commit of it a request loses its answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Place } from '../controllers/place.ts'
import { RELEASES } from '../controllers/releases.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'
import { startReleaseControllers } from '../rig/release-controllers.ts'
import { Commits } from './commits.ts'

t.setTimeout(15 * 60_000)
t.jobs = 20

// Pods that end by themselves, of the analysis that is to fail.
const plane = await startControlPlane({ containers: { start: async () => undefined, stop: async () => undefined, run: async () => 1 } })
t.teardown(() => plane.stop())
const commits = await Commits.follow(plane.api)
t.teardown(() => commits.end())
const controllers = await startReleaseControllers(plane)
t.teardown(() => controllers.stop())
const hitless = await startHitless(plane, { register: false })
t.teardown(() => hitless.stop())
await plane.registerWebhook({ url: `https://127.0.0.1:${hitless.port}/validate`, caBundle: hitless.ca, timeoutSeconds: 30 })

const scene = { plane, controllers, log: hitless.log }
// One after the other: all at once they are more than two cores make in time.
for (const { name, world, canary } of RELEASES) {
  const place = new Place(name, scene)
  await place.open()
  await place.apply([...world, ...(canary === undefined ? [] : [canary])])
}

for (const { name, isThere, refused, beyond, play } of RELEASES) {
  t.test(name, async (t) => {
    const place = new Place(name, scene)
    await place.until('the first version is there', () => isThere(place))
    const from = commits.revision
    await play(place)
    await sleep(1000)
    const gaps = commits.gapsAfter(from, name).filter(({ commit }) => beyond?.test(commit) !== true)
    t.same(gaps, [], 'no gap opened at any commit')
    if (refused === undefined) t.same(place.refusals(), [], 'and none of its writes was refused')
    if (refused === 'always') t.ok(place.refusals().length > 0, 'and what would have opened one was refused')
  })
}
