import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { reviews } from '../reviews.ts'
import { hitless } from './commands.ts'

const SHOP = `${reviews()}
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /old}}]
    redirect: {uri: /new}
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - route: [{destination: {host: reviews, subset: v1}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: ingress}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: prod}
spec:
  hosts: [shop.example.com]
  gateways: [ingress/edge]
  http: [{route: [{destination: {host: reviews, port: {number: 80}}}]}]
`
const SPLIT = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: prod}
spec:
  hosts: [reviews]
  http:
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 75}
    - {destination: {host: reviews, subset: v2}, weight: 25}
`

const folder = mkdtempSync(join(tmpdir(), 'hitless-ask-'))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const shop = file('shop.yaml', SHOP)
const split = file('split.yaml', SPLIT)

t.test('whoever asks stands in the namespace of the command', async (t) => {
  const { exit, out } = await hitless(['ask', shop, '-n', 'prod', '--host', 'reviews'])
  t.equal(exit, 0)
  t.match(out, 'GET http://reviews/, as mesh prod\n')
})

t.test('the answer comes first, then the way and what does not take the request', async (t) => {
  const { exit, out } = await hitless(['ask', shop, '--client', 'web', '--host', 'reviews.prod'])
  t.equal(exit, 0)
  t.same(out.split('\n'), [
    '200  GET http://reviews.prod/, as mesh web',
    `  taken by VirtualService prod/reviews spec.http[2] (${shop}:27)`,
    '    100%  reviews.prod.svc.cluster.local:80 v1  2 ready',
    '  not taken by:',
    `    VirtualService prod/reviews spec.http[0].match[0] (${shop}:23): path / does not begin with "/old"`,
    `    VirtualService prod/reviews spec.http[1].match[0] (${shop}:25): header end-user is absent`,
    ''
  ])
})

t.test('headers, method, path and query are asked as they are given', async (t) => {
  const jason = await hitless(['ask', shop, '--host', 'reviews.prod', '-H', 'End-User: jason', '--path', '/a?b=c', '--method', 'post'])
  t.match(jason.out, '503  POST http://reviews.prod/a?b=c, as mesh default\n')
  t.match(jason.out, ' v2  0 ready\n')
  const old = await hitless(['ask', shop, '--host', 'reviews.prod', '--path', '/old'])
  t.match(old.out, '301  GET http://reviews.prod/old, as mesh default\n')
  t.match(old.out, /spec\.http\[0\]\.match\[0\] \(.*shop\.yaml:23\): redirect, 301\n/)
})

t.test('through a gateway, and where nothing is for the request', async (t) => {
  const gateway = await hitless(['ask', shop, '--gateway', 'ingress/edge', '--host', 'shop.example.com'])
  t.match(gateway.out, '200  GET http://shop.example.com/, as gateway ingress{istio=edge}\n')
  const nobody = await hitless(['ask', shop, '--gateway', 'ingress/edge', '--host', 'nobody.example.com'])
  t.match(
    nobody.out,
    '404  GET http://nobody.example.com/, as gateway ingress{istio=edge}\n  no VirtualService serves this host at the gateway\n'
  )
  const port = await hitless(['ask', shop, '--host', 'reviews.prod', '--port', '81', '--tcp'])
  t.match(port.out, 'closed  a connection to reviews.prod:81, as mesh default\n')
  const tls = await hitless(['ask', shop, '--gateway', 'ingress/edge', '--host', 'shop.example.com', '--sni', 'shop.example.com'])
  t.match(tls.out, 'no-listener  GET https://shop.example.com/, as gateway')
})

t.test('before and after a write; 1 where less is answered', async (t) => {
  const { exit, out } = await hitless(['ask', shop, '--host', 'reviews.prod', '--write', split])
  t.equal(exit, 1)
  t.match(out, '200  before: GET http://reviews.prod/, as mesh default\n')
  t.match(out, '503 for 25%, 75% answered  after the write\n')
  t.match(out, `  taken by VirtualService prod/reviews spec.http[0] (${split}:8)\n`)
  const better = await hitless(['ask', shop, '--host', 'reviews.prod', '-H', 'end-user:jason', '--write', split, '-o', 'json'])
  t.equal(better.exit, 0)
  const { answers } = JSON.parse(better.out)
  t.match(answers, [{ before: { status: 503, answered: 0, cause: 'no-endpoints' }, after: { status: 503, answered: 0.75 } }])
  t.match(answers[0].before.passed, [{ path: 'spec.http[0].match[0]', unmet: { field: 'uri', found: '/' } }])
})

t.test('what is written without a namespace goes to that of the command line, like what is there', async (t) => {
  const bare = file('bare.yaml', SPLIT.replace(', namespace: prod', ''))
  const { out } = await hitless(['ask', shop, '--host', 'reviews.prod', '-n', 'prod', '--write', bare])
  t.match(out, '503 for 25%, 75% answered  after the write\n')
})

t.test('colours show what is not answered', async (t) => {
  const { out } = await hitless(['ask', shop, '--host', 'reviews.prod', '-H', 'end-user:jason'], { colour: true })
  t.ok(out.startsWith('\u001b[31m503\u001b[39m'))
})

t.test('a table of requests: every difference, at its line', async (t) => {
  const table = file(
    'requests.yaml',
    `requests:
- name: everybody sees v1
  host: reviews.prod
  expect: {status: 200, answered: 1, virtualService: prod/reviews, to: [{subset: v1, share: 1}]}
- name: jason
  host: reviews.prod
  headers: {end-user: jason}
  expect: {status: 200, answered: 0.5, virtualService: default, to: [{subset: v1}, {subset: v2, share: 0.5}]}
- gateway: ingress/edge
  host: shop.example.com
  expect: {status: 200, to: [{host: reviews.prod.svc.cluster.local, port: 80, subset: ''}]}
- host: example.org
  expect: {answered: 1}
`
  )
  const { exit, out } = await hitless(['ask', shop, '--expect', table])
  t.equal(exit, 1)
  t.same(out.split('\n'), [
    `${table}:5:3: jason: status 503, not 200`,
    `${table}:5:3: jason: 0% are answered, not 50%`,
    `${table}:5:3: jason: taken by prod/reviews, not default`,
    `${table}:5:3: jason: 0% go to subset "v1"`,
    `${table}:5:3: jason: 100% go to subset "v2", not 50%`,
    `${table}:12:3: request 4: nobody knows how many are answered, not 100%`,
    '4 requests, 2 not answered as wanted',
    ''
  ])
  const json = JSON.parse((await hitless(['ask', shop, '--expect', table, '-o', 'json'])).out)
  t.match(json.requests[0], { name: 'everybody sees v1', line: 2, column: 3, differences: [], answers: [{ answer: { status: 200 } }] })
})

t.test('with a write the table is asked of what the write leaves', async (t) => {
  const table = file('after.yaml', 'requests: [{host: reviews.prod, expect: {answered: 0.75}}]')
  t.equal((await hitless(['ask', shop, '--expect', table])).exit, 1)
  t.equal((await hitless(['ask', shop, '--expect', table, '--write', split])).exit, 0)
})

t.test('an entry that is no request is told with its line and column, and the others are asked', async (t) => {
  const table = file(
    'bad.yaml',
    `requests:
- host: reviews.prod
  pth: /a
  expect: {status: 200}
- {host: a, client: web, gateway: x/y, expect: {status: 200}}
- {host: b, expect: {}}
- {host: b, expect: {answered: 75}}
- {host: reviews.prod, expect: {status: 404}}
`
  )
  const { exit, out, err } = await hitless(['ask', shop, '--expect', table])
  t.equal(exit, 2)
  t.same(err.split('\n'), [
    `${table}:3:3: the request has no field "pth" [HITLESS_REQUESTS]`,
    `${table}:5:3: the request names a client or a gateway, not both [HITLESS_REQUESTS]`,
    `${table}:6:13: expect says nothing [HITLESS_REQUESTS]`,
    `${table}:7:22: expect.answered must be <= 1 [HITLESS_REQUESTS]`,
    ''
  ])
  t.match(out, ':8:3: request 5: status 200, not 404\n1 requests, 1 not answered as wanted\n')
  const list = file('list.yaml', '- {host: a}')
  t.match((await hitless(['ask', shop, '--expect', list])).err, /list\.yaml:1:1: a table of requests has a list under "requests"/)
  const gateway = file('gateway.yaml', 'requests: [{host: a, gateway: no/ne, expect: {status: 200}}]')
  t.match((await hitless(['ask', shop, '--expect', gateway])).err, /gateway\.yaml:1:12: there is no Gateway no\/ne/)
})

t.test('what cannot be asked', async (t) => {
  const told = async (...args: string[]) => {
    const { exit, err } = await hitless(['ask', shop, ...args])
    t.equal(exit, 2, args.join(' '))
    return err
  }
  t.match(await told(), 'give --host, or a table of requests with --expect [HITLESS_USAGE]')
  t.match(await told('--host', 'a', '--port', 'x'), 'x is no port')
  t.match(await told('--host', 'a', '-H', 'x'), 'x is no header; write name:value')
  t.match(await told('--host', 'a', '--client', 'A{'), 'A{ is no client')
  t.match(await told('--host', 'a', '--gateway', 'x/y'), 'there is no Gateway x/y; write namespace/name')
  t.match(await told('--host', 'a', '--gateway', 'ingress/edge', '--client', 'web'), 'give --client or --gateway, not both')
  const refused = SPLIT.replace('weight: 75', 'weight: -1')
  t.match(
    await told('--host', 'a', '--write', file('refused.yaml', refused)),
    /refused\.yaml:2: VirtualService prod\/reviews is left out, since Istio refuses it/
  )
})

t.test('a route of the Gateway API is asked through its Gateway, as Istio deploys it', async (t) => {
  const route = (...weights: number[]) => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: prod}
spec:
  parentRefs: [{name: edge}]
  hostnames: [shop.example.com]
  rules:
    - matches: [{path: {value: /api}}]
      backendRefs: [{name: shop, port: 80, weight: ${weights[0]}}, {name: gone, namespace: other, port: 80, weight: ${weights[1]}}]
`
  const folder = t.testdir({
    'write.txt': route(0, 0),
    'mesh.yaml': `apiVersion: v1
kind: Service
metadata: {name: shop, namespace: prod}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: shop-1, namespace: prod, labels: {app: shop}}
status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: prod}
spec:
  gatewayClassName: istio
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
${route(3, 1)}`
  })
  const asked = (path: string, ...more: string[]) =>
    hitless(['ask', `${folder}/mesh.yaml`, '--gateway', 'prod/edge', '--host', 'shop.example.com', '--path', path, ...more])
  const { out, exit } = await asked('/api/v1')
  t.equal(exit, 0)
  t.match(out, /^500 for 25%, 75% answered/)
  t.match(out, `taken by HTTPRoute prod/shop spec.rules[0].matches[0] (${folder}/mesh.yaml:`)
  t.match((await asked('/apix')).out, /^404 .*\n {2}no route of HTTPRoute prod\/shop takes it/)
  const lost = await asked('/api/v1', '--write', `${folder}/write.txt`)
  t.equal(lost.exit, 1, 'what nobody is left to answer is lost')
  t.match(
    lost.out,
    /500 .*\n {2}taken by HTTPRoute prod\/shop spec\.rules\[0\]\.matches\[0\] .*, which has no backend with a weight above 0/
  )
})

t.test('a host, a namespace, a Gateway or a subset that is nearly one is named', async (t) => {
  const said = async (...args: string[]) => (await hitless(['ask', shop, ...args])).err
  t.match(
    await said('--host', 'reviws', '--client', 'prod'),
    'nobody here knows a host reviws; did you mean reviews.prod.svc.cluster.local?'
  )
  t.match(await said('--host', 'reviews', '--client', 'prodd'), 'no object is in a namespace prodd; did you mean prod?')
  t.match(
    await said('--host', 'shop.example.com', '--gateway', 'ingress/egde'),
    'there is no Gateway ingress/egde; did you mean ingress/edge?'
  )
  const table = file('subset.yaml', 'requests:\n- host: reviews.prod\n  client: prod\n  expect: {to: [{subset: v11}]}\n')
  t.match(await said('--expect', table), 'reviews.prod.svc.cluster.local has no subset v11; did you mean v1?')
  t.equal(await said('--host', 'reviews.prod', '--client', 'prod'), '')
})
