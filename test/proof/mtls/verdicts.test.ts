/** What hitless says of the writes whose outcome a real mesh has shown. */
import t from 'tap'
import { decide } from '../../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../../src/review/policy.ts'
import { apply, worldOf } from '../../changes.ts'
import { namespace } from '../../manifests.ts'
import { base, NAMESPACE, worlds } from './worlds.ts'

for (const { name, given, write, before, after, verdict } of worlds()) {
  t.test(name, async (t) => {
    const world = worldOf([namespace(NAMESPACE, { labels: { 'istio-injection': 'enabled' } }), ...base(), ...given])
    const decision = decide(apply(world, write), world, DEFAULT_POLICY, 0)
    t.equal(decision.verdict, verdict, decision.message || decision.warnings.join(' '))
    t.strictSame([...new Set(decision.findings.map(({ rule }) => rule))], verdict === 'allow' ? [] : ['tls-mismatch'])
    const isWorse = after.some((status, at) => status !== 200 && before[at] === 200)
    t.ok(isWorse || verdict !== 'deny', 'nothing is refused that loses no request')
  })
}
