/** The model's routes beside those that istiod gave. */
import t from 'tap'
import { differencesOf } from '../../src/cli/against-istiod.ts'
import { routesJson } from '../../src/output/route-json.ts'
import type { GivenHost } from '../../src/proxies/given.ts'
import { worldOf } from '../changes.ts'
import { DEBUG, guideWith, rule, to, virtualService } from '../manifests.ts'

const HOST = 'helloworld.default.svc.cluster.local'
const CLUSTER = (subset: string) => `outbound|3000|${subset}|${HOST}`
const world = worldOf(guideWith(virtualService([rule([to('v2')], DEBUG), rule([to('v1', 75), to('v2', 25)])])))
const [context] = routesJson(world, [{ kind: 'mesh', namespace: 'default', labels: {} }]).contexts
const ours = context?.hosts ?? []

function given(...routes: Record<string, number>[]): GivenHost {
  return {
    name: `${HOST}:3000`,
    routes: routes.map((clusters) => ({
      virtualService: 'default/helloworld',
      action: 'route',
      clusters: new Map(Object.entries(clusters).map(([subset, share]) => [CLUSTER(subset), share]))
    }))
  }
}

t.test('the same routes in the same order agree', async (t) => {
  t.strictSame(differencesOf(ours, [given({ v2: 1 }, { v1: 0.75, v2: 0.25 })]), { hosts: 1, differences: [] })
})

const OTHERS: Record<string, [GivenHost[], RegExp]> = {
  'another share': [[given({ v2: 1 }, { v1: 0.5, v2: 0.5 })], /route 1 is route 25\.0% .*v2.* istiod gave route 50\.0%/],
  'another order': [[given({ v1: 0.75, v2: 0.25 }, { v2: 1 })], /route 0 is/],
  'a route less': [[given({ v2: 1 })], /route 1 is .*; istiod gave none/],
  'a route more': [[given({ v2: 1 }, { v1: 0.75, v2: 0.25 }, { v1: 1 })], /route 2 is none; istiod gave/],
  'no such host': [[], /route 0 is .*; istiod gave none/]
}
for (const [name, [hosts, says]] of Object.entries(OTHERS)) {
  t.test(`${name} is a difference`, async (t) => {
    const { hosts: compared, differences } = differencesOf(ours, hosts)
    t.equal(compared, 1)
    t.match(differences, [says])
  })
}

t.test('a host that only istiod routes by a VirtualService is a difference, and one that it serves by itself is none', async (t) => {
  const own: GivenHost = { name: 'other:80', routes: [{ virtualService: null, action: 'route', clusters: new Map([['x', 1]]) }] }
  t.strictSame(differencesOf([], [own]), { hosts: 0, differences: [] })
  t.equal(differencesOf([], [given({ v1: 1 })]).differences.length, 1)
})
