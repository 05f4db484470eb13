/** Writes held until the proxies know, on a real istiod and real Envoys: the short form of `npm run proof -- settle` and `holds`. */
import t from 'tap'
import { prove } from './proof.ts'
import { settleFaults } from './settle.ts'

t.setTimeout(10 * 60_000)

t.test('releases written back to back fail no request, and no write is held for longer than it must be', async (t) => {
  let rows = 0
  for await (const result of prove(['settle', '1', 'settle=exact', '--part', '0.08'])) {
    if (result.kind !== 'settle') continue
    rows += 1
    t.same(settleFaults([result.row]), [])
    t.ok(result.row.requests > 0)
    t.type(result.row.heldMs, 'number')
  }
  t.ok(rows > 0, `${rows} rows`)
})

t.test('a proxy that is late, proxies that reject, and an istiod that goes away', async (t) => {
  const holds = new Map<string, { ms: number; warnings: readonly string[] }>()
  for await (const result of prove(['holds'])) if (result.kind === 'hold') holds.set(result.hold.name, result.hold)
  const stopped = holds.get('a proxy stopped with SIGSTOP')
  t.match(stopped?.warnings, [/^1 of 2 proxies lack what this needs: clients\/sidecar-0$/])
  t.ok(Number(stopped?.ms) > 8000 && Number(stopped?.ms) < 10_000, `admitted at its deadline, after ${stopped?.ms} ms`)
  const rejected = holds.get('proxies that reject the subset')
  t.match(rejected?.warnings, [/rejected what this needs: .*duration/i, /rejected what this needs: .*duration/i])
  t.ok(Number(rejected?.ms) < 5000)
  const killed = holds.get('istiod killed during the hold')
  t.same(killed?.warnings, [])
  t.ok(Number(killed?.ms) < 3000, `${killed?.ms} ms after its end`)
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
