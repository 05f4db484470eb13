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

/** Played by the embedded cluster alone: this one has one webhook with one configuration, and whatever whyUnplayable says. */
const [chosen = [], others = []] = [true, false].map((isPlayable) =>
  scenarios().filter(({ scenario }) => !ELSEWHERE.includes(scenario.name) && (whyUnplayable(scenario) === null) === isPlayable)
)

t.test('most of them can be played here, and of the others it is known why not', async (t) => {
  for (const { scenario } of others) t.comment(`not played here for its ${whyUnplayable(scenario)}: ${scenario.name}`)
  t.ok(chosen.length >= 3 * others.length, `${chosen.length} of ${chosen.length + others.length}`)
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
