/** Long work that may be left between its parts, so that others have their turn. What drives it says when: nothing here knows of time. */

/** Yields wherever it may be left. It is never left in the middle of a look-up, whose objects come and go with the snapshot. */
export type InParts<T> = Generator<undefined, T, undefined>

/** How long one who works may go on before others have their turn. */
export interface Pace {
  isDue(): boolean
  /** Lets everything run that waits. */
  turn(): Promise<void>
}

/** What `find` gives of each, a part each. */
export function* flatMapInParts<T, R>(items: Iterable<T>, find: (item: T) => Iterable<R>): InParts<R[]> {
  const found: R[] = []
  for (const item of items) {
    for (const each of find(item)) found.push(each)
    yield
  }
  return found
}

/** The same, where finding what there is of one is done in parts itself. */
export function* gatheredInParts<T, R>(items: Iterable<T>, find: (item: T) => InParts<readonly R[]>): InParts<R[]> {
  const found: R[] = []
  for (const item of items) {
    for (const each of yield* find(item)) found.push(each)
    yield
  }
  return found
}

/** All of it at once. */
export function whole<T>(work: InParts<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}

/** As much of it as the pace grants without a pause; null where that is not all, and the rest is given up. */
export function unlessDue<T>(work: InParts<T>, pace: Pace): { readonly value: T } | null {
  for (;;) {
    const { done, value } = work.next()
    if (done) return { value }
    if (pace.isDue()) {
      work.return(undefined as never)
      return null
    }
  }
}

/** All of it, with pauses; rejects with the signal's reason where that ends before. */
export async function paced<T>(work: InParts<T>, pace: Pace, signal: AbortSignal): Promise<T> {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
    if (!pace.isDue()) continue
    await pace.turn()
    signal.throwIfAborted()
  }
}
