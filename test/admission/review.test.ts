import t from 'tap'
import { parseReview, respond } from '../../src/admission/review.ts'
import { World } from '../../src/mesh/snapshot/snapshot.ts'
import type { Change } from '../../src/review/change.ts'
import { ADMITTED } from '../../src/review/decide.ts'
import { worldOf } from '../changes.ts'
import { guide, type Manifest, namespace, rule, to, virtualService } from '../manifests.ts'
import { create, type Review, remove, scale, stored, UID, update } from './reviews.ts'

const world = worldOf(guide())

function changeOf(review: Review): Change {
  const { change } = parseReview(review, world)
  if (change === null) throw new Error('this review holds a change')
  return change
}

t.test('a create names what will be stored, by whom and with which tool', async (t) => {
  const change = changeOf(create(virtualService([rule([to('v1')])])))
  t.equal(change.operation, 'CREATE')
  t.match(change.ref, { kind: 'VirtualService', namespace: 'default', name: 'helloworld' })
  t.equal(change.before, null)
  t.match(change.after, { kind: 'VirtualService', http: [{ route: [{ subset: 'v1' }] }] })
  t.equal(change.dryRun, false)
  t.strictSame(change.author, {
    username: 'alice',
    groups: ['developers', 'system:authenticated'],
    manager: 'kubectl-client-side-apply'
  })
})

t.test('an update has both the stored object and the next', async (t) => {
  const change = changeOf(update(stored('VirtualService'), virtualService([rule([to('v2')])])))
  t.match(change.before, { resourceVersion: '7', http: [{ route: [{ subset: 'v1' }] }] })
  t.match(change.after, { http: [{ route: [{ subset: 'v2' }] }] })
})

t.test('a delete is identified by the old object, whose name a deletecollection gives nowhere else', async (t) => {
  const one = changeOf(remove(stored('DestinationRule')))
  t.match(one, { operation: 'DELETE', after: null, before: { kind: 'DestinationRule', name: 'helloworld' } })
  const many = remove(stored('DestinationRule'))
  delete many.request['name']
  t.match(changeOf(many).ref, { kind: 'DestinationRule', namespace: 'default', name: 'helloworld' })
})

t.test('a Namespace is in none, though the API server says that it is in itself', async (t) => {
  const review = update(namespace('default'), namespace('default', { labels: { routes: 'yes' } }))
  const change = changeOf({ ...review, request: { ...review.request, namespace: 'default' } })
  t.strictSame(change.ref, { kind: 'Namespace', namespace: '', name: 'default' })
})

t.test('a dry run is told apart', async (t) => {
  t.equal(changeOf(create(stored('Service'), { dryRun: true })).dryRun, true)
  t.equal(changeOf(create(stored('Service'), { dryRun: null })).dryRun, false)
})

t.test('the three API versions of Istio read the same', async (t) => {
  for (const version of ['v1', 'v1beta1', 'v1alpha3']) {
    const change = changeOf(create({ ...stored('VirtualService'), apiVersion: `networking.istio.io/${version}` }))
    t.equal(change.ref.kind, 'VirtualService', version)
  }
})

t.test('a Scale becomes the stored Deployment with another count', async (t) => {
  const change = changeOf(scale('helloworld-v1', 2, 0))
  t.match(change.ref, { kind: 'Deployment', namespace: 'default', name: 'helloworld-v1' })
  t.match(change.before, { replicas: 2, templateLabels: { version: 'v1' } })
  t.match(change.after, { replicas: 0, templateLabels: { version: 'v1' } })
  t.equal(world.find('Deployment', 'default', 'helloworld-v1')?.replicas, 2, 'what the snapshot holds is not touched')
})

t.test('a Scale of a Deployment that is not known has just its name and count', async (t) => {
  const { change } = parseReview(scale('ghost', 3, 1), new World())
  t.match(change, { before: { name: 'ghost', replicas: 3 }, after: { name: 'ghost', replicas: 1, templateLabels: {} } })
})

t.test('what hitless does not judge holds no change', async (t) => {
  const others: Record<string, Review> = {
    'another kind': create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'default' } }),
    'a kind that the model reads and no rule judges': create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', name: 'p' }
    }),
    'a kind of the same name in another group': create({ ...stored('Service'), apiVersion: 'serving.knative.dev/v1' }),
    'the status of a Deployment': update(stored('Deployment'), stored('Deployment'), { subResource: 'status' }),
    'the Scale of something else': {
      ...scale('a', 1, 0),
      request: { ...scale('a', 1, 0).request, resource: { group: 'example.com', version: 'v1', resource: 'widgets' } }
    },
    'a connection': create(stored('Service'), { operation: 'CONNECT', subResource: 'proxy' })
  }
  for (const [name, review] of Object.entries(others))
    t.strictSame(parseReview(review, world), { uid: UID, change: null, warnings: [] }, name)
})

t.test('what cannot be read is not refused, and a warning says so', async (t) => {
  const odd: Record<string, Manifest> = {
    'hitless did not check this object: spec.http must be a list, not string "x"': virtualService([], { http: 'x' }),
    'hitless did not check this object: VirtualService of networking.istio.io/v2 is newer than this release': {
      ...stored('VirtualService'),
      apiVersion: 'networking.istio.io/v2'
    }
  }
  for (const [warning, object] of Object.entries(odd)) {
    t.strictSame(parseReview(create(object), world), { uid: UID, change: null, warnings: [warning] })
  }
  const long = parseReview(create(virtualService([], { http: `\u001b[31m${'x'.repeat(500)}` })), world).warnings.join()
  t.ok(long.length <= 120)
  t.notMatch(long, '\u001b')
})

t.test('the tool is the manager of this request, else the newest that wrote more than status', async (t) => {
  const entry = (manager: string, time: string, rest = {}) => ({ manager, operation: 'Update', apiVersion: 'v1', time, ...rest })
  const managed = (...managedFields: unknown[]): Manifest => {
    const service = stored('Service')
    return { ...service, metadata: { ...service.metadata, managedFields } }
  }
  const helm = entry('helm', '2026-11-01T10:00:01Z')
  const edit = entry('kubectl-edit', '2026-11-01T10:00:00Z')
  const status = entry('cloud-controller', '2026-11-01T10:00:09Z', { subresource: 'status' })
  const managerOf = (object: Manifest, options: unknown) => changeOf(update(stored('Service'), object, { options })).author.manager
  t.equal(managerOf(managed(helm, edit), { fieldManager: 'argocd-controller' }), 'argocd-controller')
  t.equal(managerOf(managed(helm, edit, status), {}), 'helm')
  t.equal(managerOf(managed(edit, entry('flux', '2026-11-01T10:00:00Z')), null), 'flux', 'the last of two in one second')
  t.equal(managerOf(managed(3, { manager: 4 }, { manager: 'a', time: 5 }), {}), '')
  t.equal(managerOf(stored('Service'), {}), '')
})

t.test('keys that JavaScript gives a meaning are data', async (t) => {
  const labels = JSON.parse('{"__proto__": "a", "constructor": "b"}')
  const change = changeOf(create({ ...stored('Service'), metadata: { name: 'a', namespace: 'default', labels } }))
  t.strictSame(Object.entries(change.after?.labels ?? {}), [
    ['__proto__', 'a'],
    ['constructor', 'b']
  ])
})

t.test('what is no AdmissionReview is refused with what is wrong', async (t) => {
  const good = create(stored('Service'))
  const without = (field: string): Review => ({
    ...good,
    request: Object.fromEntries(Object.entries(good.request).filter(([name]) => name !== field))
  })
  const bad: [unknown, string][] = [
    [null, 'the body must be object'],
    [[], 'the body must be object'],
    [{}, "the body must have required property 'apiVersion'"],
    [{ ...good, kind: 'Pod' }, 'kind must be equal to constant'],
    [{ ...good, apiVersion: 'admission.k8s.io/v1beta1' }, 'apiVersion must be equal to constant'],
    [{ ...good, request: 'x' }, 'request must be object'],
    [without('uid'), "request must have required property 'uid'"],
    [without('userInfo'), "request must have required property 'userInfo'"],
    [create(stored('Service'), { uid: '' }), 'request.uid must NOT have fewer than 1 characters'],
    [create(stored('Service'), { operation: 'PATCH' }), 'request.operation must be equal to one of the allowed values'],
    [create(stored('Service'), { object: 'x' }), 'request.object must be object,null'],
    [create(stored('Service'), { object: null }), 'request.object is missing in a review of CREATE'],
    [remove(stored('Service'), { oldObject: null }), 'request.oldObject is missing in a review of DELETE'],
    [update(stored('Service'), stored('Service'), { oldObject: null }), 'request.oldObject is missing in a review of UPDATE']
  ]
  for (const [body, what] of bad) {
    const message = `${what}: expected an AdmissionReview of admission.k8s.io/v1`
    t.throws(() => parseReview(body, world), { code: 'HITLESS_BAD_REVIEW', message }, what)
  }
})

t.test('the answer bears the uid, and just what there is to say', async (t) => {
  t.strictSame(respond('1', ADMITTED), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: '1', allowed: true }
  })
  t.strictSame(respond('2', { ...ADMITTED, verdict: 'warn', warnings: ['careful'], auditAnnotations: { stale: 'no' } }).response, {
    uid: '2',
    allowed: true,
    warnings: ['careful'],
    auditAnnotations: { stale: 'no' }
  })
  t.strictSame(respond('3', { ...ADMITTED, verdict: 'deny', message: 'hitless: no' }).response, {
    uid: '3',
    allowed: false,
    status: { code: 403, reason: 'Forbidden', message: 'hitless: no' }
  })
})
