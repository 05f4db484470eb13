/** The order of texts, by code unit: the same on every machine, and as Go compares strings. */
export function compareText(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
