/** Only what a change can alter is compared, and comes to the same as comparing everything: random worlds and writes, judged both ways. */
import t from 'tap'
import { affectedTargets } from '../../../src/mesh/gaps/affected.ts'
import { type Gap, gapsOfChange, type Target } from '../../../src/mesh/gaps/gaps.ts'
import type { Snapshot } from '../../../src/mesh/snapshot/snapshot.ts'
import { judgementOf, snapshotsOf } from '../../../src/review/judgement.ts'
import { apply, remove, worldOf } from '../../changes.ts'
import { howMany } from '../../form.ts'
import { gateway, namespace, service } from '../../manifests.ts'
import { Dice, keyOfManifest } from './dice.ts'
import { fatesOf, keyOf } from './plain.ts'

const WORLDS = howMany(50, 150)
const WRITES = 4

/** Nothing on a host counts as served once its Service is gone. */
function mayBeTornDown(snapshots: readonly Snapshot[], { host }: Target): boolean {
  return snapshots.some((snapshot) => !snapshot.has('serviceByHost', host))
}

/** What differs between the two ways, in words; none where they come to the same. */
function differences(before: Snapshot, after: Snapshot, targets: readonly Target[]): string[] {
  const { all, opened } = gapsOfChange(before, after, targets)
  const keyed = (gaps: readonly Gap[]) =>
    Map.groupBy(gaps, (gap) => keyOf(gap, gap.port, gap.serverName, gap.protocol === 'http', gap.requestClass))
  const [stands, grows] = [keyed(all), keyed(opened)]
  return targets.flatMap((target) =>
    fatesOf(before, after, target).flatMap(({ connection, requestClass, before: was, after: is }) => {
      const key = keyOf(target, connection.port, connection.serverName, connection.http, requestClass)
      // A class may stand twice: as a condition, and as what two conditions have in common.
      const told = sumOnce(stands.get(key))
      const isOpened = was !== null && is !== null && is > was + 1e-9
      if (Math.abs(told - (is ?? 0)) > 1e-9) return [`${key}: ${told} fail instead of ${is}`]
      if (isOpened === grows.has(key) || (!grows.has(key) && mayBeTornDown([before, after], target))) return []
      return [`${key}: ${was} and then ${is}, opened: ${grows.has(key)}`]
    })
  )
}

function sumOnce(gaps: readonly Gap[] = []): number {
  const once = new Map(gaps.map(({ path, share }) => [JSON.stringify(path), share]))
  return [...once.values()].reduce((sum, share) => sum + share, 0)
}

t.test(`${WORLDS} random worlds, ${WRITES} writes to each`, async (t) => {
  let opens = 0
  for (let seed = 0; seed < WORLDS; seed++) {
    const dice = new Dice(seed)
    const stored = new Map([gateway(), service(), ...dice.many(14, () => dice.object())].map((each) => [keyOfManifest(each), each]))
    for (let turn = 0; turn < WRITES; turn++) {
      const world = worldOf([namespace('default'), namespace('other'), ...stored.values()])
      const known = dice.one([...stored.values()])
      const written = dice.chance(0.75) ? dice.edit(known) : dice.object()
      const change = dice.chance(0.15) ? remove(world, known) : apply(world, written)
      // As the review sees it, in which parts that stay are shared.
      const judged = judgementOf(change, world)
      const { before, after } = snapshotsOf(judged.change, world)
      const objects = [judged.change.before, judged.change.after].filter((object) => object !== null)
      const targets = affectedTargets(before, after, objects)
      const found = differences(before, after, targets)
      t.strictSame(found.slice(0, 3), [], `world ${seed}, write ${turn}`)
      if (judged.opened.length > 0) opens++
      if (change.operation === 'DELETE') stored.delete(keyOfManifest(known))
      else stored.set(keyOfManifest(written), written)
      if (stored.size === 0) break
    }
  }
  t.ok(opens > WORLDS / 5, `${opens} writes open a gap`)
})
