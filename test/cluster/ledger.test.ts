/** What is pending, for how long, and how much of it is kept. */
import t from 'tap'
import { Ledger } from '../../src/cluster/ledger.ts'
import type { MeshObject } from '../../src/kinds/index.ts'
import type { Write } from '../../src/mesh/snapshot/write.ts'
import { parsed, worldOf } from '../changes.ts'
import { destinationRule, guide } from '../manifests.ts'

const world = worldOf(guide())
const rule = (uid: string, resourceVersion: string, name = 'helloworld'): MeshObject => ({
  ...parsed(destinationRule(['v1'], {}, { name })),
  uid,
  resourceVersion
})
const old = rule('a', '9')
const update: Write = { ref: old, before: old, after: rule('a', '9') }
const deletion: Write = { ref: old, before: old, after: null }
const creation: Write = { ref: old, before: null, after: rule('', '') }

const CASES: readonly (readonly [string, Write, MeshObject | null, 'pending' | 'over'])[] = [
  ['the state that an update replaces', update, old, 'pending'],
  ['an older one', update, rule('a', '8'), 'pending'],
  ['a newer one', update, rule('a', '10'), 'over'],
  ['another object of that name', update, rule('b', '5'), 'over'],
  ['the object gone under its update', update, null, 'over'],
  ['the object still there before its deletion', deletion, old, 'pending'],
  ['the object deleted', deletion, null, 'over'],
  ['the object changed under its deletion', deletion, rule('a', '10'), 'over'],
  ['nothing before a creation', creation, null, 'pending'],
  ['what was created', creation, rule('c', '12'), 'over']
]
for (const [what, write, seen, expected] of CASES) {
  t.test(`${what}: ${expected}`, async (t) => {
    const ledger = new Ledger(worldOf(guide()))
    ledger.add(write)
    ledger.seen(old, seen)
    t.equal(ledger.list().length, expected === 'pending' ? 1 : 0)
  })
}

t.test('a creation over an object that has gone, of which the stream has yet to tell', async (t) => {
  const late = worldOf(guide())
  late.set(old)
  const ledger = new Ledger(late)
  ledger.add(creation)
  ledger.seen(old, old)
  ledger.seen(old, null)
  t.equal(ledger.list().length, 1, 'the old one and its end say nothing')
  ledger.seen(old, rule('c', '12'))
  t.equal(ledger.list().length, 0)
})

t.test('two writes onto one state are both pending, and one of them at most is made', async (t) => {
  const ledger = new Ledger(world)
  const pending = [ledger.add(update), ledger.add(deletion)]
  t.same(ledger.list(), pending)
  ledger.seen(old, rule('a', '10'))
  t.same(ledger.list(), [])
})

t.test('it is bounded in count and in size, and what no API server can store is not kept', async (t) => {
  const ledger = new Ledger(world)
  const named = (name: string, labels: Record<string, string> = {}): Write => {
    const after = { ...rule('', '', name), labels }
    return { ref: after, before: null, after }
  }
  for (let count = 0; count < 1_500; count++) ledger.add(named(`rule-${count}`))
  t.equal(ledger.list().length, 1_000)
  t.equal(ledger.list().at(-1)?.ref.name, 'rule-1499', 'the oldest are let go')
  for (let count = 0; count < 30; count++) ledger.add(named(`large-${count}`, { text: 'x'.repeat(1 << 20) }))
  t.ok(ledger.list().length <= 16)
  t.equal(ledger.add(named('larger', { text: 'x'.repeat(2 << 20) })), null)
})
