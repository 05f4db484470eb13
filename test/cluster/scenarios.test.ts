/** Scenarios of every tool on a real API server, with real clients, controllers and the real webhook process. */
import t from 'tap'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'
import { scenarios } from '../scenarios/matrix.ts'
import { ScenarioPlayer, STATE_WRITER, whyUnplayable } from './scenario-player.ts'

t.setTimeout(10 * 60_000)

/** Played elsewhere: a namespace is deleted by the real controller in always-admitted.test.ts, and kubectl is told not to look in guide.test.ts. */
const ELSEWHERE = [
  'a namespace goes with all that is in it',
  'anybody may delete what stands in a namespace that is terminating',
  'subset and port written beside the destination, where the API server drops them'
]

/** Played by the embedded cluster alone: this one has one webhook with one configuration, and its writers are users of no group. */
const EMBEDDED_ALONE: Readonly<Record<string, string>> = {
  'a release by HTTPRoute weights, a Service for each version, in steps of 10 %, back once on the way': 'no istiod, which deploys Gateways',
  'a release by HTTPRoute weights in careless orders': 'no istiod, which deploys Gateways',
  'first install and teardown by the Gateway API': 'no istiod, which deploys Gateways',
  'a backend of another namespace needs its ReferenceGrant for as long as it is sent to': 'no istiod, which deploys Gateways',
  'the mesh is that of the revision that is configured': 'config',
  'DestinationRules are private where the mesh says so': 'namespaces',
  'the configuration comes before what the mesh says': 'config',
  'that of another revision says nothing, and that of its own is read': 'config',
  'a namespace that istiod does not look at has nothing': 'namespaces',
  'where unknown hosts are refused, a client needs an entry for an external one': 'namespaces'
}

const chosen = scenarios().filter(({ scenario: { name } }) => !ELSEWHERE.includes(name) && !Object.hasOwn(EMBEDDED_ALONE, name))

t.test('what cannot be played here is known, and why', async (t) => {
  const found = scenarios().map(({ scenario }) => [scenario.name, whyUnplayable(scenario)] as const)
  t.strictSame(Object.fromEntries(found.filter(([name, why]) => why !== null && !ELSEWHERE.includes(name))), EMBEDDED_ALONE)
})

const plane = await startControlPlane()
t.teardown(() => plane.stop())
const writers = chosen.flatMap(({ scenario: { as, writes } }) => [
  as?.username ?? 'alice',
  ...writes.map((write) => write.as?.username ?? 'alice')
])
const apiGroup = 'rbac.authorization.k8s.io'
const { status } = await plane.api.request('POST', `/apis/${apiGroup}/v1/clusterrolebindings`, {
  body: {
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'writers' },
    roleRef: { apiGroup, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [...new Set([STATE_WRITER, ...writers])].map((name) => ({ kind: 'User', name, apiGroup }))
  }
})
if (status !== 201) throw new Error(`the writers have no rights: ${status}`)
// Each write is judged as it comes; what settling does is tested elsewhere.
const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
t.teardown(() => hitless.stop())

for (const [at, { scenario }] of chosen.entries()) {
  t.test(scenario.name, async (t) => {
    const answers = await new ScenarioPlayer(plane, scenario, `scenario-${at}`).play()
    const expected = scenario.writes.filter((write) => (write.apply ?? write.scale ?? write.delete) !== undefined)
    t.equal(answers.length, expected.length)
    for (const [step, { what, verdict, rules, text }] of answers.entries()) {
      const wanted = expected[step]
      t.equal(verdict, wanted?.expect, `${what}: ${text}`)
      if (wanted?.expect === 'deny' && wanted.rules !== undefined)
        t.ok(
          wanted.rules.every((rule) => rules.includes(rule)),
          `${what}: ${text}`
        )
    }
  })
}
