/** What a soak has shown, in words, and what of it must not be. */
import type { SoakReport } from './soak.ts'
import type { Sample } from './soak-follower.ts'

/** Between the second third and the last: the first still fills caches. */
const MOST_GROWTH = 1.1

export function verdictOf({ samples, last, writes, faults: struck, checks, objects, unequal }: SoakReport): {
  lines: string[]
  faults: string[]
} {
  const third = Math.max(1, Math.floor(samples.length / 3))
  const parts = [samples.slice(0, third), samples.slice(third, -third), samples.slice(-third)].map((part) =>
    part.length > 0 ? part : samples
  )
  const thirds = (of: (sample: Sample) => number) => parts.map((part) => median(part.map(of)))
  const heap = thirds(({ heapMb }) => heapMb)
  const rss = thirds(({ rssMb }) => rssMb)
  const faults = [
    ...unequal.map((kind) => `${kind} was not as the server has it`),
    ...(last.drifted > 0 ? [`${last.drifted} objects differed from the server's`] : []),
    ...(last.compared === 0 ? ['nothing was compared with the server'] : []),
    ...(last.reviews.allowed > 0 ? [`${last.reviews.allowed} reviews were answered as if objects did not exist`] : []),
    ...(last.reviews.denied === 0 ? ['no review was judged'] : []),
    ...grown('heap', heap),
    ...grown('RSS', rss)
  ]
  const lines = [
    `${writes} writes, ${last.changes} changes followed, ${objects} objects at the end, equal to the server's at ${checks} checks`,
    `faults: ${JSON.stringify(struck)}`,
    `interruptions: ${JSON.stringify(last.interruptions)}; lists ${last.lists}`,
    `comparisons with the server: ${last.compared}, drift ${last.drifted}`,
    `reviews of a careless write: ${JSON.stringify(last.reviews)}`,
    `heap after collection, median of each third: ${heap.map((mb) => mb.toFixed(1)).join(', ')} MB`,
    `RSS, median of each third: ${rss.map((mb) => mb.toFixed(0)).join(', ')} MB`
  ]
  return { lines, faults }
}

function grown(what: string, [, second = 0, third = 0]: readonly number[]): string[] {
  return third > second * MOST_GROWTH ? [`${what} grew from ${second.toFixed(1)} to ${third.toFixed(1)} MB`] : []
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}
