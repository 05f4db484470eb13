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
    }
  ],
  safe: [
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
