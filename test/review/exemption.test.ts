/** The annotation by which an object is let past a rule: what it must say, and what becomes of the write. */
import t from 'tap'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, remove, worldOf } from '../changes.ts'
import { destinationRule, guide, guideWith, type Manifest } from '../manifests.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const TOMORROW = 'until=2026-01-02T00:00:00Z'

const annotated = (allow: string): Manifest => destinationRule(['v2'], {}, { annotations: { 'hitless.io/allow': allow } })

/** The DestinationRule loses the subset that has all requests, with this annotation. */
function written(allow: string, mayExempt?: (rule: string) => boolean) {
  const world = worldOf(guide())
  return decide(apply(world, annotated(allow)), world, DEFAULT_POLICY, NOW, mayExempt)
}

t.test('a valid one makes of the denial a warning, and leaves a trace', async (t) => {
  const { verdict, warnings, message, auditAnnotations, exempted } = written(`subset-in-use ${TOMORROW} reason=v1 is gone, JIRA-12`)
  t.equal(verdict, 'warn')
  t.equal(message, '')
  t.match(warnings.join(' '), '[subset-in-use]')
  t.same(exempted, ['subset-in-use'])
  t.same(auditAnnotations, { exempted: 'subset-in-use', 'exemption-reason': 'v1 is gone, JIRA-12', rules: 'subset-in-use' })
})

t.test('one of several rules is enough, another rule is not', async (t) => {
  t.equal(written(`missing-fallback,subset-in-use ${TOMORROW} reason=x`).verdict, 'warn')
  t.equal(written(`missing-fallback ${TOMORROW} reason=x`).verdict, 'deny')
})

for (const [what, allow, says] of [
  ['no reason', `subset-in-use ${TOMORROW}`, 'needs until=<RFC 3339 time> and reason=<text>'],
  ['an empty reason', `subset-in-use ${TOMORROW} reason= `, 'needs until=<RFC 3339 time> and reason=<text>'],
  ['no end', 'subset-in-use reason=x', 'needs until=<RFC 3339 time> and reason=<text>'],
  ['an end that is no time', 'subset-in-use until=soon reason=x', 'until=soon is no RFC 3339 time'],
  ['an end that has come', 'subset-in-use until=2026-01-01T00:00:00Z reason=x', 'expired at 2026-01-01T00:00:00Z'],
  ['an end too far away', 'subset-in-use until=2026-02-01T00:00:00Z reason=x', 'at most 30 days away']
] as const) {
  t.test(`${what}: it does not count, and says why`, async (t) => {
    const { verdict, warnings, exempted } = written(allow)
    t.equal(verdict, 'deny')
    t.match(warnings.join('\n'), says)
    t.same(exempted, [])
  })
}

t.test('a deletion goes by the annotation of the stored object', async (t) => {
  const stored = destinationRule(['v1', 'v2'], {}, { annotations: { 'hitless.io/allow': `subset-in-use ${TOMORROW} reason=x` } })
  const world = worldOf(guideWith(stored))
  t.equal(decide(remove(world, stored), world, DEFAULT_POLICY, NOW).verdict, 'warn')
})

t.test('whose writer may not exempt the rule, counts for nothing and says what is missing', async (t) => {
  const asked: string[] = []
  const { verdict, claims, exempted, warnings, auditAnnotations } = written(`subset-in-use ${TOMORROW} reason=x`, (rule) => {
    asked.push(rule)
    return false
  })
  t.equal(verdict, 'deny')
  t.same([...new Set(asked)], ['subset-in-use'])
  t.same(claims, ['subset-in-use'])
  t.same(exempted, [])
  t.match(warnings.join('\n'), 'hitless.io/allow does not count: alice may not exempt from rules.hitless.io/subset-in-use')
  t.same(auditAnnotations, { rules: 'subset-in-use' })
})

t.test('nobody is asked where nothing is refused', async (t) => {
  const world = worldOf(guide())
  const harmless = destinationRule(['v1', 'v2', 'v3'], {}, { annotations: { 'hitless.io/allow': `subset-in-use ${TOMORROW} reason=x` } })
  const { claims } = decide(apply(world, harmless), world, DEFAULT_POLICY, NOW, () => t.fail('asked'))
  t.same(claims, [])
})
