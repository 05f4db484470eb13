/** What a decision looks at does not grow with the cluster: counted, so that it holds on any machine. */
import t from 'tap'
import { changeOf, SHAPES, worldOf } from '../../bench/shapes.ts'
import { WRITES, worldOfHosts } from '../../bench/worlds.ts'
import type { IndexedObject, IndexName, Kind, ObjectOf } from '../../src/kinds/index.ts'
import type { Pod } from '../../src/kinds/pod.ts'
import type { Snapshot, World } from '../../src/mesh/snapshot/snapshot.ts'
import { decide } from '../../src/review/decide.ts'
import { judgementOf } from '../../src/review/judgement.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'

/** A world that counts the look-ups made in it and the objects handed out. */
class Counted implements Snapshot {
  readonly #world: World
  lookups = 0
  objects = 0
  steps = 0

  constructor(world: World) {
    this.#world = world
  }

  get settings() {
    return this.#world.settings
  }

  charge(steps: number): void {
    this.steps += steps
  }

  knows(kind: Kind): boolean {
    return this.#world.knows(kind)
  }

  find<K extends Kind>(kind: K, namespace: string, name: string): ObjectOf<K> | undefined {
    this.lookups++
    return this.#world.find(kind, namespace, name)
  }

  lookup<I extends IndexName>(index: I, key: string): Iterable<IndexedObject<I>> {
    return this.#counted(this.#world.lookup(index, key))
  }

  countAtMost(index: IndexName, key: string): number {
    this.lookups++
    return this.#world.countAtMost(index, key)
  }

  has(index: IndexName, key: string): boolean {
    this.lookups++
    return this.#world.has(index, key)
  }

  all<K extends Kind>(kind: K): Iterable<ObjectOf<K>> {
    return this.#counted(this.#world.all(kind))
  }

  podsAnywhere(selector: Readonly<Record<string, string>>): Iterable<Pod> {
    return this.#counted(this.#world.podsAnywhere(selector))
  }

  *#counted<T>(found: Iterable<T>): Iterable<T> {
    this.lookups++
    for (const object of found) {
      this.objects++
      yield object
    }
  }
}

/** Enough that a label of one host's Pods is always rarer than one of the whole namespace, by which the look-ups of Pods choose. */
const FEW = 600
const MANY = 3000

const few = worldOfHosts(FEW)
const many = worldOfHosts(MANY)

for (const write of WRITES.filter(({ wide }) => wide !== true)) {
  t.test(`${write.name}: as many look-ups among ${MANY} hosts as among ${FEW}`, async (t) => {
    const [ofFew, ofMany] = [few, many].map((world) => {
      const counted = new Counted(world)
      const { verdict } = decide(write.change(world, 42), counted, DEFAULT_POLICY, 0)
      return { verdict, lookups: counted.lookups, objects: counted.objects }
    })
    t.equal(ofFew?.verdict, write.verdict)
    t.strictSame(ofMany, ofFew)
  })
}

for (const shape of SHAPES) {
  t.test(`ten times as much takes no more than ten times the steps: ${shape.name}`, async (t) => {
    const steps = (size: number) => {
      const world = worldOf(shape, size)
      return judgementOf(changeOf(shape, world, size, 0), world).meter.spent
    }
    const [few, many] = [steps(60), steps(600)]
    t.ok(many < 11 * few, `${few} and ${many}`)
  })
}
