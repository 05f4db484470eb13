/** A bound on work: what strangers write may be as large as the API server takes, and comparing its parts with each other costs more than that. */
import type { Kind, Labels } from './objects.ts'
import type { IndexName, Snapshot } from './snapshot.ts'

/** More steps were asked for than were granted. */
export class TooMuchWork extends Error {
  constructor(granted: number) {
    super(`more than ${granted} steps of work`)
    this.name = 'TooMuchWork'
  }
}

/** Counts down from what was granted; throws `TooMuchWork` below 0. */
export class Meter {
  readonly #granted: number
  #left: number

  constructor(granted: number) {
    this.#granted = granted
    this.#left = granted
  }

  charge(steps: number): void {
    this.#left -= steps
    if (this.#left < 0) throw new TooMuchWork(this.#granted)
  }
}

/** `base`, of which every look-up costs a step, and whose readers' own work is charged to the meter. */
export function metered(base: Snapshot, meter: Meter): Snapshot {
  const counted = <T>(found: T): T => {
    meter.charge(1)
    return found
  }
  return {
    settings: base.settings,
    knows: (kind) => base.knows(kind),
    charge: (steps) => meter.charge(steps),
    find: <K extends Kind>(kind: K, namespace: string, name: string) => counted(base.find(kind, namespace, name)),
    lookup: <I extends IndexName>(index: I, key: string) => counted(base.lookup(index, key)),
    countAtMost: (index, key) => base.countAtMost(index, key),
    all: <K extends Kind>(kind: K) => walked(base.all(kind), meter),
    podsAnywhere: (selector: Labels) => counted(base.podsAnywhere(selector))
  }
}

/** A walk over all of a kind costs a step for each of them. */
function* walked<T>(objects: Iterable<T>, meter: Meter): Iterable<T> {
  for (const object of objects) {
    meter.charge(1)
    yield object
  }
}
