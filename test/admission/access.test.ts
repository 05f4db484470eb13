/** Who is asked about whether an exemption counts, and when. */
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import type { Author } from '../../src/review/change.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { apply, parsed, worldOf } from '../changes.ts'
import { destinationRule, guide, type Manifest, rule, to, virtualService } from '../manifests.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const NEVER = new AbortController().signal
const ALLOW = { annotations: { 'hitless.io/allow': 'subset-in-use,undefined-subset until=2026-01-02T00:00:00Z reason=x' } }

const dangerous = destinationRule(['v2'], {}, ALLOW)
const harmless = destinationRule(['v1', 'v2', 'v3'], {}, ALLOW)

interface Asked {
  readonly username: string
  readonly namespace: string
  readonly rule: string
}

async function review(write: Manifest, answer: () => Promise<boolean>, policy: Partial<Policy> = {}, stored: readonly Manifest[] = []) {
  const asked: Asked[] = []
  const state = new Sandbox()
  for (const manifest of guide()) state.load(parsed(manifest))
  const change = apply(worldOf(guide()), write)
  // What a read shows and the cache does not.
  const fresh = new Sandbox()
  for (const manifest of [...guide(), ...stored]) fresh.load(parsed(manifest))
  const reviewer = createReviewer({
    state: {
      snapshot: () => state.snapshot(),
      facts: fresh.facts,
      admitted: (each) => state.admitted(each),
      pending: () => state.pending(),
      health: () => state.health()
    },
    policy: () => ({ ...DEFAULT_POLICY, ...policy }),
    nowMs: () => NOW,
    mayExempt: ({ username }: Author, namespace, rule) => {
      asked.push({ username, namespace, rule })
      return answer()
    }
  })
  return { decision: await reviewer(change, NEVER), asked }
}

const yes = async () => true
const no = async () => false

t.test('the writer is asked about by the rule that refuses, and may', async (t) => {
  const { decision, asked } = await review(dangerous, yes)
  t.equal(decision.verdict, 'warn')
  t.same(decision.exempted, ['subset-in-use'])
  t.same(asked, [{ username: 'alice', namespace: 'default', rule: 'subset-in-use' }])
})

t.test('who may not is refused, and so is who cannot be asked about', async (t) => {
  t.equal((await review(dangerous, no)).decision.verdict, 'deny')
  const unanswered = await review(dangerous, () => Promise.reject(new Error('connection refused')))
  t.equal(unanswered.decision.verdict, 'deny')
  t.equal(unanswered.asked.length, 1)
})

t.test('nobody is asked where the write is admitted, without an annotation, or where the check is off', async (t) => {
  t.same((await review(harmless, no)).asked, [])
  t.same((await review(destinationRule(['v2']), no)).asked, [])
  const off = await review(dangerous, no, { exemptionsNeedAccess: false })
  t.equal(off.decision.verdict, 'warn')
  t.same(off.asked, [])
})

t.test('nor where a read by name shows that nothing is to be refused', async (t) => {
  const toV2 = virtualService([rule([to('v2')])])
  const { decision, asked } = await review(dangerous, no, {}, [toV2])
  t.equal(decision.verdict, 'allow')
  t.same(asked, [])
})
