import { KINDS } from '../../src/kinds/index.ts'
import { MeshWorld } from '../../src/mesh/routing/gateway-api/compiled.ts'
import type { Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import type { Facts, Health, State } from '../../src/mesh/snapshot/state.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'

/** A cluster whose cache is one write behind: it shows the world as it was before the last admitted write. Reads show it as it is, or as late. */
export class Behind implements State {
  readonly facts: Facts
  readonly #sandbox: Sandbox
  #shown: Snapshot | null = null

  constructor(sandbox: Sandbox, reads: 'fresh' | 'behind' = 'fresh') {
    this.#sandbox = sandbox
    this.facts =
      reads === 'fresh'
        ? sandbox.facts
        : {
            read: async ({ kind, namespace, name }) => this.snapshot().find(kind, namespace, name) ?? null,
            list: async ({ kind }) => [...this.snapshot().all(kind)]
          }
  }

  snapshot(): Snapshot {
    return this.#shown ?? this.#sandbox.snapshot()
  }

  admitted(write: Write): void {
    this.#shown = copyOf(this.#sandbox.snapshot())
    this.#sandbox.admitted(write)
  }

  pending(): readonly [] {
    return []
  }

  health(): Health {
    return this.#sandbox.health()
  }
}

/** A snapshot that no longer changes. */
export function copyOf(snapshot: Snapshot): MeshWorld {
  const world = new MeshWorld(snapshot.settings)
  for (const kind of KINDS) for (const object of snapshot.all(kind)) world.set(object)
  return world
}
