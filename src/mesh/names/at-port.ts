/** One of a list by its port. */

/** A list of up to this length is searched; a longer one gets an index. */
const FEW = 16

const indexes = new WeakMap<readonly object[], ReadonlyMap<number, object>>()

/** The first of the list that has this port. A list of thousands is asked for each of its ports. */
export function atPort<T extends object>(list: readonly T[], portOf: (item: T) => number, port: number): T | undefined {
  if (list.length <= FEW) return list.find((item) => portOf(item) === port)
  let index = indexes.get(list) as Map<number, T> | undefined
  if (index === undefined) {
    index = new Map()
    for (const item of list) if (!index.has(portOf(item))) index.set(portOf(item), item)
    indexes.set(list, index)
  }
  return index.get(port)
}
