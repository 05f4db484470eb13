/** What is answered while the state of the cluster is not known, or cannot be read. */
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import type { Health, State } from '../../src/mesh/snapshot/state.ts'
import type { Change } from '../../src/review/change.ts'
import { refusedBy } from '../../src/review/decision.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { apply, parsed, worldOf } from '../changes.ts'
import { destinationRule, guide } from '../manifests.ts'

const NEVER = new AbortController().signal
const STALE: Health = { fresh: false, ageMs: {}, reasons: ['VirtualService: not synced'] }

/** The guide's world, of which nothing newer can be known, or nothing be read. */
function broken(part: Partial<Pick<State, 'health' | 'facts'>>): State {
  const sandbox = new Sandbox()
  for (const manifest of guide()) sandbox.load(parsed(manifest))
  return {
    snapshot: () => sandbox.snapshot(),
    admitted: (write) => sandbox.admitted(write),
    pending: () => sandbox.pending(),
    health: () => sandbox.health(),
    facts: sandbox.facts,
    ...part
  }
}

const stale = broken({ health: () => STALE })
const unreadable = broken({
  facts: {
    read: () => Promise.reject(new Error('connection refused')),
    list: () => Promise.reject(new Error('connection refused'))
  }
})

const dangerous = (rest: Partial<Change> = {}) => apply(worldOf(guide()), destinationRule(['v2']), rest)
const harmless = () => apply(worldOf(guide()), destinationRule(['v1', 'v2'], {}, { labels: { team: 'blue' } }))

function ask(state: State, change: Change, whenStale: Policy['whenStale'], mode: Policy['mode'] = 'enforce') {
  return createReviewer({ state, policy: () => ({ ...DEFAULT_POLICY, whenStale, mode }), nowMs: () => 0 })(change, NEVER)
}

for (const [what, state, reason] of [
  ['a stale state', stale, /VirtualService: not synced/],
  ['a cluster that cannot be read', unreadable, /fresh facts could not be read/]
] as const) {
  t.test(what, async (t) => {
    const warned = await ask(state, dangerous(), 'warn')
    t.equal(warned.verdict, 'warn')
    t.match(warned.warnings.join(' '), /was not judged/)
    const denied = await ask(state, dangerous(), 'deny')
    t.equal(denied.verdict, 'deny')
    t.match(denied.message, reason)
    await t.rejects(ask(state, dangerous(), 'error'), reason)
    const observed = await ask(state, dangerous(), 'deny', 'observe')
    t.match(observed, { verdict: 'warn', observed: true, warnings: [/^hitless would refuse this: .* was not judged/] })
    t.strictSame(refusedBy(observed), ['stale'])
  })
}

t.test('what needs no judgement is admitted all the same', async (t) => {
  t.equal((await ask(stale, harmless(), 'error')).verdict, 'allow')
  const controller = { username: 'system:serviceaccount:kube-system:namespace-controller', groups: [], manager: '' }
  t.equal((await ask(stale, dangerous({ author: controller }), 'error')).verdict, 'allow')
})
