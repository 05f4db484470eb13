import fc from 'fast-check'
import t from 'tap'
import { parseReview } from '../../src/admission/review.ts'
import { HitlessError } from '../../src/errors.ts'
import { worldOf } from '../changes.ts'
import { guide } from '../manifests.ts'
import { create, remove, scale, stored, update } from './reviews.ts'

const world = worldOf(guide())

const reviews: readonly unknown[] = [
  ...['VirtualService', 'DestinationRule', 'Service', 'Deployment'].flatMap((kind) => [
    create(stored(kind)),
    update(stored(kind), stored(kind)),
    remove(stored(kind))
  ]),
  scale('helloworld-v1', 2, 0)
]

/** Every path to a value within `value`. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, part]) => pathsOf(part, [...path, key]))]
}

/** `value` with `other` at `path`. */
function replaced(value: unknown, [key, ...rest]: readonly string[], other: unknown): unknown {
  if (key === undefined) return other
  if (Array.isArray(value)) return value.map((part, at) => (String(at) === key ? replaced(part, rest, other) : part))
  return Object.fromEntries(Object.entries(Object(value)).map(([name, part]) => [name, name === key ? replaced(part, rest, other) : part]))
}

const mutated = fc
  .constantFrom(...reviews)
  .chain((review) => fc.tuple(fc.constant(review), fc.constantFrom(...pathsOf(review)), fc.jsonValue({ maxDepth: 3 })))
  .map(([review, path, other]) => replaced(review, path, other))

t.test('a review with any value in any place is read or refused, and never breaks the reader', async (t) => {
  fc.assert(
    fc.property(mutated, (review) => {
      try {
        const { uid, warnings } = parseReview(JSON.parse(JSON.stringify(review)), world)
        return uid !== '' && warnings.every((warning) => warning.length <= 120)
      } catch (error) {
        return error instanceof HitlessError && error.code === 'HITLESS_BAD_REVIEW'
      }
    }),
    { numRuns: 3000 }
  )
  t.pass()
})
