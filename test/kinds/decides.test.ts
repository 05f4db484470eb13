import t from 'tap'
import { decideAlike } from '../../src/kinds/index.ts'
import { parsed } from '../changes.ts'
import { DEBUG, type Manifest, rule, to, virtualService } from '../manifests.ts'

const routes = virtualService([rule([to('v1')], DEBUG), rule([to('v1', 60), to('v2', 40)])])

function alike(one: Manifest, other: Manifest): boolean {
  t.equal(decideAlike(parsed(one), parsed(other)), decideAlike(parsed(other), parsed(one)), 'whichever way round')
  return decideAlike(parsed(one), parsed(other))
}

t.test('what decides about requests is compared by value', async (t) => {
  t.ok(alike(routes, structuredClone(routes)))
  t.ok(alike(routes, { ...routes, metadata: { ...routes.metadata, labels: { a: 'b' }, resourceVersion: '9' } }), 'metadata does not decide')
  const reordered = JSON.parse(JSON.stringify({ ...routes, spec: Object.fromEntries(Object.entries(routes['spec'] as object).reverse()) }))
  t.ok(alike(routes, reordered), 'nor does the order of fields')
})

const others: Record<string, Manifest> = {
  'another number': virtualService([rule([to('v1')], DEBUG), rule([to('v1', 61), to('v2', 39)])]),
  'an element more': virtualService([rule([to('v1')], DEBUG), rule([to('v1', 60), to('v2', 40)]), rule([to('v1')])]),
  'another order': virtualService([rule([to('v1', 60), to('v2', 40)]), rule([to('v1')], DEBUG)]),
  'a field less': virtualService([rule([to('v1')]), rule([to('v1', 60), to('v2', 40)])])
}

for (const [name, other] of Object.entries(others)) {
  t.test(`${name} is a difference`, async (t) => t.notOk(alike(routes, other)))
}

t.test('of an excluded header, `*` and an empty match say the same: that it is there', async (t) => {
  const without = (header: unknown) => virtualService([rule([to('v1')], [{ withoutHeaders: { 'end-user': header } }]), rule([to('v2')])])
  t.ok(alike(without({ regex: '*' }), without({})))
  t.notOk(alike(without({ regex: '.*' }), without({})))
})
