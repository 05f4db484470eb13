import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { rule, service, virtualService } from '../manifests.ts'
import { hitless, step, WORLD } from './commands.ts'

const START = ['check', '--base', WORLD]
const LATER = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: helloworld}
spec:
  hosts: [helloworld]
  http:
    - match:
        - headers: {my-header: {regex: '.*debug.*'}}
      route:
        - destination: {host: helloworld, subset: v1}
`

interface StepJson {
  readonly object: string
  readonly operation: string
  readonly verdict: string
  readonly findings: readonly {
    readonly rule: string
    readonly severity: string
    readonly line: number
    readonly column: number
    readonly file: string
  }[]
  readonly file: string
  readonly line: number
  readonly column: number
}

async function steps(args: readonly string[], stdin = ''): Promise<StepJson[]> {
  const { out } = await hitless([...args, '-o', 'json'], { stdin })
  return (JSON.parse(out) as { steps: StepJson[] }).steps
}

t.test('a step in its order is admitted', async (t) => {
  const { exit, out } = await hitless([...START, step('01-subset-v2')])
  t.equal(exit, 0)
  t.equal(out, '1 write: 0 would be denied, 0 with warnings\n')
})

t.test('a step that comes too early is denied at its field', async (t) => {
  const { exit, out, err } = await hitless([...START, step('03-weight-10')])
  t.equal(exit, 1)
  t.equal(err, '')
  const [summary, finding] = out.split('\n')
  const file = join(step('03-weight-10'), 'virtual-service.yaml')
  t.match(finding, `${file}:21:13: deny [undefined-subset] 10% of requests to helloworld.default.svc.cluster.local:3000 would get 503`)
  t.match(finding, /First add subset "v2" to DestinationRule default\/helloworld, then apply this again\.$/)
  t.equal(summary, '1 write: 1 would be denied, 0 with warnings')
})

t.test('each admitted write counts for the next, and a Deployment is Ready once applied', async (t) => {
  const { exit } = await hitless([...START, step('01-subset-v2'), step('02-deployment-v2'), step('03-weight-10')])
  t.equal(exit, 0)
})

t.test('with --strict-ready an applied Deployment has no Ready Pod', async (t) => {
  const { exit, out } = await hitless([...START, '--strict-ready', step('01-subset-v2'), step('02-deployment-v2'), step('03-weight-10')])
  t.equal(exit, 1)
  t.match(out, '[unready-destination]')
})

t.test('the whole release passes in one go', async (t) => {
  const { exit, out } = await hitless([...START, join(WORLD, '..', 'release')])
  t.equal(exit, 0)
  t.match(out, '15 writes: 0 would be denied')
})

t.test('a denied write does not count for the next', async (t) => {
  const found = await steps([...START, step('14-drop-subset-v1'), step('01-subset-v2')])
  t.same(
    found.map(({ verdict }) => verdict),
    ['deny', 'allow']
  )
})

t.test('a first install onto nothing is admitted', async (t) => {
  t.equal((await hitless(['check', WORLD])).exit, 0)
})

t.test('the steps as JSON: object, operation, verdict, findings and places', async (t) => {
  const [found, ...more] = await steps([...START, step('03-weight-10')])
  t.same(more, [])
  const file = join(step('03-weight-10'), 'virtual-service.yaml')
  t.match(found, {
    object: 'VirtualService default/helloworld',
    operation: 'UPDATE',
    verdict: 'deny',
    file,
    line: 1,
    column: 1,
    findings: [{ rule: 'undefined-subset', severity: 'deny', file, line: 21, column: 13 }]
  })
})

t.test('the steps as YAML', async (t) => {
  const { exit, out } = await hitless([...START, '-o', 'yaml', step('01-subset-v2')])
  t.equal(exit, 0)
  t.match(out, /^steps:\n {2}- object: DestinationRule default\/helloworld\n {4}operation: UPDATE\n {4}verdict: allow\n/)
})

t.test('standard input has places too', async (t) => {
  const [found] = await steps([...START, '-'], LATER)
  t.match(found, { file: '<stdin>', verdict: 'deny', findings: [{ rule: 'missing-fallback', file: '<stdin>', line: 6, column: 3 }] })
})

t.test('what Helm rendered has its template for a file', async (t) => {
  const [found] = await steps([...START, '-'], `---\n# Source: chart/templates/routes.yaml\n${LATER}`)
  t.match(found, { findings: [{ rule: 'missing-fallback', file: 'chart/templates/routes.yaml', line: 6, column: 3 }] })
})

t.test('a misplaced field, which the API server would drop, is denied in a file', async (t) => {
  const text = LATER.replace(/ {4}- match:[\s\S]*/, '    - route:\n        - destination: {host: helloworld}\n          subset: v1\n')
  const [found] = await steps([...START, '-'], text)
  t.match(found, { verdict: 'deny', findings: [{ rule: 'misplaced-field', severity: 'deny', line: 9, column: 11 }] })
  t.equal((await hitless([...START, '-'], { stdin: text })).exit, 1)
})

t.test('nothing to judge is an error, and not a verdict: the path is wrong, or what should have printed manifests failed', async (t) => {
  const named = { folder: t.testdir(), values: t.testdir({ 'values.yaml': 'replicas: 1\n' }), blank: '-' }
  for (const [what, path] of Object.entries(named)) {
    for (const command of ['check', 'audit', 'routes']) {
      const { exit, err } = await hitless([command, path], { stdin: '# none\n---\n' })
      t.equal(exit, 2, `${command} ${what}`)
      t.match(err, /^.*: no manifest in it \[HITLESS_NOTHING\]$/m)
    }
  }
  t.equal((await hitless(['check', WORLD, '--base', t.testdir()])).exit, 0, 'a base may be empty')
})

t.test('kinds that hitless does not read are none of its business', async (t) => {
  const { exit, out } = await hitless(['check', '-'], { stdin: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n' })
  t.equal(exit, 0)
  t.match(out, '0 writes')
})

t.test('the last base wins, and several can be given', async (t) => {
  const { exit } = await hitless([...START, '--base', step('01-subset-v2'), '--base', step('02-deployment-v2'), step('03-weight-10')])
  t.equal(exit, 0)
})

t.test('with --fail-on warn a warning fails too', async (t) => {
  const template = '{metadata: {labels: {app: helloworld, version: v2}}}'
  const stdin = `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec: {template: ${template}}\n`
  const { exit, out } = await hitless([...START, '-'], { stdin })
  t.match(
    out,
    /^1 write: 0 would be denied, 1 with warnings\n<stdin>:3:12: warn \[workload-name\] the name of Deployment default\/other does not say its version "v2"/
  )
  t.equal(exit, 0)
  t.equal((await hitless([...START, '--fail-on', 'warn', '-'], { stdin })).exit, 1)
})

t.test('a terminal is as wide as its lines, and a pipe gets each whole', async (t) => {
  const args = [...START, step('03-weight-10')]
  const [piped, shown] = [(await hitless(args)).out, (await hitless(args, { columns: 60, colour: true })).out]
  t.equal(piped.split('\n').length, 3)
  const rows = stripVTControlCharacters(shown).split('\n')
  t.equal(rows[0], '1 write: 1 would be denied, 0 with warnings')
  t.ok(
    rows.every((row) => row.length <= 60 || !row.trim().includes(' ')),
    'only a word that is longer is wider'
  )
  t.ok(rows.slice(2, -1).every((row) => /^ {4}\S/.test(row)))
  t.equal(
    rows
      .map((row) => row.trim())
      .join(' ')
      .trim(),
    piped.split('\n').join(' ').trim(),
    'nothing is lost'
  )
  const data = [...args, '-o', 'json']
  t.equal((await hitless(data, { columns: 60 })).out, (await hitless(data)).out, 'data stays as it is')
})

t.test('severities have colours on a terminal alone', async (t) => {
  const args = [...START, step('03-weight-10')]
  t.match((await hitless(args, { colour: true })).out, '\u001B[31mdeny\u001B[39m')
  t.notMatch((await hitless(args)).out, '\u001B')
})

/** Bad input: what is said, and that what can be read is judged all the same. */
const BROKEN: readonly { args: readonly string[]; stdin: string; says: string; writes: string }[] = [
  {
    args: ['check', 'nowhere'],
    stdin: '',
    says: 'nowhere: cannot be read (no such file or directory) [HITLESS_UNREADABLE]\n',
    writes: '0 writes'
  },
  {
    args: [...START, '-'],
    stdin: `a: b: c\n---\n${LATER}`,
    says: '<stdin>:1:5: bad indentation of a mapping entry [HITLESS_YAML]\n',
    writes: '1 write:'
  },
  {
    args: ['check', '-'],
    stdin: 'kind: Service\n',
    says: '<stdin>:1:1: no manifest: apiVersion or kind is missing [HITLESS_MANIFEST]\n',
    writes: '0 writes'
  },
  {
    args: ['check', '--base', 'nowhere', '-'],
    stdin: LATER,
    says: 'nowhere: cannot be read (no such file or directory) [HITLESS_UNREADABLE]\n',
    writes: '1 write:'
  }
]
for (const { args, stdin, says, writes } of BROKEN) {
  t.test(`bad input ends with 2: ${says.trim()}`, async (t) => {
    const { exit, out, err } = await hitless(args, { stdin })
    t.equal(exit, 2)
    t.equal(err, says)
    t.match(out, writes)
  })
}

const kinds = (found: readonly StepJson[]) => found.map(({ object }) => object.split(' ')[0])
const SPECS: Readonly<Record<string, string>> = {
  VirtualService: '{hosts: [n3], http: [{route: [{destination: {host: n3}}]}]}',
  DestinationRule: '{host: n3}'
}
const BATCH = ['VirtualService', 'DestinationRule', 'Deployment', 'Service']
  .map((kind, at) => {
    const apiVersion = { Service: 'v1', Deployment: 'apps/v1' }[kind] ?? 'networking.istio.io/v1'
    return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: n${at}, annotations: {argocd.argoproj.io/sync-wave: '${kind === 'Service' ? 1 : 0}'}}\nspec: ${SPECS[kind] ?? '{}'}\n`
  })
  .join('---\n')

/** Delivery scenarios, section 3a. */
const ORDERS: Readonly<Record<string, string[]>> = {
  kubectl: ['VirtualService', 'DestinationRule', 'Deployment', 'Service'],
  helm: ['Service', 'Deployment', 'DestinationRule', 'VirtualService'],
  flux: ['Service', 'Deployment', 'DestinationRule', 'VirtualService'],
  argocd: ['Deployment', 'VirtualService', 'DestinationRule', 'Service']
}
for (const [tool, order] of Object.entries(ORDERS)) {
  t.test(`${tool} writes ${order.join(', ')}`, async (t) => {
    t.same(kinds(await steps(['check', '--as', tool, '-'], BATCH)), order)
  })
}

t.test('names that would steer a terminal are shown without that, in findings and in errors', async (t) => {
  const route = { destination: { host: 'helloworld', subset: 'v9' } }
  const routes = virtualService([rule([route], [{ headers: { x: { exact: 'v9\u001b[2J\u202e' } } }])])
  const ports = service({ ports: ['\u202egnp'] })
  const { out, err } = await hitless(['check', '--base', WORLD, '-'], { stdin: `${JSON.stringify(routes)}\n---\n${JSON.stringify(ports)}` })
  t.match(out, /header "x" = "v9\\u001b\[2J "/)
  t.match(err, /must be an object, not string " gnp"/)
})

const RELEASE = (subset: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.prod.svc.cluster.local]
  http:
  - route: [{destination: {host: shop.prod.svc.cluster.local, subset: ${subset}}}]
`
const RELEASED = `apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop-v1}
spec: {selector: {matchLabels: {app: shop, version: v1}}, template: {metadata: {labels: {app: shop, version: v1}}}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: shop}
spec: {host: shop.prod.svc.cluster.local, subsets: [{name: v1, labels: {version: v1}}]}
---
${RELEASE('v1')}`

t.test('--namespace says where the objects of a release go', async (t) => {
  const folder = t.testdir({ 'old.yaml': RELEASED, 'new.yaml': RELEASE('v2') })
  const [old, next] = [join(folder, 'old.yaml'), join(folder, 'new.yaml')]
  t.match(await hitless(['check', '-n', 'prod', '--base', old, next]), {
    exit: 1,
    out: /new\.yaml:7:\d+: deny \[undefined-subset\].*prod\/shop/
  })
  t.match(await hitless(['audit', '--namespace', 'prod', old]), { exit: 0, out: '0 gaps' })
  t.match(await hitless(['routes', '-n', 'prod', '--host', 'shop', old]), { exit: 0, out: 'shop.prod.svc.cluster.local:80' })
  t.match(await hitless(['plan', '-n', 'prod', '--from', old, '--to', next]), { exit: 0, out: 'delete Deployment prod/shop-v1' })
  t.match(await hitless(['check', '-n', 'Prod/x', next]), { exit: 2, err: /-n, --namespace.*lower case/ })
  const named = RELEASED.replaceAll('metadata: {name: shop', 'metadata: {namespace: other, name: shop')
  t.match(await hitless(['check', '-n', 'prod', '-', '-o', 'json'], { stdin: named }), { out: /"object": "Service other\/shop"/ })
})

t.test('a file without any kind that is judged is named, and one with some is not', async (t) => {
  const other = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n'
  const folder = t.testdir({
    'a.yaml': other,
    'b.yaml': `${other}---\n${other.replace('ConfigMap', 'Secret')}`,
    'c.yaml': `${other}---\n${RELEASED.replaceAll('.prod.', '.default.')}`,
    'd.yaml': other.replace('ConfigMap', 'Secret')
  })
  for (const command of ['check', 'audit']) {
    const { err } = await hitless([command, folder])
    const named = `${folder}/a.yaml (ConfigMap), ${folder}/b.yaml (ConfigMap, Secret), ${folder}/d.yaml (Secret)`
    t.equal(err, `not judged, since hitless judges no kind in it: ${named}\n`)
  }
  const { err } = await hitless(['routes', folder])
  t.equal(err, `not judged, since hitless judges no kind in it: ${folder}/a.yaml (ConfigMap)\n`)
})

t.test('Flux writes those of one kind by namespace and name', async (t) => {
  const services = ['b/a', 'a/shop-v1', 'a/shop'].map((name) => {
    const [namespace, own] = name.split('/')
    return `apiVersion: v1\nkind: Service\nmetadata: {name: ${own}, namespace: ${namespace}}\n`
  })
  const found = await steps(['check', '--as', 'flux', '-'], services.join('---\n'))
  t.same(
    found.map(({ object }) => object),
    ['Service a/shop', 'Service a/shop-v1', 'Service b/a']
  )
})

const CANARY = (kind: string, apiVersion = 'apps/v1', template = '{metadata: {labels: {app: db, version: v2}}}') => `apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db-v1}
spec: {selector: {matchLabels: {app: db, version: v1}}, template: {metadata: {labels: {app: db, version: v1}}}}
---
apiVersion: ${apiVersion}
kind: ${kind}
metadata: {name: db-v2, labels: {app: db, version: v2}}
spec: {template: ${template}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: db}
spec: {host: db, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: db}
spec:
  hosts: [db]
  http:
  - route: [{destination: {host: db, subset: v1}, weight: 90}, {destination: {host: db, subset: v2}, weight: 10}]
`

for (const [kind, apiVersion] of [
  ['StatefulSet'],
  ['DaemonSet'],
  ['ReplicaSet'],
  ['Rollout', 'argoproj.io/v1alpha1'],
  ['Pod', 'v1']
] as const) {
  t.test(`a ${kind} makes Pods in files as a Deployment does`, async (t) => {
    const stdin = CANARY(kind, apiVersion)
    t.match(await hitless(['check', '-'], { stdin }), { exit: 0, out: /^5 writes: 0 would be denied, 0 with warnings\n$/, err: /^$/ })
    t.match(await hitless(['audit', '-'], { stdin }), { exit: 0, out: /^0 gaps, 0 findings\n$/ })
    t.match(await hitless(['check', '--strict-ready', '-'], { stdin }), { out: /unready-destination/ })
    const { out } = await hitless(['check', '--strict-ready', '-', '-o', 'json'], { stdin })
    t.match(
      JSON.parse(out).shifts,
      [{ host: 'db.default.svc.cluster.local', after: { status: 503 } }],
      'and the report of the whole change says the same'
    )
  })
}

const GUIDE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: helloworld}
spec:
  hosts: [helloworld]
  http:
    - match: [{headers: {my-header: {regex: '.*debug.*'}}}]
      route: [{destination: {host: helloworld, subset: v1}}]
`
const HOST = 'helloworld.default.svc.cluster.local'

t.test('what no file shows is not known, said once a host, and never gone', async (t) => {
  const alone = await hitless(['check', '-'], { stdin: GUIDE })
  t.equal(alone.exit, 1)
  t.match(alone.out, '<stdin>:6:3: deny [missing-fallback]', "the guide's first sample alone is refused, with its line")
  t.equal(alone.out.split(`not known: ${HOST}: no file holds its Service`).length, 2)
  t.notMatch(alone.out, /unknown-destination|undefined-subset/)
  const whole = GUIDE.concat('    - route: [{destination: {host: helloworld, subset: v2}}]\n')
  for (const [mode, exit, says] of [
    ['warn', 0, true],
    ['ignore', 0, false],
    ['deny', 1, true]
  ] as const) {
    const { exit: ended, out } = await hitless(['check', '--unknown', mode, '-'], { stdin: whole })
    t.equal(ended, exit, mode)
    t.equal(out.includes('not known: '), says, mode)
    t.match(out, '1 write: 0 would be denied, 0 with warnings')
  }
  t.match(JSON.parse((await hitless(['check', '-', '-o', 'json'], { stdin: whole })).out), {
    unknown: [{ host: HOST, missing: 'Service' }]
  })
  t.match(await hitless(['audit', '-'], { stdin: whole }), { exit: 0, out: /^0 gaps, 0 findings\nnot known: .*\nName .*\n$/ })
  t.match(await hitless(['routes', '-'], { stdin: whole }), {
    exit: 0,
    out: `${HOST}:80 v2  100%  unknown ready`,
    err: `not known: ${HOST}`
  })
})

const PLATFORM = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec:
  gatewayClassName: istio
  listeners:
    - {name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: edge}]}, allowedRoutes: {namespaces: {from: All}}}
`
const SHOP_ROUTE = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop}
spec:
  parentRefs: [{name: edge, namespace: infra}]
  hostnames: [shop.example.com]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`

t.test('of the Gateway API too: a Gateway, a Secret or a Service that no file shows is not known', async (t) => {
  const alone = await hitless(['check', '-'], { stdin: SHOP_ROUTE })
  t.match(alone, { exit: 0, out: 'not known: Gateway infra/edge: no file holds it' })
  t.match(alone.out, 'not known: shop.shop.svc.cluster.local: no file holds its Service')
  t.match(alone.out, '1 write: 0 would be denied, 0 with warnings')
  const asked = ['ask', '-', '--gateway', 'infra/edge', '--host', 'shop.example.com']
  t.match(await hitless(asked, { stdin: SHOP_ROUTE }), { out: /^200 /, err: 'not known: Gateway infra/edge' })
  const both = { stdin: `${PLATFORM}---\n${SHOP_ROUTE}` }
  const served = await hitless([...asked, '--sni', 'shop.example.com'], both)
  t.match(served, { out: /^200 /, err: 'not known: Gateway infra/edge: no file holds the Secret of a listener' })
  t.notMatch(served.err, 'no file holds it')
  const broken = `${both.stdin}---\napiVersion: v1\nkind: Secret\nmetadata: {name: edge, namespace: infra}\nstringData: {tls.crt: x}\n`
  const refused = await hitless([...asked, '--sni', 'shop.example.com'], { stdin: broken })
  t.match(refused.out, /^no-listener /, 'one that the files show, and that is no key pair, is known')
  t.notMatch(refused.err, 'not known')
})

t.test("a Gateway of Istio's that no file holds is not known, and takes what is bound to it", async (t) => {
  const bound = (gateways: string, rest = '') => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop, namespace: shop}
spec:
  hosts: [shop.example.com]
  gateways: ${gateways}
  http:
    - match: [{uri: {prefix: /cart}, port: 8080}]
      route: [{destination: {host: shop, port: {number: 80}}}]
${rest}`
  const all = '    - route: [{destination: {host: shop, port: {number: 80}}}]\n'
  const alone = await hitless(['check', '-'], { stdin: bound('[infra/edge]', all) })
  t.match(alone, { exit: 0, out: 'not known: Gateway infra/edge: no file holds it' })
  const folder = t.testdir({ 'old.yaml': bound('[infra/edge]', all) })
  const lost = await hitless(['check', '--base', folder, '-'], { stdin: bound('[infra/edge]') })
  t.match(lost, { exit: 1, out: 'deny [missing-fallback] 100% of requests to shop.example.com' })
  const other = PLATFORM.replace('gateway.networking.k8s.io', 'networking.istio.io').replace(
    /spec:[\s\S]*/,
    'spec: {servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}\n'
  )
  const both = { stdin: `${other}---\n${bound('[infra/edge, infra/egde]', all)}` }
  t.match((await hitless(['check', '-'], both)).out, /^not known: Gateway infra\/egde: /m)
  t.notMatch((await hitless(['check', '-'], both)).out, 'infra/edge:')
})

t.test('a parent of a route that no file holds is told, of whatever kind, beside others too', async (t) => {
  const route = SHOP_ROUTE.replace('HTTPRoute', 'TLSRoute').replace(
    '[{name: edge, namespace: infra}]',
    '[{name: edge, namespace: infra}, {kind: ListenerSet, name: own}]'
  )
  const { out } = await hitless(['check', '-'], { stdin: `${PLATFORM.replace('infra', 'elsewhere')}---\n${route}` })
  for (const parent of ['Gateway infra/edge', 'ListenerSet shop/own']) t.match(out, `not known: ${parent}: no file holds it`)
  const beside = await hitless(['check', '-'], { stdin: `${PLATFORM.replace('edge', 'inner')}---\n${SHOP_ROUTE}` })
  t.match(beside.out, 'not known: Gateway infra/edge: no file holds it')
})

t.test('a Service without any workload in the files has Pods that nobody knows of; with one, a subset without Pods is seen', async (t) => {
  const routes = CANARY('StatefulSet').split('---\n')
  const [service = '', v1 = '', , rules = '', virtual = ''] = routes
  const without = await hitless(['check', '-'], { stdin: [service, rules, virtual].join('---\n') })
  t.match(without, { exit: 0, out: `not known: db.default.svc.cluster.local: no file holds a workload behind its Service` })
  t.notMatch(without.out, 'unready-destination')
  const withV1 = await hitless(['check', '-'], { stdin: [service, v1, rules, virtual].join('---\n') })
  t.match(withV1.out, 'unready-destination')
  t.notMatch(withV1.out, 'not known')
})

t.test("a client context in which nobody is decides nothing: Istio's own egress gateway", async (t) => {
  const file = join(import.meta.dirname, '..', 'cases', 'reports', 'files', '03-egress-gateway-of-istios-docs.yaml')
  t.match(await hitless(['check', file]), { exit: 0, out: /^6 writes: 0 would be denied, 0 with warnings\n$/ })
  const client = `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: client, namespace: istio-system}\nspec: {template: {metadata: {labels: {app: client}}}}\n`
  t.match(await hitless(['check', '-', file], { stdin: client }), { exit: 1, out: '[undefined-subset]' }, 'somebody there would miss it')
})
