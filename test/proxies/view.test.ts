/** In which push istiod first showed something. */
import t from 'tap'
import type { Sight } from '../../src/proxies/expectation.ts'
import { decodeResponse } from '../../src/proxies/messages.ts'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { View } from '../../src/proxies/view.ts'
import { assignment, cluster, response, routes } from './istiod.ts'

const HOST = 'reviews.default.svc.cluster.local'
const ALL = `outbound|80||${HOST}`
const V2 = `outbound|80|v2|${HOST}`

function viewOf(...sights: Sight[]) {
  const view = new View(() => 0)
  view.watch(sights)
  const take = (type: string, push: number, ...resources: Uint8Array[]) => view.take(decodeResponse(response(type, push, resources)))
  return { view, take, needs: () => view.needs(sights) }
}

t.test('a cluster is there from the first push that has it', async (t) => {
  const { take, needs, view } = viewOf({ type: 'cluster', name: V2, isThere: true })
  t.strictSame(view.names('cluster'), [V2, ALL])
  t.equal(needs(), null)
  take(TYPES.cluster, 4, cluster(ALL))
  t.equal(needs(), null)
  take(TYPES.cluster, 6, cluster(ALL), cluster(V2))
  take(TYPES.cluster, 9, cluster(ALL), cluster(V2))
  t.equal(needs()?.cluster, 6)
  t.equal(view.lastPush, 9)
  take(TYPES.cluster, 10, cluster(ALL))
  t.equal(needs(), null, 'gone again')
})

t.test('a cluster has gone where its host is shown without it, and not where neither was asked for yet', async (t) => {
  const { take, needs } = viewOf({ type: 'cluster', name: V2, isThere: false })
  take(TYPES.cluster, 4)
  t.equal(needs(), null)
  take(TYPES.cluster, 5, cluster(ALL))
  t.equal(needs()?.cluster, 5)
})

t.test('an endpoint counts when it takes requests; one that was there when first asked about may be told to others later', async (t) => {
  const sight: Sight = { type: 'endpoint', name: V2, isThere: true }
  const later = viewOf(sight)
  later.take(TYPES.endpoint, 4, assignment(V2, [2, 3]))
  t.equal(later.needs(), null, 'UNHEALTHY, DRAINING')
  later.take(TYPES.endpoint, 5, assignment(V2, [2, 0]))
  t.match(later.needs(), { endpoint: 5, isUnsure: false })
  const first = viewOf(sight)
  first.take(TYPES.endpoint, 5, assignment(V2, [1]))
  t.match(first.needs(), { endpoint: 7, isUnsure: true })
  first.take(TYPES.debug, 6)
  t.match(first.needs(), { endpoint: 7, isUnsure: true }, 'a push that was being made when it was told')
  first.take(TYPES.debug, 7)
  t.match(first.needs(), { endpoint: 7, isUnsure: false })
})

t.test('an endpoint told anew is in the push that tells it, but not where it was asked for anew', async (t) => {
  const { view, take, needs } = viewOf({ type: 'endpoint', name: V2, isThere: true })
  view.asked()
  take(TYPES.endpoint, 5, assignment(V2, [1]))
  view.asked()
  take(TYPES.endpoint, 6, assignment(V2, [1]))
  t.match(needs(), { endpoint: 7, isUnsure: true })
  take(TYPES.endpoint, 8, assignment(V2, [1]))
  t.match(needs(), { endpoint: 8, isUnsure: false })
})

t.test('up to 1.30 a push of endpoints alone has the number of the push before: then only later ones tell', async (t) => {
  const { take, needs } = viewOf({ type: 'endpoint', name: V2, isThere: true })
  take(TYPES.endpoint, 5, assignment(V2, []))
  take(TYPES.endpoint, 5, assignment(V2, [1]))
  t.match(needs(), { endpoint: 7, isUnsure: true })
  take(TYPES.debug, 7)
  t.match(needs(), { endpoint: 7, isUnsure: false })
})

t.test('clusters of a push come before its endpoints, which are told by it all the same', async (t) => {
  const { take, needs } = viewOf({ type: 'endpoint', name: V2, isThere: true })
  take(TYPES.endpoint, 4, assignment(V2, []))
  take(TYPES.cluster, 5, cluster(ALL))
  take(TYPES.endpoint, 5, assignment(V2, [1]))
  t.match(needs(), { endpoint: 5, isUnsure: false })
})

t.test('a route no longer leads to a cluster: not alone, and not by a weight', async (t) => {
  const { take, needs } = viewOf({ type: 'route', name: ALL, cluster: V2, isThere: false })
  take(TYPES.route, 3, routes(ALL, [ALL, { [V2]: 1, [ALL]: 99 }]))
  t.equal(needs(), null)
  take(TYPES.route, 4, routes(ALL, [V2]))
  t.equal(needs(), null)
  take(TYPES.route, 5, routes('another', [ALL]))
  t.equal(needs(), null, 'an answer that says nothing of it')
  take(TYPES.route, 6, routes(ALL, [{ [V2]: 0, [ALL]: 100 }]))
  t.equal(needs()?.route, 6)
})

t.test('an answer in another form is none', async (t) => {
  const { view } = viewOf()
  t.throws(() => view.take({ type: TYPES.cluster, version: 'v7', nonce: '', resources: [] }), { name: 'UnknownForm' })
  t.throws(() => decodeResponse(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])))
})
