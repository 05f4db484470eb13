import type { Labels } from '../snapshot/objects.ts'
import { own } from './own.ts'

/** Every pair of `selector` stands in `labels`. An empty selector selects everything. */
export function selects(selector: Labels, labels: Labels): boolean {
  for (const key in selector) if (own(labels, key) !== selector[key]) return false
  return true
}

/** Both selectors can be met by one set of labels: they name no common key with different values. */
export function compatible(one: Labels, other: Labels): boolean {
  for (const key in one) if (Object.hasOwn(other, key) && one[key] !== other[key]) return false
  return true
}

export function sameLabels(one: Labels, other: Labels): boolean {
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && selects(one, other)
}
