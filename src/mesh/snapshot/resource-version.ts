/**
 * Whether `one` is a later resourceVersion than `other`. Decimal strings of up to 128 bits, so longer is later, then lexically (KEP-5504).
 * Only versions of one resource compare; where either is no such number, nothing is known and the answer is null.
 */
export function isLater(one: string, other: string): boolean | null {
  if (!isDecimal(one) || !isDecimal(other)) return null
  return one.length === other.length ? one > other : one.length > other.length
}

function isDecimal(version: string): boolean {
  return /^[1-9][0-9]*$/.test(version)
}
