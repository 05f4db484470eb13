import {
  AT_GATEWAY,
  backend,
  backends,
  DEBUG,
  gateway,
  guideAtGateway,
  guideWith,
  guideWithout,
  httpRoute,
  kubernetesGateway,
  rule,
  to,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const debugOnly = virtualService([rule([to('v1')], DEBUG)])
const atGateway = (name: string, http: Record<string, unknown>[]) =>
  virtualService(http, { hosts: ['hello.example.com'], gateways: ['gateway'] }, { name })

const ofPath = (uri: Record<string, string>) => atGateway('public', [rule([to('v1')], [{ uri }])])
const served = (uri: Record<string, string>) => guideWith(gateway(), ofPath(uri))

const atListener = (parent: Record<string, unknown>) =>
  httpRoute([backends([backend('v1')])], { ...AT_GATEWAY, parentRefs: [{ name: 'web', ...parent }] })

/** A rule beside one that takes everything, with a regular expression that Envoy refuses. */
const lookingAhead = (match: Record<string, unknown>) =>
  httpRoute(
    [backends([backend('v1')]), backends([backend('v2')], [match])],
    { ...AT_GATEWAY, hostnames: ['new.example.com'] },
    { name: 'new' }
  )
const LOOK_AHEAD = { type: 'RegularExpression', value: '(?!a).*' }

const other = { ...kubernetesGateway(), metadata: { name: 'other', namespace: 'default' } }
const twoPorts = kubernetesGateway([
  { name: 'http', port: 80, protocol: 'HTTP' },
  { name: 'alt', port: 8080, protocol: 'HTTP' }
])

export const missingFallback: RuleExamples = {
  rule: 'missing-fallback',
  finds: [
    {
      name: 'a new VirtualService routes one header and nothing else',
      given: guideWithout('VirtualService'),
      apply: debugOnly,
      severity: 'deny',
      says: 'match none of its routes'
    },
    { name: 'the last route loses its fallback', apply: debugOnly, severity: 'deny', says: '404' },
    {
      name: 'a VirtualService for a Gateway that is not known has no fallback either',
      given: guideWithout('VirtualService'),
      apply: atGateway('public', [rule([to('v1')], DEBUG)]),
      severity: 'warn',
      says: 'hello.example.com that match none of its routes'
    },
    { name: 'only exact / is matched', apply: virtualService([rule([to('v1')], [{ uri: { exact: '/' } }])]), severity: 'deny' },
    { name: 'a method is a condition', apply: virtualService([rule([to('v1')], [{ method: { exact: 'GET' } }])]), severity: 'deny' },
    {
      name: 'an expression leaves out some of what began so',
      given: served({ prefix: '/cart' }),
      apply: ofPath({ regex: '/cart(/.*)?' }),
      severity: 'deny',
      says: 'hello.example.com/cart*'
    },
    {
      name: 'a redirect code that Envoy refuses',
      apply: virtualService([{ redirect: { uri: '/x', redirectCode: 304 } }]),
      severity: 'deny',
      says: 'refuse its whole configuration'
    },
    {
      name: 'the last VirtualService of a gateway host is deleted',
      given: guideWith(gateway(), atGateway('public', [rule([to('v1')])])),
      delete: atGateway('public', [rule([to('v1')])]),
      severity: 'warn',
      says: 'no VirtualService would serve this host'
    },
    {
      name: 'a slip of the pen in sectionName',
      given: guideAtGateway(),
      apply: atListener({ sectionName: 'htpp' }),
      severity: 'deny',
      says: 'Gateway (gateway.networking.k8s.io) default/web has no listener "htpp", which HTTPRoute default/helloworld names; it has http. Name one of its listeners in sectionName'
    },
    {
      name: 'the port of a parentRef that is not the listener’s',
      given: guideAtGateway(),
      apply: atListener({ port: 8080 }),
      severity: 'deny',
      says: 'listener "http" of Gateway (gateway.networking.k8s.io) default/web is not on port 8080, which HTTPRoute default/helloworld names, but on 80'
    },
    {
      name: 'a route moves from one Gateway to another at once',
      given: [...guideAtGateway(), other],
      apply: atListener({ name: 'other' }),
      severity: 'deny',
      says: 'HTTPRoute default/helloworld would no longer name Gateway (gateway.networking.k8s.io) default/web as its parent. First name the old parent beside the new one'
    },
    {
      name: 'from all listeners to one',
      given: guideAtGateway().map((manifest) => (manifest.kind === 'Gateway' ? twoPorts : manifest)),
      apply: atListener({ sectionName: 'alt' }),
      severity: 'deny',
      says: 'HTTPRoute default/helloworld would name listener "alt" of Gateway (gateway.networking.k8s.io) default/web instead of all listeners'
    },
    {
      name: 'a regular expression that is no RE2, on a host that nobody served before',
      given: guideAtGateway(),
      apply: lookingAhead({ headers: [{ name: 'x', ...LOOK_AHEAD }] }),
      severity: 'deny',
      says: 'Envoy would refuse all routes of port 80 through Gateway default/web, those of other hosts too: HTTPRoute default/new rules[1].matches[0] has a regular expression that is no RE2'
    },
    {
      name: 'the rule goes behind which it was left out',
      given: [...guideAtGateway(), lookingAhead({ path: LOOK_AHEAD })],
      apply: httpRoute(
        [backends([backend('v1')], [{ method: 'GET' }]), backends([backend('v2')], [{ path: LOOK_AHEAD }])],
        { ...AT_GATEWAY, hostnames: ['new.example.com'] },
        { name: 'new' }
      ),
      severity: 'deny',
      says: 'no RE2'
    }
  ],
  safe: [
    {
      name: 'a regular expression that is no RE2, and that Istio leaves out behind a rule that takes everything',
      given: guideAtGateway(),
      apply: lookingAhead({ path: LOOK_AHEAD })
    },
    { name: 'prefix / is a fallback', apply: virtualService([rule([to('v1')], [{ uri: { prefix: '/' } }])]) },
    { name: 'an empty match entry is a fallback', apply: virtualService([rule([to('v1')], [{}])]) },
    { name: 'regex .* is a fallback', apply: virtualService([rule([to('v1')], [{ uri: { regex: '.*' } }])]) },
    {
      name: 'an expression takes all that began so',
      given: served({ prefix: '/cart' }),
      apply: ofPath({ regex: '/cart.*' })
    },
    {
      name: 'a prefix takes all that an expression did',
      given: served({ regex: '/cart/[0-9]+' }),
      apply: ofPath({ prefix: '/cart/' })
    },
    {
      name: 'an expression takes every method',
      apply: virtualService([rule([to('v1')], [{ method: { regex: '.*' } }])])
    },
    {
      name: 'a header and its absence cover everything together',
      apply: virtualService([
        rule([to('v1')], [{ headers: { x: { exact: 'a' } } }]),
        rule([to('v1')], [{ withoutHeaders: { x: { exact: 'a' } } }])
      ])
    },
    {
      name: 'at a gateway the fallback may stand in another VirtualService',
      given: guideWith(gateway(), atGateway('public', [rule([to('v1')])])),
      apply: atGateway('debug', [rule([to('v2')], DEBUG)])
    },
    {
      name: 'a VirtualService without fallback is not made worse',
      given: guideWith(debugOnly),
      apply: virtualService([rule([to('v2')], DEBUG)])
    },
    { name: 'the VirtualService is deleted, and the Service serves by default', delete: virtualService([]) },
    {
      name: 'a delegate, which has no hosts, needs none',
      apply: virtualService([rule([to('v1')], DEBUG)], { hosts: [] }, { name: 'delegate' })
    }
  ]
}
