/** The short form of `npm run proof -- controllers`: Argo Rollouts and Flagger release through a real istiod and real Envoys, under constant requests. */
import t from 'tap'
import { type ControlledRelease, controlledFaults } from './controllers.ts'
import { prove } from './proof.ts'

t.setTimeout(15 * 60_000)

const RELEASES = [
  'flagger-weights',
  'flagger-rollback',
  'flagger-promotion-fails',
  'flagger-reverts',
  'flagger-deleted',
  'older-argo-stable-unready',
  'argo-subsets',
  'argo-services',
  'argo-abort',
  'argo-superseded',
  'argo-header-route',
  'argo-blue-green'
]

t.test('every controller ends its release, and no request fails but by what no webhook is asked about', async (t) => {
  const ended: ControlledRelease[] = []
  for await (const result of prove(['controllers', '--unforced', ...RELEASES])) if (result.kind === 'controlled') ended.push(result.release)
  t.strictSame(ended.map(({ name }) => name).sort(), [...RELEASES].sort())
  for (const release of ended) {
    t.strictSame(controlledFaults(release), [])
    t.ok(release.requests > 100, `${release.name}: ${release.requests} requests`)
  }
  for (const name of ['flagger-promotion-fails', 'flagger-reverts', 'older-argo-stable-unready'])
    t.ok((ended.find((release) => release.name === name)?.refused ?? 0) > 0, `${name}: what would have opened a gap was refused`)
})

const RELEASE: ControlledRelease = {
  mesh: 'usual',
  name: 'one',
  way: 'with',
  seconds: 1,
  requests: 100,
  failed: 0,
  statuses: {},
  gapMs: 0,
  refused: 0,
  beyond: false,
  stuck: null
}

t.test('a request that fails is told, and a release that does not end', async (t) => {
  t.strictSame(controlledFaults(RELEASE), [])
  const faults = controlledFaults({ ...RELEASE, failed: 1, statuses: { 503: 1 } })
  t.strictSame(faults, ['one: 1 of 100 requests failed within 0 ms, by status {"503":1}'])
  t.strictSame(controlledFaults({ ...RELEASE, failed: 1, beyond: true }), [])
  t.strictSame(controlledFaults({ ...RELEASE, way: 'without', failed: 1 }), [])
  for (const way of ['with', 'without'] as const) t.equal(controlledFaults({ ...RELEASE, way, stuck: 'not in time' }).length, 1)
})
