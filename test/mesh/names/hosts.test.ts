import t from 'tap'
import {
  hostCovers,
  hostKey,
  hostsOverlap,
  resolveHost,
  resolveVirtualServiceHost,
  serviceOfHost,
  wildcardsOver
} from '../../../src/mesh/names/hosts.ts'

const DOMAIN = 'cluster.local'

t.test('a host without a dot is completed, and nothing else is (1.1, 1.2, 1.4)', async (t) => {
  t.equal(resolveHost('reviews', 'prod', DOMAIN), 'reviews.prod.svc.cluster.local')
  for (const literal of ['reviews.prod', 'reviews.prod.svc', '*', '10.0.0.1', '2001:db8::1', ''])
    t.equal(resolveHost(literal, 'prod', DOMAIN), literal)
})

t.test('hosts of VirtualServices alone are lower-cased (1.5)', async (t) => {
  t.equal(resolveVirtualServiceHost('Reviews', 'prod', DOMAIN), 'reviews.prod.svc.cluster.local')
  t.equal(resolveHost('Reviews', 'prod', DOMAIN), 'Reviews.prod.svc.cluster.local')
})

t.test('the Service behind a full name', async (t) => {
  t.same(serviceOfHost('reviews.prod.svc.cluster.local', DOMAIN), { namespace: 'prod', name: 'reviews' })
  for (const other of ['reviews.prod', 'a.b.prod.svc.cluster.local', 'example.com']) t.equal(serviceOfHost(other, DOMAIN), null)
})

t.test('a wildcard covers what ends like it, even within a label', async (t) => {
  for (const [pattern, host, covers] of [
    ['*', 'a.b', true],
    ['*.b.c', 'a.b.c', true],
    ['*.b.c', 'b.c', false],
    ['*-canary.b.c', 'web-canary.b.c', true],
    ['*.c', '*.b.c', true],
    ['*.b.c', '*.c', false],
    ['a.b', 'a.b', true],
    ['a.b', '*', false]
  ] as const) {
    t.equal(hostCovers(pattern, host), covers, `${pattern} and ${host}`)
  }
  t.ok(hostsOverlap('a.b.c', '*.c'))
  t.notOk(hostsOverlap('a.b.c', '*.d'))
})

t.test('whatever covers a host stands under it or a wildcard over it', async (t) => {
  t.same(wildcardsOver('a.b.c'), ['*.b.c', '*.c', '*'])
  for (const pattern of ['a.b.c', '*.b.c', '*.c', '*', '*a.b.c', '*c', '*-x.b.c']) {
    if (hostCovers(pattern, 'a.b.c')) t.ok(['a.b.c', ...wildcardsOver('a.b.c')].includes(hostKey(pattern)), pattern)
  }
  t.equal(hostKey('*-x.b.c'), '*.b.c')
})
