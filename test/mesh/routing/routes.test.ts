import t from 'tap'
import { type Kind, type ObjectRef, parseAs } from '../../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../../src/mesh/names/hosts.ts'
import { chains, hostsOf, routeTables } from '../../../src/mesh/routing/routes.ts'
import type { Context, RouteTable } from '../../../src/mesh/routing/table.ts'
import { DEFAULT_SETTINGS } from '../../../src/mesh/snapshot/settings.ts'
import { World } from '../../../src/mesh/snapshot/snapshot.ts'
import { podsOf } from '../../../src/mesh/snapshot/workloads.ts'

type Fields = Record<string, unknown>

const client = (namespace: string, labels = {}): Context => ({ kind: 'mesh', namespace, labels })
const REVIEWS = 'reviews.prod.svc.cluster.local'

/** Objects as [kind, `namespace/name`, spec], the oldest first. */
function world(objects: readonly (readonly [Kind, string, Fields])[], unknown: readonly Kind[] = []): World {
  const built = new World(DEFAULT_SETTINGS, unknown)
  for (const [at, [kind, path, spec]] of objects.entries()) {
    const [namespace = '', name = ''] = path.split('/')
    const object = { ...parseAs(kind, { metadata: { namespace, name }, spec }, DEFAULT_DOMAIN), createdMs: (at + 1) * 1000 }
    built.set(object)
    if (object.kind === 'Deployment') for (const pod of podsOf(object)) built.set(pod)
  }
  return built
}

const service = (name: string, fields: Fields = {}): readonly [Kind, string, Fields] => [
  'Service',
  `prod/${name}`,
  { selector: { app: name }, ports: [{ name: 'http', port: 80 }], ...fields }
]
const workload = (name: string, labels: Fields = { app: name }): readonly [Kind, string, Fields] => [
  'Deployment',
  `prod/${name}`,
  { replicas: 2, template: { metadata: { labels } } }
]
const to = (host: string, subset?: string): Fields => ({ route: [{ destination: { host, ...(subset === undefined ? {} : { subset }) } }] })

const nameOf = ({ namespace, name }: ObjectRef): string => `${namespace}/${name}`
const namesOfTakers = ({ takers }: RouteTable): string[] => takers.map(nameOf)

/** `host:port by virtual services -> destinations`, or where they are missing why. */
function summary(tables: readonly RouteTable[]): string[] {
  return tables.map(({ host, port, takers, routes }) => {
    const targets = routes.flatMap(({ destinations }) =>
      destinations.map((each) => `${each.host}:${each.port}${each.subset === null ? '' : `/${each.subset}`}=${each.missing ?? each.ready}`)
    )
    return `${host}:${port} by ${takers.map(nameOf).join(',') || 'default'} -> ${targets.join(' ')}`
  })
}

t.test('a service that no VirtualService takes has one default route for each HTTP port', async (t) => {
  const ports = [{ name: 'http', port: 80 }, { port: 8080 }, { name: 'tcp', port: 9000 }]
  const snapshot = world([service('reviews', { ports }), workload('reviews')])
  t.same(summary(routeTables(snapshot, client('web'), REVIEWS)), [
    `${REVIEWS}:80 by default -> ${REVIEWS}:80=2`,
    `${REVIEWS}:8080 by default -> ${REVIEWS}:8080=2`
  ])
  t.same(routeTables(snapshot, client('web'), 'nobody.prod.svc.cluster.local'), [])
})

t.test('an ExternalName Service has the tables of the host that it stands for, even through another (8.4)', async (t) => {
  const alias = (name: string, externalName: string) => service(name, { type: 'ExternalName', externalName, selector: undefined })
  const snapshot = world([
    service('reviews'),
    workload('reviews'),
    alias('one', 'two.prod.svc.cluster.local'),
    alias('two', REVIEWS),
    alias('ring', 'ring.prod.svc.cluster.local')
  ])
  t.same(summary(routeTables(snapshot, client('web'), 'one.prod.svc.cluster.local')), [`${REVIEWS}:80 by default -> ${REVIEWS}:80=2`])
  t.same(routeTables(snapshot, client('web'), 'ring.prod.svc.cluster.local'), [], 'a circle ends')
})

t.test('the older of two VirtualServices has the names of an alias (8.4)', async (t) => {
  const alias = service('alias', { type: 'ExternalName', externalName: REVIEWS, selector: undefined })
  const ofAlias = ['VirtualService', 'prod/alias', { hosts: ['alias'], http: [to('reviews')] }] as const
  const ofReviews = ['VirtualService', 'prod/reviews', { hosts: ['reviews'], http: [to('reviews')] }] as const
  const host = 'alias.prod.svc.cluster.local'
  const takers = (objects: readonly (readonly [Kind, string, Fields])[]) =>
    routeTables(world([service('reviews'), alias, ...objects]), client('web'), host).flatMap(namesOfTakers)
  t.same(takers([ofAlias, ofReviews]), ['prod/alias'])
  t.same(takers([ofReviews, ofAlias]), ['prod/reviews'])
})

t.test('a Sidecar decides port by port what its clients import (3.9)', async (t) => {
  const ports = [
    { name: 'http', port: 80 },
    { name: 'http-b', port: 8080 }
  ]
  const egress = [{ port: { number: 8080 }, hosts: ['prod/*'] }, { hosts: ['other/*'] }]
  const snapshot = world([service('reviews', { ports }), workload('reviews'), ['Sidecar', 'web/default', { egress }]])
  t.same(
    routeTables(snapshot, client('web'), REVIEWS).map(({ port }) => port),
    [8080]
  )
  t.same(
    routeTables(snapshot, client('prod'), REVIEWS).map(({ port }) => port),
    [80, 8080]
  )
})

t.test('a Sidecar that selects workloads is theirs alone, and the root namespace has one for all (3.9)', async (t) => {
  const none = { egress: [{ hosts: ['~/*'] }] }
  const snapshot = world([
    service('reviews'),
    ['Sidecar', 'web/batch', { ...none, workloadSelector: { labels: { app: 'batch' } } }],
    ['Sidecar', 'istio-system/default', { egress: [{ hosts: ['prod/*'] }] }]
  ])
  const sees = (context: Context) => routeTables(snapshot, context, REVIEWS).length > 0
  t.notOk(sees(client('web', { app: 'batch' })))
  t.ok(sees(client('web', { app: 'site' })))
})

t.test('what is not known is never missing', async (t) => {
  const objects = [service('reviews'), workload('reviews', { app: 'reviews', version: 'v1' })] as const
  const vs = ['VirtualService', 'prod/reviews', { hosts: ['reviews'], http: [to('reviews', 'v2')] }] as const
  const destination = (unknown: readonly Kind[]) => summary(routeTables(world([...objects, vs], unknown), client('prod'), REVIEWS))
  t.same(destination([]), [`${REVIEWS}:80 by prod/reviews -> ${REVIEWS}:80/v2=subset`])
  t.same(destination(['DestinationRule']), [`${REVIEWS}:80 by prod/reviews -> ${REVIEWS}:80/v2=null`])
})

t.test('a Service without selector is served as far as anyone knows, unless EndpointSlices say otherwise (11.5)', async (t) => {
  const slice = (ready: boolean) => ({
    ...parseAs(
      'EndpointSlice',
      {
        metadata: { name: 'reviews-1', namespace: 'prod', labels: { 'kubernetes.io/service-name': 'reviews' } },
        ports: [{ name: 'http', port: 8080 }],
        endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready } }]
      },
      DEFAULT_DOMAIN
    )
  })
  const snapshot = world([service('reviews', { selector: undefined })])
  const ready = () => routeTables(snapshot, client('prod'), REVIEWS)[0]?.routes[0]?.destinations[0]?.ready
  t.equal(ready(), null)
  snapshot.set(slice(true))
  t.equal(ready(), 1)
  snapshot.set(slice(false))
  t.equal(ready(), 0)
})

t.test('labels that Istio takes from nodes are not known (11.3)', async (t) => {
  const subset = (labels: Fields) => ({ host: 'reviews', subsets: [{ name: 'here', labels }] })
  const vs = ['VirtualService', 'prod/reviews', { hosts: ['reviews'], http: [to('reviews', 'here')] }] as const
  const ready = (labels: Fields) => {
    const snapshot = world([service('reviews'), workload('reviews'), ['DestinationRule', 'prod/reviews', subset(labels)], vs])
    return routeTables(snapshot, client('prod'), REVIEWS)[0]?.routes[0]?.destinations[0]?.ready
  }
  t.equal(ready({ 'topology.kubernetes.io/zone': 'a' }), null)
  t.equal(ready({ 'topology.istio.io/cluster': 'Kubernetes' }), 2)
  t.equal(ready({ 'topology.istio.io/cluster': 'elsewhere' }), 0)
  t.equal(ready({ 'topology.kubernetes.io/zone': 'a', version: 'gone' }), 0, 'no Pod has the labels that are known, wherever it runs')
})

t.test('how many endpoints the node of a client has is not known, but of none it has none (11.5)', async (t) => {
  const ready = (workloads: readonly (readonly [Kind, string, Fields])[]) => {
    const snapshot = world([service('reviews', { internalTrafficPolicy: 'Local' }), ...workloads])
    return routeTables(snapshot, client('prod'), REVIEWS)[0]?.routes[0]?.destinations[0]?.ready
  }
  t.equal(ready([workload('reviews')]), null)
  t.equal(ready([]), 0)
})

t.test('a spelling of a service belongs to the older VirtualService of the two (1.3)', async (t) => {
  const ofService = ['VirtualService', 'prod/full', { hosts: ['reviews'], http: [to('reviews')] }] as const
  const ofSpelling = ['VirtualService', 'prod/dotted', { hosts: ['reviews.prod'], http: [to('reviews')] }] as const
  const takers = (objects: readonly (readonly [Kind, string, Fields])[]) =>
    routeTables(world([service('reviews'), ...objects]), client('web'), 'reviews.prod').flatMap(namesOfTakers)
  t.same(takers([ofSpelling, ofService]), ['prod/dotted'])
  t.same(takers([ofService, ofSpelling]), [])
})

t.test('a wildcard within a label takes the services that end like it (3.5)', async (t) => {
  const snapshot = world([
    service('web-canary'),
    service('web'),
    ['VirtualService', 'prod/canary', { hosts: ['*-canary.prod.svc.cluster.local'], http: [to('web')] }]
  ])
  const takers = (host: string) => routeTables(snapshot, client('web'), host).flatMap(namesOfTakers)
  t.same(takers('web-canary.prod.svc.cluster.local'), ['prod/canary'])
  t.same(takers('web.prod.svc.cluster.local'), [])
  t.ok(hostsOf(snapshot, client('web')).includes('web-canary.prod.svc.cluster.local'))
})

t.test('TCP rules take the connections of their port, and of a port without rule nothing is said (12.1)', async (t) => {
  const ports = [
    { name: 'tcp-a', port: 9000 },
    { name: 'tcp-b', port: 9001 }
  ]
  const tcp = [{ match: [{ port: 9000 }], ...to('reviews', 'v9') }]
  const snapshot = world([service('reviews', { ports }), ['VirtualService', 'prod/reviews', { hosts: ['reviews'], tcp }]])
  const found = chains(snapshot, client('web'), REVIEWS)
  t.same(
    found.map(({ port, destinations }) => [port, destinations.map(({ missing }) => missing)]),
    [[9000, ['subset']]]
  )
})
