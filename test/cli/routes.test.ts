import { join } from 'node:path'
import t from 'tap'
import { contextsOf, parseContext } from '../../src/cli/contexts.ts'
import { routesJson } from '../../src/output/route-json.ts'
import { formatContext, routesTable } from '../../src/output/route-table.ts'
import { sandboxOf } from '../conformance/worlds.ts'
import { reviews } from '../reviews.ts'
import { hitless } from './commands.ts'

const WORLDS = join(import.meta.dirname, '..', 'conformance', 'worlds', 'named')
const snapshotOf = (name: string) => sandboxOf(WORLDS, name).sandbox.snapshot()
const SPLIT = `${reviews()}
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v2, namespace: prod}
spec: {replicas: 1, template: {metadata: {labels: {app: reviews, version: v2}}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}, weight: 75}, {destination: {host: reviews, subset: v2}, weight: 25}]
`
const PLAIN = { colour: false, columns: 140 }

t.test('a context is written as a namespace and labels', async (t) => {
  t.same(parseContext('mesh', 'prod'), { kind: 'mesh', namespace: 'prod', labels: {} })
  t.same(parseContext('gateway', 'edge{istio=gw,v=1}'), { kind: 'gateway', namespace: 'edge', labels: { istio: 'gw', v: '1' } })
  for (const text of ['', 'Prod', 'prod{', 'prod{app}', 'prod{a=b=c}']) t.equal(parseContext('mesh', text), null, text)
  t.equal(formatContext({ kind: 'mesh', namespace: 'prod', labels: { b: '2', a: '1' } }), 'mesh prod{a=1,b=2}')
})

t.test('a world shows its namespaces, the labels it asks clients for, and its gateways', async (t) => {
  t.same(contextsOf(snapshotOf('b03-source-labels-only')).map(formatContext), [
    'mesh default',
    'mesh default{app=web}',
    'mesh prod',
    'mesh prod{app=web}'
  ])
  t.same(contextsOf(snapshotOf('e04-two-vs-one-host-gateway')).map(formatContext).slice(-1), ['gateway prod{istio=ingressgateway}'])
})

t.test('hosts of sniffed ports stand apart, for Istio gives each a listener of its own (3.7)', async (t) => {
  const [context] = routesJson(snapshotOf('g22-unnamed-port'), [{ kind: 'mesh', namespace: 'prod', labels: {} }]).contexts
  t.same(context?.hosts, [])
  t.same(
    context?.sniffed?.map(({ host }) => host),
    ['reviews.prod.svc.cluster.local']
  )
})

t.test('names of a gateway with the same routes are one host (6.2)', async (t) => {
  const proxy = { kind: 'gateway', namespace: 'istio-system', labels: { istio: 'ingressgateway' } } as const
  const [context] = routesJson(snapshotOf('c49-root-local-dr'), [proxy]).contexts
  t.same(
    context?.hosts.map(({ host, names }) => [host, names]),
    [['reviews.prod.svc.cluster.local', ['r.example.com']]]
  )
})

t.test('people see one line a destination, and what is not answered', async (t) => {
  const table = routesTable(snapshotOf('a01-header-no-fallback'), [{ kind: 'mesh', namespace: 'prod', labels: {} }], PLAIN)
  t.same(table.split('\n'), [
    '1 of 1 host leaves requests unanswered: reviews.prod.svc.cluster.local',
    '',
    'mesh prod',
    '  reviews.prod.svc.cluster.local:80  prod/reviews',
    '    header end-user exact jason -> reviews.prod.svc.cluster.local:80 v2  100%  1 ready',
    '    every other request         -> 404',
    ''
  ])
})

t.test('a narrow terminal gets two lines, and a terminal with colours red for what is not served', async (t) => {
  const [context] = [{ kind: 'mesh', namespace: 'prod', labels: {} } as const]
  const narrow = routesTable(snapshotOf('a01-header-no-fallback'), [context], { colour: false, columns: 60 })
  t.match(narrow, '    header end-user exact jason\n      -> reviews.prod.svc.cluster.local:80 v2  100%  1 ready')
  const coloured = routesTable(snapshotOf('c01-undefined-subset'), [context], { colour: true, columns: 140 })
  const red = coloured.split('\n').filter((line) => line.startsWith('\u001b[31m'))
  t.match(red, [/1 of 1 host leaves requests unanswered/, /no such subset, 503/])
})

t.test('only the hosts that were asked for', async (t) => {
  t.equal(
    routesTable(snapshotOf('a01-header-no-fallback'), contextsOf(snapshotOf('a01-header-no-fallback')), { ...PLAIN, hosts: ['other'] }),
    ''
  )
})

t.test('the first line is the answer, and destinations stand below each other', async (t) => {
  const { out } = await hitless(['routes', '-', '--client', 'prod'], { stdin: SPLIT })
  t.strictSame(out.split('\n'), [
    '1 host: every request is answered',
    '',
    'mesh prod',
    '  reviews.prod.svc.cluster.local:80  prod/reviews',
    '    header end-user exact jason -> reviews.prod.svc.cluster.local:80 v2  100%  1 ready',
    '    every request               -> reviews.prod.svc.cluster.local:80 v1   75%  2 ready',
    '    every request               -> reviews.prod.svc.cluster.local:80 v2   25%  1 ready',
    ''
  ])
})

t.test('those that see the same are told together', async (t) => {
  const { out } = await hitless(['routes', '-', '--client', 'prod', '--client', 'default'], { stdin: SPLIT })
  t.match(out, /\n\nmesh prod, mesh default\n {2}reviews\.prod/)
  t.equal(out.split('reviews.prod.svc.cluster.local:80  prod/reviews').length, 2)
})

t.test('where nothing is routed that is said, and why it may be', async (t) => {
  const text = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { selector: { app: a }, ports: [{ port: 80 }] }\n'
  const { exit, out } = await hitless(['routes', '-'], { stdin: text })
  t.equal(exit, 0)
  t.match(out, /^no host has routes here: .*\n$/)
})
