/** What one tenant writes on a shared host takes nothing from the judgement of another's writes. */
import t from 'tap'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, worldOf } from '../changes.ts'
import { deployment, destinationRule, gateway, HOST, type Manifest, namespace, rule, service, virtualService } from '../manifests.ts'

const OBJECTS = 1000
const SPEC = { hosts: ['www.example.com'], gateways: ['default/gateway'] }

const send = (subset: string, weight: number) => ({ destination: { host: HOST, subset, port: { number: 3000 } }, weight })

/** The oldest object of the host: its own paths, and the fallback. */
function own(subset: string): Manifest {
  const split = [send('v1', 90), send(subset, 10)]
  return virtualService([rule(split, [{ uri: { prefix: '/own/' } }]), rule([send('v1', 100)])], SPEC)
}

const others = Array.from({ length: OBJECTS }, (_, at) =>
  virtualService([rule([send('v1', 100)], [{ uri: { prefix: `/${at}/` } }, { uri: { regex: `/${at}x+` } }])], SPEC, {
    name: `other-${at}`,
    namespace: 'tenant'
  })
)
const world = worldOf([
  namespace('default'),
  namespace('tenant'),
  gateway(),
  service(),
  deployment('v1'),
  deployment('v2'),
  destinationRule(['v1', 'v2']),
  own('v1'),
  ...others
])

t.test(`a weight step beside ${OBJECTS} objects of another tenant is judged, and admitted without a word`, async (t) => {
  t.match(decide(apply(world, own('v2')), world, DEFAULT_POLICY, 0), { verdict: 'allow', outcome: 'judged', warnings: [] })
})

t.test('and so is one to a subset that nobody defines: it is refused', async (t) => {
  const { verdict, findings, auditAnnotations } = decide(apply(world, own('v3')), world, DEFAULT_POLICY, 0)
  t.equal(verdict, 'deny')
  t.strictSame([...new Set(findings.map(({ rule: id }) => id))], ['undefined-subset'])
  t.notOk('not-judged' in auditAnnotations)
})
