/** Objects as large as strangers can make them: what cannot be judged in bounded work is refused with a code, and others get their answers. */
import t from 'tap'
import { create, stored, update } from '../admission/reviews.ts'
import { destinationRule, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { assertAnswer, reviewTarget, WORLD } from './reviews.ts'

type Fields = Record<string, unknown>

const many = <T>(count: number, each: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => each(at))
const routed = (match: Fields[], spec: Fields = {}) => virtualService([rule([to('v1')], match), rule([to('v1')])], spec)
const routes = (count: number, match: (at: number) => Fields) =>
  virtualService([...many(count, (at) => rule([to('v1')], [match(at)])), rule([to('v1')])])
const named = (count: number, value: unknown) => Object.fromEntries(many(count, (at) => [`h${at}`, value]))

/** Each takes a number of parts; that of the last column is what honest objects may have. */
const SHAPES: readonly (readonly [string, (count: number) => Manifest, number])[] = [
  ['routes', (count) => routes(count, (at) => ({ uri: { prefix: `/p${at}` } })), 5000],
  ['matches of one route', (count) => routed(many(count, (at) => ({ uri: { prefix: `/p${at}` } }))), 10_000],
  ['regular expressions', (count) => routes(count, (at) => ({ uri: { regex: `/(a|b)*c{1,20}.*${at}` } })), 500],
  [
    'regular expressions beside paths that are slow to match',
    (count) => routes(count, (at) => ({ uri: at % 2 ? { regex: `/(a*)*(b*)*c${at}` } : { exact: `/${'a'.repeat(200)}${at}` } })),
    200
  ],
  ['headers', (count) => routed([{ headers: named(count, { exact: 'x' }) }]), 10_000],
  ['excluded headers', (count) => routed([{ withoutHeaders: named(count, { exact: 'x' }) }]), 200],
  ['hosts', (count) => virtualService([rule([to('v1')])], { hosts: ['helloworld', ...many(count, (at) => `h${at}`)] }), 200],
  [
    'hosts at a gateway',
    (count) => virtualService([rule([to('v1')])], { gateways: ['gateway'], hosts: many(count, (at) => `h${at}.com`) }),
    1000
  ],
  ['gateways', (count) => virtualService([rule([to('v1')])], { gateways: ['mesh', ...many(count, (at) => `g${at}`)] }), 200],
  ['destinations', (count) => virtualService([rule([to('v1', 1000), ...many(count, (at) => to(`v${at}`, 1))])]), 5000],
  [
    'mirrors',
    (count) => virtualService([{ ...rule([to('v1')]), mirrors: many(count, (at) => ({ destination: { host: `h${at}` } })) }]),
    5000
  ],
  ['subsets', (count) => destinationRule(['v1', ...many(count, (at) => `x${at}`)]), 10_000],
  ['ports', (count) => service({ ports: many(count, (at) => ({ name: `p${at}`, port: at + 1 })) }), 500]
]
const MOST_PARTS = 12_000

// On a busy machine; work without bound would take hours.
t.setTimeout(1_200_000)

const { fill, post } = await reviewTarget(t)

for (const [what, make, honest] of SHAPES) {
  for (const [count, statuses] of [
    [honest, [200]],
    [MOST_PARTS, [200, 422]]
  ] as const) {
    t.test(`${count} ${what}`, async (t) => {
      fill(WORLD)
      const text = JSON.stringify(update(stored(make(1).kind), make(count)))
      const answer = await post(text)
      assertAnswer(text, answer)
      t.ok((statuses as readonly number[]).includes(answer.status), answer.body.slice(0, 200))
      if (answer.status === 422) t.match(answer.json, { reason: 'HITLESS_TOO_COMPLEX', message: /takes more than 5000000 steps/ })
      t.match(await post(create(stored('VirtualService'))), { status: 200 }, 'the next review')
    })
  }
}

t.test('an object nested as deep as JSON can be', async (t) => {
  const depth = 500_000
  const text = JSON.stringify(create(stored('VirtualService'))).replace(
    '"spec":{',
    `"spec":{"x":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)},`
  )
  fill(WORLD)
  t.match(await post(text), { status: 413 })
  t.match(await post(create(stored('VirtualService'))), { status: 200 }, 'the next review')
})
