/** Writes held until the proxies know, on a real istiod and real Envoys: the short form of `npm run proof -- settle` and `versions`. */
import t from 'tap'
import { prove } from './proof.ts'
import { HELD_MS } from './settle.ts'
import { versionFaults } from './versions.ts'

// Measures time: how long a write is held.
t.setTimeout(10 * 60_000)

t.test('releases back to back, a late proxy, proxies that reject, and an istiod that goes away', async (t) => {
  let rows = 0
  for await (const result of prove(['versions', 'istiod'])) {
    if (result.kind !== 'version') continue
    rows += 1
    t.same(versionFaults(result.row), [])
    t.ok(Number(result.row.heldMs) <= HELD_MS, `a write is held for ${result.row.heldMs} ms`)
  }
  t.equal(rows, 1)
})

t.test('plan --apply waits by what istiod says, and fails no request where no webhook is asked', async (t) => {
  let plans = 0
  for await (const result of prove(['plan'])) {
    if (result.kind !== 'plan') continue
    plans += 1
    const { requests, failed, versions, exit, out, err } = result.planned
    t.equal(exit, 0, `${out}${err}`)
    t.equal(err, '', 'istiod could be asked')
    t.match(out, /apply VirtualService .* with 50% of the requests moved: written, held \d\.\d s until the proxies had what it leans on\n/)
    t.match(out, /Done: 6 writes\./)
    t.strictSame(versions, ['v1', 'v2'])
    t.equal(failed, 0, `${failed} of ${requests} requests failed`)
    t.ok(requests > 200)
  }
  t.equal(plans, 1)
})
