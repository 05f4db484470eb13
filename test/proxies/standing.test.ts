/** Which proxies have a change. */
import t from 'tap'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { standing } from '../../src/proxies/standing.ts'
import type { ProxyStatus, Watched } from '../../src/proxies/syncz.ts'

const has = (acked: number): Watched => ({ sent: acked, acked, isAnswered: true, error: '' })
const lacks = (sent: number, acked: number, error = ''): Watched => ({ sent, acked, isAnswered: false, error })
const proxy = (name: string, types: Readonly<Record<string, Watched>>): ProxyStatus => ({
  proxy: name,
  kind: 'sidecar',
  types: new Map(Object.entries(types))
})
const NEEDS = { cluster: 0, endpoint: 0, route: 5, sinceMs: 0, isUnsure: false }

t.test('a proxy has a change when it acknowledged the push that had it, or a later one', async (t) => {
  const proxies = [
    proxy('a.default', { [TYPES.route]: has(5) }),
    proxy('b.default', { [TYPES.route]: lacks(9, 7) }),
    proxy('c.d.default', { [TYPES.route]: lacks(5, 4) }),
    proxy('d.default', { [TYPES.route]: has(4) })
  ]
  t.strictSame(standing(proxies, NEEDS, false), { proxies: 4, late: ['default/c.d', 'default/d'], rejected: [] })
  t.strictSame(standing(proxies, NEEDS, true).late, ['default/c.d'], 'nothing is on its way to one that has answered to all')
})

t.test('proxies that watch no such thing do not count, nor do streams of hitless', async (t) => {
  const proxies = [proxy('ztunnel-1.istio-system', { other: has(1) }), proxy('hitless-settle-1a.istio-system', { [TYPES.route]: has(1) })]
  t.strictSame(standing(proxies, NEEDS, false), { proxies: 0, late: [], rejected: [] })
})

t.test('a new cluster is of use with its endpoints', async (t) => {
  const needs = { ...NEEDS, cluster: 5, route: 0 }
  const late = (endpoint: Watched) => standing([proxy('a.b', { [TYPES.cluster]: has(5), [TYPES.endpoint]: endpoint })], needs, false).late
  t.strictSame(late(has(4)), ['b/a'])
  t.strictSame(late(lacks(5, 5)), ['b/a'], 'sent twice in one push, and answered once')
  t.strictSame(late(has(5)), [])
})

t.test('a proxy that rejected it is told with its own words, and is not waited for', async (t) => {
  const proxies = [proxy('a.b', { [TYPES.route]: lacks(5, 4, 'route: unknown cluster') })]
  t.strictSame(standing(proxies, NEEDS, false), { proxies: 1, late: [], rejected: [{ proxy: 'b/a', error: 'route: unknown cluster' }] })
  t.strictSame(
    standing([proxy('a.b', { [TYPES.route]: lacks(4, 3, 'older') })], NEEDS, false).late,
    ['b/a'],
    'what it rejected was another push'
  )
})
