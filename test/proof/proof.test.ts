/** The short form of `npm run proof`: four releases, one of them by an HTTPRoute, through a real istiod and real Envoys, under constant requests. */
import t from 'tap'
import { type Account, faultsOf } from './account.ts'
import { prove } from './proof.ts'

t.setTimeout(15 * 60_000)

const SCRIPTS = ['guide', 'weight-first', 'workload-gone', 'http-route-weight-first']
/** What is refused is made past hitless, and taken back: what requests get then is what the refusal said. */
const FORCED = ['kinds', 'mesh-config']
const accounts: Account[] = []
const forced = FORCED.flatMap((name) => ['--forced', name])
for await (const result of prove(['releases', '--unforced', ...SCRIPTS, ...forced]))
  if (result.kind === 'account') accounts.push(result.account)

const of = (way: Account['way'], script: string) => accounts.find((account) => account.way === way && account.script === script)
const refused = (account: Account | undefined) => account?.writes.filter(({ verdict }) => verdict === 'refused').map(({ what }) => what)

t.test('each release was played without hitless and with it', async (t) => {
  t.same(
    accounts.map(({ script, way }) => `${script} ${way}`).sort(),
    [...SCRIPTS.flatMap((script) => [`${script} without`, `${script} with`]), ...FORCED.map((script) => `${script} forced`)].sort()
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

t.test('a careless write of each kind is refused, and would have failed requests', async (t) => {
  const { writes } = of('forced', 'kinds') ?? { writes: [] }
  const kinds = [
    'VirtualService',
    'DestinationRule',
    'Service',
    'Deployment',
    'ReplicaSet',
    'Sidecar',
    'Gateway',
    'ServiceEntry',
    'WorkloadEntry'
  ]
  t.same(
    writes.map(({ what, verdict }) => `${verdict}: ${what.split(' ')[0]}`),
    kinds.map((kind) => `refused: ${kind}`)
  )
  for (const { what, steady } of writes)
    t.ok(
      steady.some(({ failed }) => failed > 0),
      what
    )
})

t.test("what an object leaves out is as the mesh's ConfigMap has it, to istiod as to hitless", async (t) => {
  const verdicts = of('forced', 'mesh-config')?.writes.map(({ what, verdict, steady }) => ({
    what,
    verdict,
    isLossy: steady.some(({ failed }) => failed > 0)
  }))
  const kinds = ['DestinationRule', 'VirtualService', 'Service']
  t.same(verdicts, [
    ...kinds.map((kind) => ({ what: `${kind} without exportTo, private`, verdict: 'refused', isLossy: true })),
    { what: "Istio's own defaults", verdict: 'admitted', isLossy: false },
    ...kinds.map((kind) => ({ what: `${kind} without exportTo, public`, verdict: 'admitted', isLossy: false }))
  ])
})

t.test('of each class as large a share fails as was predicted, within the sampling error', async (t) => {
  t.same(accounts.flatMap(faultsOf), [])
})
