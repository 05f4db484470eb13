/** The conditions that may cover a class are found by what it names: never is one left out that does. */
import fc from 'fast-check'
import t from 'tap'
import { type Condition, EVERY_REQUEST, type StringMatch } from '../../../src/kinds/http-rule.ts'
import { Conditions } from '../../../src/mesh/requests/conditions.ts'
import { covers } from '../../../src/mesh/routing/covers.ts'

const text = fc.constantFrom('', '/', '/a', '/A', '/a/b', '/a/B/', '/straße', '/STRASSE', '/ΑΣ', '/ας', '/\u212A', '/k', '/İ')
const match: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ type: fc.constantFrom('exact' as const, 'prefix' as const), value: text }),
  fc.record({ type: fc.constant('regex' as const), value: fc.constantFrom('.*', '/.*', '/a.*', '/A/b/.*', '/a/b', '/a/[ab]') }),
  fc.constant({ type: 'present' as const })
)
const matches = fc.dictionary(fc.constantFrom('x', 'X', 'y', 'x = 1'), match, { maxKeys: 2 })
const condition: fc.Arbitrary<Condition> = fc.record({
  uri: fc.option(match),
  ignoreUriCase: fc.boolean(),
  scheme: fc.constant(null),
  method: fc.option(match),
  authority: fc.constant(null),
  headers: matches,
  withoutHeaders: matches,
  queryParams: matches
})

t.test('every condition that covers a class is among those that may, in their order', (t) => {
  const holds = () =>
    fc.assert(
      fc.property(fc.array(condition, { minLength: 17, maxLength: 60 }), condition, (conditions, requestClass) => {
        const places = [...conditions.keys()]
        const asked = [...new Conditions(places, (place) => conditions[place] ?? EVERY_REQUEST).mayCover(requestClass, () => undefined)]
        const inOrder = asked.every((place, at) => at === 0 || place > (asked[at - 1] ?? Number.NaN))
        const covering = places.filter((place) => covers(conditions[place] ?? EVERY_REQUEST, requestClass))
        return inOrder && covering.every((place) => asked.includes(place))
      }),
      { numRuns: 2000, seed: 20261125 }
    )
  t.doesNotThrow(holds)
  t.end()
})

t.test('of many paths and header values only those that can match are asked', (t) => {
  const some = (of: Partial<Condition>): Condition => ({ ...EVERY_REQUEST, ...of })
  const paths = Array.from({ length: 5000 }, (_, at) => some({ uri: { type: at % 2 === 0 ? 'prefix' : 'exact', value: `/path-${at}/` } }))
  const users = Array.from({ length: 5000 }, (_, at) =>
    some({ uri: { type: 'prefix', value: '/api' }, headers: { user: { type: 'exact', value: `u${at}` } } })
  )
  const all = [...paths, ...users, EVERY_REQUEST]
  const conditions = new Conditions([...all.keys()], (place) => all[place] ?? EVERY_REQUEST)
  const asked = (requestClass: Condition) => {
    let effort = 0
    const places = [...conditions.mayCover(requestClass, (steps) => (effort += steps))]
    t.ok(effort < 200, `${effort} steps`)
    return places
  }
  t.strictSame(asked(some({ uri: { type: 'exact', value: '/path-42/x' } })), [42, 10_000])
  t.strictSame(asked(some({ uri: { type: 'prefix', value: '/api' }, headers: { User: { type: 'exact', value: 'u7' } } })), [5007, 10_000])
  t.strictSame(asked(EVERY_REQUEST), [10_000])
  t.end()
})
