/** What is kept from one decision to the next changes no judgement: random writes to a world that stands, judged there and in one of which nothing is known yet. */
import t from 'tap'
import { KINDS } from '../../../src/kinds/index.ts'
import { MeshWorld } from '../../../src/mesh/routing/gateway-api/compiled.ts'
import type { World } from '../../../src/mesh/snapshot/snapshot.ts'
import { podsAfter } from '../../../src/mesh/snapshot/workloads.ts'
import type { Change } from '../../../src/review/change.ts'
import { judgementOf } from '../../../src/review/judgement.ts'
import { apply, remove, worldOf } from '../../changes.ts'
import { howMany } from '../../form.ts'
import { gateway, type Manifest, namespace, service } from '../../manifests.ts'
import { Dice, keyOfManifest } from './dice.ts'

const WORLDS = howMany(8, 40)
const WRITES = 10
/** More than are asked one by one. */
const MERGED = 14

/** The same objects, of which none was ever asked about. */
function copyOf(world: World): World {
  const copy = new MeshWorld()
  for (const kind of KINDS) for (const object of world.all(kind)) copy.set(structuredClone(object))
  return copy
}

function judged(world: World, written: Manifest, isGone: boolean): unknown {
  const { targets, gaps, opened } = judgementOf(isGone ? remove(world, written) : apply(world, written), world)
  return {
    targets,
    opened: opened.map((gap) => gaps.indexOf(gap)),
    gaps: gaps.map(({ servedBy, ...gap }) => ({ ...gap, by: servedBy?.source ?? null }))
  }
}

/** The watch shows what was written, and the Pods that come and go with it. */
function follow(world: World, change: Change): void {
  const pods = podsAfter(change, world)
  if (change.after === null) world.delete(change.ref)
  else world.set(structuredClone(change.after))
  for (const pod of pods.removed) world.delete(pod)
  for (const pod of pods.added) world.set(pod)
}

t.test(`${WORLDS} random worlds, ${WRITES} writes to each`, async (t) => {
  let gaps = 0
  for (let seed = 0; seed < WORLDS; seed++) {
    const dice = new Dice(1000 + seed)
    const merged = Array.from({ length: MERGED }, (_, at) => dice.merged(`merged-${at}`))
    const all = [namespace('default'), namespace('other'), gateway(), service(), ...merged, ...dice.many(10, () => dice.object())]
    const stored = new Map(all.map((each) => [keyOfManifest(each), each]))
    const world = worldOf([...stored.values()])
    for (let turn = 0; turn < WRITES; turn++) {
      const known = dice.one([...stored.values()].slice(2))
      const isGone = dice.chance(0.15)
      const written = isGone ? known : dice.chance(0.8) ? dice.edit(known) : dice.object()
      const found = judged(copyOf(world), written, isGone)
      t.strictSame(judged(world, written, isGone), found, `world ${seed}, write ${turn}`)
      gaps += (found as { gaps: unknown[] }).gaps.length
      follow(world, isGone ? remove(world, written) : apply(world, written))
      if (isGone) stored.delete(keyOfManifest(written))
      else stored.set(keyOfManifest(written), written)
    }
  }
  t.ok(gaps > WORLDS, `${gaps} gaps`)
})
