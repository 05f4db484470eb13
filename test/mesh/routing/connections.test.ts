/** Which way of a listener takes a connection, by its server name. */
import t from 'tap'
import { chosenFor } from '../../../src/mesh/routing/connections.ts'
import { Meter, metered } from '../../../src/mesh/snapshot/metered.ts'
import { worldOf } from '../../changes.ts'

const snapshot = metered(worldOf([]), new Meter(100_000))
const way = (...serverNames: string[]) => ({ serverNames })

t.test('its own name, else the longest wildcard over it, else the first that asks for none', async (t) => {
  const own = way('a.shop.com', 'b.shop.com')
  const [shop, canary, com, rest] = [way('*.shop.com'), way('*-canary.shop.com'), way('*.com'), way('*')]
  const ways = [rest, com, shop, canary, own, way('a.shop.com'), way()]
  const chosen = (serverName: string | null) => chosenFor(snapshot, ways, serverName)
  for (const name of own.serverNames) t.equal(chosen(name), own)
  t.equal(chosen('c.shop.com'), shop)
  t.equal(chosen('*.shop.com'), shop)
  t.equal(chosen('a-canary.shop.com'), canary)
  t.equal(chosen('shop.com'), com)
  for (const name of ['shop.org', '*', null]) t.equal(chosen(name), rest)
  t.equal(chosenFor(snapshot, [own, shop], 'shop.org'), null)
})

t.test('a way is looked at once, however many connections ask', async (t) => {
  let looks = 0
  const ways = Array.from({ length: 1000 }, (_, at) => ({
    get serverNames() {
      looks += 1
      return [`s${at}.com`]
    }
  }))
  const chosen = ways.map((_, at) => chosenFor(snapshot, ways, `s${at}.com`))
  t.ok(chosen.every((found, at) => found === ways[at]))
  t.ok(looks <= 3 * ways.length, `${looks} looks`)
})

t.test('names that only wildcards within a label tell apart are work that is charged', async (t) => {
  const ways = Array.from({ length: 1000 }, (_, at) => way(`*-${at}.com`))
  const meter = new Meter(100_000)
  t.equal(chosenFor(metered(worldOf([]), meter), ways, 'a-7.com'), ways[7])
  t.ok(meter.spent >= ways.length)
})
