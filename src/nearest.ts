/** The known word that a mistyped one most likely means; null where none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  const ranked = known.map((each) => ({ each, distance: distance(word, each) })).sort((one, other) => one.distance - other.distance)
  const [best] = ranked
  return best !== undefined && best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.each : null
}

/** Levenshtein's: how many letters to add, drop or change. */
function distance(one: string, other: string): number {
  let previous = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let row = 1; row <= one.length; row++) {
    const current = [row]
    for (let column = 1; column <= other.length; column++) {
      const change = (previous[column - 1] ?? 0) + Number(one[row - 1] !== other[column - 1])
      current.push(Math.min(change, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}
