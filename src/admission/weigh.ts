/** A change judged by what is stored, and once more for each way in which the pending writes that it leans on may turn out. */
import { refKey } from '../kinds/index.ts'
import { consequencesOf } from '../mesh/routing/gateway-api/compiled.ts'
import type { InParts } from '../mesh/snapshot/in-parts.ts'
import { TooMuchWork } from '../mesh/snapshot/metered.ts'
import { type PendingWrite, Suppositions } from '../mesh/snapshot/pending.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Judged } from '../review/decide.ts'
import { MOST_WORK } from '../review/judgement.ts'

/** Of up to so many pending writes every combination is tried, eight judgements. Of more: all of them, each alone, and all but each. */
const MOST_COMBINED = 3
/** Of more than so many only the youngest are weighed: the others have had the longest time to be made or refused. */
const MOST_ALONE = 12

export interface Weighed {
  /** The judgement by what is stored: pending writes count for nothing. */
  readonly stored: Judged
  /** Judgements with pending writes supposed made. */
  readonly supposed: readonly Judged[]
  /** The pending writes that were come across. */
  readonly leaning: ReadonlySet<PendingWrite>
  /** Those of them on which the verdict depends; empty where it is the same with and without them. */
  readonly deciding: readonly PendingWrite[]
}

export type Judge = (snapshot: Snapshot) => InParts<Judged>

/** Throws TooMuchWork where the judgement by what is stored takes too much. Where the others do, all that the change leans on decides. */
export function* weigh(base: Snapshot, pending: readonly PendingWrite[], judge: Judge): InParts<Weighed> {
  if (pending.length === 0) return { stored: yield* judge(base), supposed: [], leaning: new Set(), deciding: [] }
  const suppositions = new Suppositions(base, pending, consequencesOf)
  const leaning = new Set<PendingWrite>()
  const judgeWith = (made: ReadonlySet<PendingWrite>) => judge(suppositions.with(made, (write) => leaning.add(write)))
  const stored = yield* judgeWith(new Set())
  const tried = new Map<string, Supposed>()
  let spent = 0
  // With one of them made, the change may lean on others.
  for (let known = -1; known !== leaning.size; ) {
    known = leaning.size
    for (const made of combinations([...leaning])) {
      const key = keyOf(made, pending)
      if (tried.has(key)) continue
      const judged = spent < MOST_WORK ? yield* unlessTooMuch(judgeWith(made)) : null
      if (judged === null) return { stored, supposed: [], leaning, deciding: [...leaning] }
      spent += judged.judgement?.meter.spent ?? 0
      tried.set(key, { made, judged })
    }
  }
  const others = [...tried.values()]
  return { stored, supposed: others.map(({ judged }) => judged), leaning, deciding: decidingOf(stored, others) }
}

interface Supposed {
  readonly made: ReadonlySet<PendingWrite>
  readonly judged: Judged
}

function* unlessTooMuch(judging: InParts<Judged>): InParts<Judged | null> {
  try {
    return yield* judging
  } catch (error) {
    if (error instanceof TooMuchWork) return null
    throw error
  }
}

/** The fewest that make another verdict. */
function decidingOf(
  stored: Judged,
  tried: readonly { readonly made: ReadonlySet<PendingWrite>; readonly judged: Judged }[]
): PendingWrite[] {
  const other = tried.filter(({ judged }) => isRefused(judged) !== isRefused(stored)).map(({ made }) => made)
  const fewest = other.reduce((least, { size }) => Math.min(least, size), Number.POSITIVE_INFINITY)
  return [...new Set(other.filter(({ size }) => size === fewest).flatMap((made) => [...made]))]
}

export function isRefused({ decision }: Judged): boolean {
  return decision.verdict === 'deny'
}

/** Sets of writes that can be made together, of which there is one at most for each object; the empty set is left out. */
function* combinations(leaning: readonly PendingWrite[]): Iterable<ReadonlySet<PendingWrite>> {
  const objects = [...Map.groupBy(leaning, ({ ref }) => refKey(ref)).values()]
  if (objects.length <= MOST_COMBINED) {
    for (const made of product(objects)) if (made.length > 0) yield new Set(made)
    return
  }
  const youngest = objects.flatMap((writes) => writes.slice(-1))
  yield new Set(youngest)
  for (const write of leaning.slice(-MOST_ALONE)) yield new Set([write])
  for (const write of youngest.slice(-MOST_ALONE)) yield new Set(youngest.filter((each) => each !== write))
}

function product(objects: readonly (readonly PendingWrite[])[]): PendingWrite[][] {
  return objects.reduce<PendingWrite[][]>(
    (sets, writes) => sets.flatMap((made) => [made, ...writes.map((write) => [...made, write])]),
    [[]]
  )
}

function keyOf(made: ReadonlySet<PendingWrite>, pending: readonly PendingWrite[]): string {
  return [...made]
    .map((write) => pending.indexOf(write))
    .sort((one, other) => one - other)
    .join(',')
}
