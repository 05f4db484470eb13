/** `hitless audit` through the command line. */
import t from 'tap'
import { BROKEN, hitless, WORLD } from './commands.ts'

t.test("the guide's world has nothing to say", async (t) => {
  t.same(await hitless(['audit', WORLD]), { exit: 0, out: '0 gaps, 0 findings\n', err: '' })
})

t.test('gaps name class, host, status and route; findings the field', async (t) => {
  const { exit, out } = await hitless(['audit', '-'], { stdin: BROKEN })
  t.equal(exit, 1)
  t.match(
    out,
    'gap  100% of requests to reviews.prod.svc.cluster.local:80 (mesh) that match none of its routes get 404: VirtualService prod/reviews spec.http (<stdin>:12) [missing-fallback]'
  )
  t.match(out, 'requests to reviews.prod.svc.cluster.local:80 with header "end-user" = "jason"')
  t.match(out, /^deny .*Service prod\/reviews names "version: v1".* \(<stdin>:\d+\) \[version-in-selector\]$/m)
  t.ok(out.startsWith('2 gaps, 1 finding\ngap '), 'how much comes first')
})

t.test('at a gateway requests that no route takes may be meant: a gap that is only warned of', async (t) => {
  const bookinfo = `
apiVersion: v1
kind: Service
metadata: { namespace: prod, name: productpage }
spec: { selector: { app: productpage }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { namespace: prod, name: edge }
spec: { selector: { istio: ingress }, servers: [{ hosts: ['*'], port: { name: http, number: 80, protocol: HTTP } }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: prod, name: bookinfo }
spec:
  hosts: ['*']
  gateways: [edge]
  http: [{ match: [{ uri: { exact: /productpage } }], route: [{ destination: { host: productpage } }] }]
`
  const { exit, out } = await hitless(['audit', '--unknown', 'ignore', '-'], { stdin: bookinfo })
  t.match(
    out,
    /^1 gap, 0 findings\nwarn 100% of requests to \*:80 \(gateway\) that match none of its routes get 404: .* \(<stdin>:\d+\) \[missing-fallback\]\n$/
  )
  t.equal(exit, 0)
  t.equal((await hitless(['audit', '--fail-on', 'warn', '-'], { stdin: bookinfo })).exit, 1)
  t.match(JSON.parse((await hitless(['audit', '-o', 'json', '-'], { stdin: bookinfo })).out), {
    gaps: [{ rule: 'missing-fallback', severity: 'warn' }]
  })
  t.match((await hitless(['audit', '-o', 'github', '-'], { stdin: bookinfo })).out, /^::warning /)
})

t.test('routes of the Gateway API: each gap and finding with its cause', async (t) => {
  const rules = `rules: [{ backendRefs: [{ name: cart, port: 80 }]`
  const route = (name: string, spec: string) => `
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: ${name} }
spec: { parentRefs: [{ name: web }], hostnames: [${name}.example.com], ${spec} }`
  const world = `
apiVersion: v1
kind: Service
metadata: { name: cart }
spec: { selector: { app: cart }, ports: [{ port: 80 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: cart }
spec: { template: { metadata: { labels: { app: cart } } } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: web }
spec: { gatewayClassName: istio, listeners: [{ name: http, port: 80, protocol: HTTP }] }
${route('good', `${rules} }]`)}
${route('absent', 'rules: [{ backendRefs: [{ name: absent, port: 80 }] }]')}
${route('ungranted', 'rules: [{ backendRefs: [{ name: cart, port: 80, weight: 9 }, { name: cart, namespace: other, port: 80 }] }]')}
${route('weightless', 'rules: [{ backendRefs: [{ name: cart, port: 80, weight: 0 }] }]')}
${route('expression', `${rules}, matches: [{ path: { type: RegularExpression, value: '/(?!a).*' } }] }]`)}
${route('extended', `${rules}, filters: [{ type: ExtensionRef, extensionRef: { group: a.b, kind: C, name: d } }] }]`)}
${route('mirrored', `${rules}, filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: absent, port: 80 } } }] }]`)}
`
  const { exit, out } = await hitless(['audit', '--unknown', 'ignore', '-'], { stdin: world })
  t.equal(exit, 1)
  const lines = out.split('\n').map((each) => each.replace(/ \(<stdin>:\d+\)/, ''))
  t.strictSame(lines.slice(0, -1), [
    '4 gaps, 2 findings',
    'gap  100% of requests to absent.example.com:80 (gateway) get 500: HTTPRoute default/absent spec.rules[0].backendRefs[0] -> absent.default.svc.cluster.local [unknown-destination]',
    'gap  100% of requests to expression.example.com:80 (gateway) get nothing from proxies that start now, for which Envoy refuses all routes of port 80: HTTPRoute default/expression spec.rules[0].matches[0] [missing-fallback]',
    'gap  10% of requests to ungranted.example.com:80 (gateway) get 500: HTTPRoute default/ungranted spec.rules[0].backendRefs[1] [unknown-destination]',
    'gap  100% of requests to weightless.example.com:80 (gateway) get 500: HTTPRoute default/weightless spec.rules[0] [unknown-destination]',
    'warn Istio makes nothing of HTTPRoute default/extended, nor of its other rules: rules[0] has a filter of type ExtensionRef, which Istio does not know there. First take that filter out. [unreachable-route]',
    'warn the mirror of HTTPRoute default/mirrored gets no request: absent.default.svc.cluster.local does not exist. Define it and wait until its Pods are Ready. [dead-mirror]'
  ])
})

t.test('as JSON each gap has its place and destination', async (t) => {
  const { exit, out } = await hitless(['audit', '-o', 'json', '-'], { stdin: BROKEN })
  t.equal(exit, 1)
  const { gaps, findings } = JSON.parse(out)
  t.match(gaps, [
    {
      rule: 'undefined-subset',
      context: 'mesh',
      namespace: 'prod',
      gateway: null,
      host: 'reviews.prod.svc.cluster.local',
      port: 80,
      share: 1,
      status: 503,
      object: 'VirtualService prod/reviews',
      path: 'spec.http[0].route[0].destination',
      destination: { host: 'reviews.prod.svc.cluster.local', subset: 'v2', port: 80 }
    },
    { rule: 'missing-fallback', status: 404, destination: null }
  ])
  t.match(findings, [{ rule: 'version-in-selector', severity: 'deny', object: 'Service prod/reviews', path: 'spec.selector.version' }])
})

t.test('as Markdown what goes unanswered comes first, and all else is folded', async (t) => {
  const { exit, out } = await hitless(['audit', '-o', 'markdown', '-'], { stdin: BROKEN })
  t.equal(exit, 1)
  t.match(out, /^### hitless: 2 gaps, 1 finding\n\n- `<stdin>:15` \*\*undefined-subset\*\*: 100% of requests/)
  t.match(out, '<details><summary>Not judged</summary>\n\n- `reviews.prod.svc.cluster.local: no file holds a workload')
  t.equal((await hitless(['audit', '-o', 'markdown', WORLD])).out, '### hitless: 0 gaps, 0 findings\n')
})

t.test('refusals are those of a cluster, in a form that lists can have', async (t) => {
  for (const args of [
    ['--refusals', WORLD],
    ['--refusals'],
    ['--refusals', '--cluster', WORLD],
    ['--refusals', '--cluster', '-o', 'sarif']
  ]) {
    const { exit, out, err } = await hitless(['audit', ...args])
    t.equal(exit, 2, args.join(' '))
    t.equal(out, '')
    t.match(err, /--refusals .*\[HITLESS_USAGE\]/)
  }
})

t.test('a document that cannot be read is an error beside the findings', async (t) => {
  const { exit, out, err } = await hitless(['audit', '-'], { stdin: `${BROKEN}---\nkind: [` })
  t.equal(exit, 2)
  t.match(out, '2 gaps')
  t.match(err, /<stdin>:\d+:\d+: .*\[HITLESS_YAML\]/)
})

t.test('what Istio itself refuses is left out, and said so', async (t) => {
  const refused = BROKEN.replace('host: reviews, subset: v2', 'host: 10.0.0.1')
  const { out, err } = await hitless(['audit', '-'], { stdin: refused })
  t.match(err, 'VirtualService prod/reviews is left out, since Istio refuses it')
  t.match(out, '0 gaps')
})

t.test('connections that nothing answers are closed: they get no status', async (t) => {
  const { out } = await hitless(['audit', '-'], {
    stdin: `
apiVersion: v1
kind: Service
metadata: { namespace: prod, name: db }
spec: { selector: { app: db }, ports: [{ name: tcp-db, port: 5432 }] }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { namespace: prod, name: db }
spec: { hosts: [db], tcp: [{ route: [{ destination: { host: db, subset: v2 } }] }] }
`
  })
  t.match(out, /gap {2}100% of .*db\.prod\.svc\.cluster\.local:5432 \(mesh\) are closed: VirtualService prod\/db /)
  t.notMatch(out, 'get 503')
})
