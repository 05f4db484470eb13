/** Writes of the Gateway API's kinds onto one world, each with the verdict that docs/gateway-api-semantics.md argues, by `hitless replay`. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import t from 'tap'
import { hitless } from '../cli/commands.ts'

/** What the world's objects have that is changed here. */
interface Raw {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly spec: {
    readonly rules: { readonly backendRefs: object[] }[]
    readonly listeners: object[]
    readonly hostnames: string[]
    readonly from: object[]
  }
}

type Verdict = 'allow' | 'warn' | 'deny'
/** What changes; null: it is deleted. */
type Change = ((object: Raw) => unknown) | null

const WORLD = join(import.meta.dirname, 'worlds/gateway-api.yaml')
const objects = loadAll(readFileSync(WORLD, 'utf8')) as Raw[]
const http = (type: string, value: string, name: string) => ({ matches: [{ path: { type, value } }], backendRefs: [{ name, port: 80 }] })
const extension = [{ type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'Y', name: 'z' } }]
const mirror = [{ type: 'RequestMirror', requestMirror: { backendRef: { name: 'nobody', port: 80 } } }]
const rule = (at: number, change: object) => (route: Raw) => Object.assign(route.spec.rules[at] ?? {}, change)
const backend = (change: object) => (route: Raw) => Object.assign(route.spec.rules[2]?.backendRefs[1] ?? {}, change)
const listener = (at: number, change: object) => (owner: Raw) => Object.assign(owner.spec.listeners[at] ?? {}, change)
const spec = (change: object) => (object: Raw) => Object.assign(object.spec, change)
const labels = (all: object) => (object: Raw) => Object.assign(object.metadata, { labels: all })
const without = (field: string) => (object: Raw) => Reflect.deleteProperty(object.spec, field)
const lastRule = (route: Raw) => route.spec.rules.pop()
const added =
  (...rules: object[]) =>
  (route: Raw) =>
    Object.assign(route, { metadata: { name: 'new', namespace: 'shop' }, spec: { ...route.spec, rules } })
const narrower = (hostname: string) => (gateway: Raw) =>
  gateway.spec.listeners.push({ name: 'narrow', port: 80, protocol: 'HTTP', hostname })

const WRITES: readonly (readonly [what: string, object: string, change: Change, verdict: Verdict])[] = [
  ['the fallback leaves', 'HTTPRoute shop', lastRule, 'deny'],
  ['a path leaves that the fallback takes', 'HTTPRoute shop', (route) => route.spec.rules.shift(), 'allow'],
  ['a hostname leaves', 'HTTPRoute shop', (route) => route.spec.hostnames.pop(), 'deny'],
  ['every weight is 0', 'HTTPRoute shop', rule(2, { backendRefs: [{ name: 'shop-v1', port: 80, weight: 0 }] }), 'deny'],
  ['one weight is 0', 'HTTPRoute shop', backend({ weight: 0 }), 'allow'],
  ['weight moves', 'HTTPRoute shop', backend({ weight: 90 }), 'allow'],
  ['a backend that is not there', 'HTTPRoute shop', backend({ name: 'nobody' }), 'deny'],
  ['a port that its Service lacks', 'HTTPRoute shop', backend({ port: 81 }), 'deny'],
  ['a backend that is not there, of weight 0', 'HTTPRoute shop', backend({ name: 'nobody', weight: 0 }), 'allow'],
  ['a name with a dot takes the route away', 'HTTPRoute shop', rule(0, { backendRefs: [{ name: 'cart.shop', port: 80 }] }), 'deny'],
  ['an unknown filter takes the route away', 'HTTPRoute shop', rule(0, { filters: extension }), 'deny'],
  ['a dead mirror', 'HTTPRoute shop', rule(0, { filters: mirror }), 'warn'],
  ['a dead mirror takes a GRPCRoute away', 'GRPCRoute g', rule(0, { filters: mirror }), 'deny'],
  ['the fallback of a GRPCRoute leaves', 'GRPCRoute g', lastRule, 'deny'],
  [
    'no RE2',
    'HTTPRoute shop',
    rule(0, {
      matches: [{ path: { type: 'PathPrefix', value: '/cart' }, headers: [{ type: 'RegularExpression', name: 'x', value: '(?!a)' }] }]
    }),
    'deny'
  ],
  [
    'a regular expression beside "/" is dead, and harmless',
    'HTTPRoute shop',
    (route) => route.spec.rules.push(http('RegularExpression', '/x.*', 'nobody')),
    'warn'
  ],
  [
    'one for every path is a fallback',
    'HTTPRoute shop',
    rule(2, { matches: [{ path: { type: 'RegularExpression', value: '/.*' } }] }),
    'allow'
  ],
  ['an exact "/" is none', 'HTTPRoute shop', rule(2, { matches: [{ path: { type: 'Exact', value: '/' } }] }), 'deny'],
  ['GET and POST are none together', 'HTTPRoute shop', rule(2, { matches: [{ method: 'GET' }, { method: 'POST' }] }), 'deny'],
  ['a younger route takes a longer path', 'HTTPRoute shop', added(http('PathPrefix', '/cart/x', 'nobody')), 'deny'],
  [
    'the older of two alike answers',
    'HTTPRoute shop',
    added(http('PathPrefix', '/cart', 'nobody'), http('PathPrefix', '/new', 'cart')),
    'warn'
  ],
  ['no hostname: those of the listener', 'HTTPRoute shop', without('hostnames'), 'allow'],
  [
    'a parent’s port that no listener has',
    'HTTPRoute shop',
    spec({ parentRefs: [{ name: 'edge', namespace: 'infra', port: 81 }] }),
    'deny'
  ],
  [
    'a section that leaves the host to a narrower one',
    'HTTPRoute v1api',
    spec({ parentRefs: [{ name: 'edge', namespace: 'infra', sectionName: 'http' }] }),
    'deny'
  ],
  ['a mesh route loses its fallback', 'HTTPRoute meshcart', lastRule, 'deny'],
  ['without a mesh route Istio’s default serves', 'HTTPRoute meshcart', null, 'allow'],
  ['a grant is deleted', 'ReferenceGrant fromshop', null, 'deny'],
  ['a grant for another Service', 'ReferenceGrant fromshop', spec({ to: [{ group: '', kind: 'Service', name: 'other' }] }), 'deny'],
  ['a grant for this Service', 'ReferenceGrant fromshop', spec({ to: [{ group: '', kind: 'Service', name: 'db' }] }), 'allow'],
  [
    'a grant for another kind of route',
    'ReferenceGrant fromshop',
    (grant) => Object.assign(grant.spec.from[0] ?? {}, { kind: 'GRPCRoute' }),
    'deny'
  ],
  ['a label of the Namespace that listeners select', 'Namespace shop', labels({}), 'deny'],
  ['a label more', 'Namespace shop', labels({ team: 'a', other: 'b' }), 'allow'],
  ['a listener is renamed', 'Gateway edge', listener(0, { name: 'web' }), 'deny'],
  ['a listener for another host', 'Gateway edge', listener(0, { hostname: 'other.test' }), 'deny'],
  ['a listener for its own namespace', 'Gateway edge', listener(0, { allowedRoutes: { namespaces: { from: 'Same' } } }), 'deny'],
  ['a narrower listener that takes the host', 'Gateway edge', narrower('shop.example.com'), 'deny'],
  ['a narrower listener for another host', 'Gateway edge', narrower('other.example.com'), 'allow'],
  [
    'a TCP listener before it on its port',
    'Gateway edge',
    (gateway) => gateway.spec.listeners.unshift({ name: 'tcp', port: 80, protocol: 'TCP' }),
    'deny'
  ],
  ['no ListenerSet any longer', 'Gateway edge', without('allowedListeners'), 'deny'],
  ['an address of its own', 'Gateway edge', spec({ addresses: [{ type: 'Hostname', value: 'nowhere' }] }), 'deny'],
  ['a class of others', 'Gateway edge', spec({ gatewayClassName: 'nginx' }), 'deny'],
  ['a revision, which a Gateway does not follow', 'Gateway edge', labels({ 'istio.io/rev': 'canary' }), 'allow'],
  ['a ListenerSet is deleted', 'ListenerSet extra', null, 'deny'],
  ['another port of a ListenerSet', 'ListenerSet extra', listener(0, { port: 8081 }), 'deny'],
  ['a listener more in it', 'ListenerSet extra', (set) => set.spec.listeners.push({ name: 'more', port: 9000, protocol: 'HTTP' }), 'allow'],
  ['a GatewayClass is deleted', 'GatewayClass fancy', null, 'deny'],
  ['another controller', 'GatewayClass fancy', spec({ controllerName: 'example.com/other' }), 'deny'],
  ['the last Pods of a backend', 'Deployment shop-v2', null, 'deny'],
  ['the Service of a backend', 'Service shop-v2', null, 'warn']
]

t.test('each write gets the verdict that the semantics argue', async (t) => {
  const folder = t.testdir({})
  cpSync(WORLD, join(folder, 'world.yaml'))
  const files = WRITES.map(([name, named, change, expect], at) => {
    const found = objects.find(({ kind, metadata }) => named === `${kind} ${metadata.name}`)
    if (found === undefined) throw new Error(`there is no ${named}`)
    const object = structuredClone(found)
    change?.(object)
    const { apiVersion, kind, metadata } = object as Raw
    const write =
      change === null ? { delete: { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name } } : { apply: object }
    const file = join(folder, `${at}.json`)
    writeFileSync(file, JSON.stringify({ name, state: ['world.yaml'], writes: [{ ...write, expect }] }))
    return file
  })
  const { out, err } = await hitless(['replay', ...files, '-o', 'json'])
  const { steps } = JSON.parse(out) as { steps: readonly { verdict: Verdict }[] }
  t.equal(err, '')
  t.strictSame(
    steps.map(({ verdict }, at) => [WRITES[at]?.[0], verdict]),
    WRITES.map(([name, , , verdict]) => [name, verdict])
  )
})
