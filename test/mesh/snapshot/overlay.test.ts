import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { contextsOf } from '../../../src/cli/contexts.ts'
import { indexesOf, KINDS, keysOf, type MeshObject } from '../../../src/kinds/index.ts'
import { overlay, type Snapshot, World } from '../../../src/mesh/snapshot/snapshot.ts'
import { routesJson } from '../../../src/output/route-json.ts'
import { readLines, sandboxOf } from '../../conformance/worlds.ts'

const WORLDS = join(import.meta.dirname, '../..', 'conformance', 'worlds')
const CHANGED = ['VirtualService', 'DestinationRule', 'Service', 'ServiceEntry', 'Gateway', 'Sidecar', 'Pod'] as const

t.test('a snapshot with a change laid over it is the world as the change leaves it', async (t) => {
  for (const line of readLines(join(WORLDS, 'named.jsonl'))) {
    const whole = sandboxOf(join(WORLDS, 'named'), line.case).sandbox.snapshot()
    const contexts = contextsOf(whole)
    const shown = routesJson(whole, contexts)
    for (const object of CHANGED.flatMap((kind) => [...whole.all(kind)])) {
      const without = worldOf(whole, object)
      const removed = overlay(whole, { removed: [object] })
      const added = overlay(without, { added: [object] })
      const name = `${line.case}: ${object.kind} ${object.namespace}/${object.name}`
      same(t, routesJson(removed, contexts), routesJson(without, contexts), `${name} removed`)
      for (const index of indexesOf(object.kind))
        for (const key of keysOf(index, object)) t.equal(removed.has(index, key), without.has(index, key), `${name} removed, ${index}`)
      same(t, routesJson(added, contexts), shown, `${name} added`)
    }
  }
})

/** Tap works out a difference even where there is none. */
function same(t: Pick<Test, 'ok' | 'strictSame'>, one: unknown, other: unknown, name: string): void {
  if (isDeepStrictEqual(one, other)) t.ok(true, name)
  else t.strictSame(one, other, name)
}

/** The same objects but one. */
function worldOf(snapshot: Snapshot, without: MeshObject): World {
  const world = new World(snapshot.settings)
  for (const kind of KINDS) for (const object of snapshot.all(kind)) if (object !== without) world.set(object)
  return world
}
