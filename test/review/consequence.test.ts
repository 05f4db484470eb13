/** Updates that are deletions: a finalizer that is taken off, an owner that is not there; and what is leaving is nothing to rely on. */
import t from 'tap'
import { decide } from '../../src/review/decide.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { apply, worldOf } from '../changes.ts'
import {
  deployment,
  destinationRule,
  guide,
  guideWith,
  guideWithout,
  type Manifest,
  rule,
  service,
  to,
  virtualService
} from '../manifests.ts'

const VERSIONS = ['v1', 'v2']
const LEAVING = { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['example.com/keep'] }
const owned = (...owners: Record<string, unknown>[]) => destinationRule(VERSIONS, {}, { ownerReferences: owners })
const owner = (kind: string, name: string, uid: string, apiVersion = 'apps/v1') => ({ apiVersion, kind, name, uid })

function on(given: readonly Manifest[], manifest: Manifest) {
  const world = worldOf(given)
  return decide(apply(world, manifest), world, DEFAULT_POLICY, 0)
}

t.test('the last finalizer of what carries requests is not taken off', async (t) => {
  const given = guideWith(destinationRule(VERSIONS, {}, LEAVING))
  const { verdict, message, warnings } = on(given, destinationRule(VERSIONS, {}, { ...LEAVING, finalizers: [] }))
  t.equal(verdict, 'deny')
  t.match(message, 'which this deletes')
  t.match(warnings, [/the last finalizer/])
  const two = { ...LEAVING, finalizers: ['example.com/keep', 'example.com/other'] }
  t.equal(on(guideWith(destinationRule(VERSIONS, {}, two)), destinationRule(VERSIONS, {}, LEAVING)).verdict, 'allow', 'one is left')
})

t.test('an object that is not being deleted may lose its finalizers', async (t) => {
  const given = guideWith(destinationRule(VERSIONS, {}, { finalizers: ['example.com/keep'] }))
  t.equal(on(given, destinationRule(VERSIONS)).verdict, 'allow')
})

t.test('a new owner that is not there is a deletion', async (t) => {
  const { verdict, message, warnings } = on(guide(), owned(owner('Deployment', 'nobody', '1')))
  t.equal(verdict, 'deny')
  t.match(message, 'which this deletes')
  t.match(warnings, [/garbage collection/])
})

t.test('so is one that has the name of another, and one of its kind in another namespace', async (t) => {
  const known = { ...service(), metadata: { name: 'helloworld', namespace: 'default', uid: 'right' } }
  const given = guideWith(known)
  t.equal(on(given, owned(owner('Service', 'helloworld', 'wrong', 'v1'))).verdict, 'deny')
  t.equal(on(given, owned(owner('Service', 'helloworld', 'right', 'v1'))).verdict, 'allow')
})

t.test('one owner that is there, or that nobody here knows of, keeps the object', async (t) => {
  t.equal(on(guide(), owned(owner('Deployment', 'nobody', '1'), owner('Deployment', 'helloworld-v1', ''))).verdict, 'allow')
  t.equal(on(guide(), owned(owner('Canary', 'helloworld', '1', 'flagger.app/v1beta1'))).verdict, 'allow')
})

t.test('an owner that the object had before is no news', async (t) => {
  const had = owned(owner('Deployment', 'nobody', '1'))
  t.equal(on(guideWith(had), had).verdict, 'allow')
})

t.test('an object that loses the last of its owners that is there is deleted, and so is one whose owner gets another name', async (t) => {
  const [alive, dead] = [owner('Deployment', 'helloworld-v1', ''), owner('Deployment', 'nobody', '1')]
  t.equal(on(guideWith(owned(alive, dead)), owned(dead)).verdict, 'deny')
  t.equal(on(guideWith(owned(alive, dead)), owned(alive)).verdict, 'allow')
  t.equal(on(guideWith(owned(alive)), owned({ ...alive, name: 'nobody' })).verdict, 'deny', 'by the same uid')
})

t.test("a ReplicaSet is a Deployment's if it was so before the write", async (t) => {
  const { spec } = deployment('v1')
  const replicaSet = (spec: unknown, metadata: Record<string, unknown> = {}): Manifest => ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'bare', namespace: 'default', ...metadata },
    spec
  })
  const pod: Manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'bare-1',
      namespace: 'default',
      labels: { app: 'helloworld', version: 'v1' },
      ownerReferences: [owner('ReplicaSet', 'bare', '1')]
    },
    spec: { containers: [] },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }
  }
  const given = [...guideWithout('Deployment', 'helloworld-v1'), replicaSet(spec), pod]
  const stranger = { ownerReferences: [{ ...owner('Deployment', 'nobody', '1'), controller: true }] }
  t.equal(on(given, replicaSet(spec, stranger)).verdict, 'deny', 'garbage collection takes it')
  t.equal(on(given, replicaSet({ ...(spec as object), replicas: 0 }, stranger)).verdict, 'deny')
  const its = { ownerReferences: [owner('Deployment', 'helloworld-v2', '')] }
  t.equal(
    on([...given.filter(({ kind }) => kind !== 'ReplicaSet'), replicaSet(spec, its)], replicaSet({ ...(spec as object), replicas: 0 }, its))
      .verdict,
    'allow'
  )
})

t.test('nothing may newly rely on a DestinationRule that is being deleted', async (t) => {
  const given = guideWith(destinationRule(VERSIONS, {}, LEAVING))
  t.equal(on(given, virtualService([rule([to('v1', 50), to('v2', 50)])])).verdict, 'deny', 'v2 carried nothing before')
  const both = guideWith(destinationRule(VERSIONS, {}, LEAVING), virtualService([rule([to('v1', 50), to('v2', 50)])]))
  t.equal(on(both, virtualService([rule([to('v1', 90), to('v2', 10)])])).verdict, 'allow', 'it did')
})
