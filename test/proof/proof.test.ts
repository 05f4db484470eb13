/** The short form of `npm run proof`: four releases, one of them by an HTTPRoute, through a real istiod and real Envoys, under constant requests. */
import t from 'tap'
import { type Account, faultsOf } from './account.ts'
import { prove } from './proof.ts'

t.setTimeout(15 * 60_000)

const SCRIPTS = ['guide', 'weight-first', 'workload-gone', 'http-route-weight-first']
const accounts: Account[] = []
for await (const result of prove(['releases', '--unforced', ...SCRIPTS])) if (result.kind === 'account') accounts.push(result.account)

const of = (way: Account['way'], script: string) => accounts.find((account) => account.way === way && account.script === script)
const refused = (account: Account | undefined) => account?.writes.filter(({ verdict }) => verdict === 'refused').map(({ what }) => what)

t.test('each release was played without hitless and with it', async (t) => {
  t.same(
    accounts.map(({ script, way }) => `${script} ${way}`),
    SCRIPTS.flatMap((script) => [`${script} without`, `${script} with`])
  )
})

for (const script of SCRIPTS) {
  t.test(`${script}: with hitless no request fails, in whatever order it is tried`, async (t) => {
    t.equal(of('with', script)?.failed, 0)
    t.ok((of('with', script)?.requests ?? 0) > 0)
  })
}

t.test("the guide's order is admitted as it is, and fails no request without hitless either", async (t) => {
  t.equal(of('without', 'guide')?.failed, 0)
  t.same(refused(of('with', 'guide')), [])
})

t.test('the same careless writes drop requests without hitless, each the write that hitless refuses', async (t) => {
  for (const script of SCRIPTS.slice(1)) {
    const [first] = of('without', script)?.writes ?? []
    t.ok((first?.failed ?? 0) > 0, `${script}: ${first?.what}`)
    t.same(refused(of('with', script)), [first?.what])
  }
})

t.test('of each class as large a share fails as was predicted, within the sampling error', async (t) => {
  t.same(accounts.flatMap(faultsOf), [])
})
