/** What policy, dry runs, writers and namespaces make of the same dangerous write. */
import t from 'tap'
import type { Change } from '../../src/review/change.ts'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY, type Policy } from '../../src/review/policy.ts'
import { apply, remove, worldOf } from '../changes.ts'
import { deployment, destinationRule, guide, guideWith, type Manifest, namespace, rule, service, to, virtualService } from '../manifests.ts'

/** The DestinationRule loses the subset that has all requests. */
function verdictOf(given: readonly Manifest[] = guide(), rest: Partial<Change> = {}, policy: Partial<Policy> = {}) {
  const world = worldOf(given)
  return decide(apply(world, destinationRule(['v2']), rest), world, { ...DEFAULT_POLICY, ...policy }, Date.parse('2026-01-01T00:00:00Z'))
}

const by = (username: string) => ({ author: { username, groups: [], manager: '' } })

t.test('by default it is refused', async (t) => {
  const { verdict, auditAnnotations } = verdictOf()
  t.equal(verdict, 'deny')
  t.same(auditAnnotations, { rules: 'subset-in-use' })
})

t.test('a rule can be lowered to a warning, or turned off, in the cluster', async (t) => {
  t.equal(verdictOf(guide(), {}, { rules: { 'subset-in-use': 'warn' } }).verdict, 'warn')
  t.equal(verdictOf(guide(), {}, { rules: { 'subset-in-use': 'off' } }).verdict, 'allow')
})

t.test('and in a namespace, which cannot raise it', async (t) => {
  const labelled = (mode: string) => guideWith(namespace('default', { labels: { 'hitless.io/mode': mode } }))
  t.equal(verdictOf(labelled('warn')).verdict, 'warn')
  t.equal(verdictOf(labelled('off')).verdict, 'allow')
  t.equal(verdictOf(labelled('enforce')).verdict, 'deny')
  t.equal(verdictOf(labelled('enforce'), {}, { rules: { 'subset-in-use': 'warn' } }).verdict, 'warn')
})

t.test('what clients in ambient mode get by a waypoint is said not to be judged', async (t) => {
  const behind = (...labelled: Manifest[]) => {
    const world = worldOf(guideWith(...labelled))
    return decide(apply(world, virtualService([rule([to('v2')])])), world, DEFAULT_POLICY, 0)
  }
  const label = (waypoint: string) => ({ labels: { 'istio.io/use-waypoint': waypoint } })
  const said = 'helloworld.default.svc.cluster.local is served by waypoint way: what its clients in ambient mode get is not judged'
  t.strictSame(behind(service({}, label('way'))).warnings, [said])
  t.strictSame(behind(namespace('default', label('way'))).warnings, [said])
  t.strictSame(behind(namespace('default', label('way')), service({}, label('none'))).warnings, [])
})

t.test('a dry run warns of what depends on other objects, and can be judged like a real write', async (t) => {
  t.equal(verdictOf(guide(), { dryRun: true }).verdict, 'warn')
  t.equal(verdictOf(guide(), { dryRun: true }, { dryRun: 'enforce' }).verdict, 'deny')
})

t.test('controllers that carry out what was admitted before are never stopped', async (t) => {
  for (const account of ['namespace-controller', 'generic-garbage-collector']) {
    const { verdict, auditAnnotations } = verdictOf(guide(), by(`system:serviceaccount:kube-system:${account}`))
    t.equal(verdict, 'allow', account)
    t.same(auditAnnotations, { admitted: 'controller' })
  }
  t.equal(
    verdictOf(guide(), by('system:serviceaccount:default:namespace-controller')).verdict,
    'deny',
    'an account of another namespace is nobody special'
  )
})

t.test('nothing is refused in a namespace that is terminating or exempt', async (t) => {
  const terminating = namespace('default', { deletionTimestamp: '2026-01-01T00:00:00Z' })
  t.equal(verdictOf(guideWith({ ...terminating, status: { phase: 'Terminating' } })).verdict, 'allow')
  t.equal(verdictOf(guide(), {}, { exemptNamespaces: ['default'] }).verdict, 'allow')
})

t.test('an object that is terminating may go, but a finalizer is no way round the rules', async (t) => {
  const going = {
    ...destinationRule(['v1', 'v2']),
    metadata: { name: 'helloworld', namespace: 'default', deletionTimestamp: '2026-01-01T00:00:00Z' }
  }
  const world = worldOf(guideWith(going))
  t.equal(decide(remove(world, going), world, DEFAULT_POLICY, 0).verdict, 'allow')
  const emptied = { ...going, spec: destinationRule(['v2'])['spec'] }
  t.equal(decide(apply(world, emptied), world, DEFAULT_POLICY, 0).verdict, 'deny')
})

t.test('writes that change nothing about requests cost no judgement', async (t) => {
  const world = worldOf(guide())
  const harmless = [
    deployment('v1', { replicas: 7 }),
    destinationRule(['v1', 'v2'], {}, { labels: { team: 'blue' } }),
    virtualService([rule([to('v1')])], {}, { annotations: { note: 'x' } })
  ]
  for (const manifest of harmless) t.same(decide(apply(world, manifest), world, DEFAULT_POLICY, 0).findings, [], manifest.kind)
})
