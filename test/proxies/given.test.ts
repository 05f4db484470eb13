/** Routes as istiod's debug interface gives them. */
import t from 'tap'
import { readGiven } from '../../src/proxies/given.ts'

const METADATA = { filterMetadata: { istio: { config: '/apis/networking.istio.io/v1/namespaces/shop/virtual-service/reviews' } } }
const read = (value: unknown) => readGiven(Buffer.from(JSON.stringify(value)))

t.test('virtual hosts with the shares of their clusters, and whose routes they are', async (t) => {
  const weighted = { weightedClusters: { clusters: [{ name: 'a', weight: 30 }, { name: 'b', weight: 10 }, { name: 'c' }] } }
  const routes = [{ metadata: METADATA, route: weighted }, { route: { cluster: 'd' } }, { redirect: {} }, { directResponse: {} }, {}]
  const configs = [
    { name: 'inbound|80||', virtualHosts: [{ name: 'x' }] },
    { name: '80', virtualHosts: [{ name: 'reviews.shop:80', routes }] }
  ]
  t.strictSame(read({ configs }), [
    {
      name: 'reviews.shop:80',
      routes: [
        {
          virtualService: 'shop/reviews',
          action: 'route',
          clusters: new Map([
            ['a', 0.75],
            ['b', 0.25]
          ])
        },
        { virtualService: null, action: 'route', clusters: new Map([['d', 1]]) },
        { virtualService: null, action: 'redirect', clusters: new Map() },
        { virtualService: null, action: 'direct', clusters: new Map() },
        { virtualService: null, action: 'none', clusters: new Map() }
      ]
    }
  ])
  t.strictSame(read({}), [], 'a proxy without routes')
})

t.test('anything else is no answer', async (t) => {
  for (const text of ['', 'Proxy not connected to this Pilot instance', '[]'])
    t.throws(() => readGiven(Buffer.from(text)), { name: 'UnknownForm' })
})
