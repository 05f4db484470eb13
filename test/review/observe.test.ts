/** `mode: observe`: what would be refused is admitted and told. */
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import type { Change } from '../../src/review/change.ts'
import { refusedBy } from '../../src/review/decision.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { apply, parsed, worldOf } from '../changes.ts'
import { destinationRule, guide, rule, to, virtualService } from '../manifests.ts'

const OBSERVE: Policy = { ...DEFAULT_POLICY, mode: 'observe' }
const NEVER = new AbortController().signal

function reviewed(change: Change, policy: Policy) {
  const sandbox = new Sandbox()
  for (const manifest of guide()) sandbox.load(parsed(manifest))
  const review = createReviewer({ state: sandbox, policy: () => policy, nowMs: () => 0 })
  return review(change, NEVER).then((decision) => ({ decision, sandbox }))
}

const takesV1Away = apply(worldOf(guide()), destinationRule(['v2']))
const nowhere = apply(worldOf(guide()), virtualService([rule([to('v9')], [{ headers: { user: { exact: 'x'.repeat(900) } } }])]))

t.test('a write that would be refused is admitted, and its writer is told the whole of it in short lines', async (t) => {
  for (const change of [takesV1Away, nowhere]) {
    const { decision: refused } = await reviewed(change, DEFAULT_POLICY)
    t.equal(refused.verdict, 'deny')
    const { decision } = await reviewed(change, OBSERVE)
    t.match(decision, { verdict: 'warn', observed: true, message: refused.message, findings: refused.findings })
    t.strictSame(refusedBy(decision), refusedBy(refused))
    t.match(decision.warnings[0], /^hitless would refuse this: /)
    for (const line of decision.warnings) t.ok([...line].length <= 120, line)
    const told = decision.warnings.map((line) => line.replace(/^… /, '')).join(' ')
    for (const finding of refused.findings) t.ok(told.includes(`[${finding.rule}]`), `${finding.rule} in ${told}`)
    t.match(decision.auditAnnotations, { observed: 'would be refused' })
  }
})

t.test('it counts as made, as any write that is admitted', async (t) => {
  const { sandbox } = await reviewed(takesV1Away, OBSERVE)
  t.same(
    [...sandbox.snapshot().all('DestinationRule')].map(({ subsets }) => subsets.map(({ name }) => name)),
    [['v2']]
  )
})

t.test('what is not refused is answered as ever', async (t) => {
  const harmless = apply(worldOf(guide()), destinationRule(['v1', 'v2', 'v3']))
  const [{ decision: enforced }, { decision }] = await Promise.all([reviewed(harmless, DEFAULT_POLICY), reviewed(harmless, OBSERVE)])
  t.strictSame(decision, enforced)
  t.strictSame(refusedBy(decision), [])
})

t.test('a rule that only warns in this cluster, or a dry run, would not be refused', async (t) => {
  const warned = await reviewed(takesV1Away, { ...OBSERVE, rules: { 'subset-in-use': 'warn' } })
  const tried = await reviewed({ ...takesV1Away, dryRun: true }, OBSERVE)
  for (const { decision } of [warned, tried]) t.match(decision, { verdict: 'warn', observed: false })
})
