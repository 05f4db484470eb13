import t from 'tap'
import { type Kind, refusalOf } from '../../src/kinds/index.ts'

type Fields = Record<string, unknown>

function reason(kind: Kind, spec: Fields): string | null {
  const apiVersion = kind === 'Service' ? 'v1' : 'networking.istio.io/v1'
  return refusalOf({ apiVersion, kind, metadata: { namespace: 'prod', name: 'reviews' }, spec })
}

const to = (host: string, fields: Fields = {}) => ({ destination: { host }, ...fields })
const whole = { hosts: ['reviews'], http: [{ route: [to('reviews')] }] }
const http = (...rules: Fields[]) => ({ ...whole, http: rules })

t.test("what Istio's webhook refuses is refused, and says why (2.4)", async (t) => {
  const cases: readonly [string, Kind, Fields, RegExp][] = [
    ['weights that are all 0', 'VirtualService', http({ route: [to('a'), to('b')] }), /total destination weight = 0/],
    ['a negative weight', 'VirtualService', http({ route: [to('a', { weight: -1 })] }), /weight -1 < 0/],
    ['a rule that leads nowhere', 'VirtualService', http({ name: 'x' }), /required/],
    ['no rule', 'VirtualService', http(), /must be provided/],
    ['route and redirect', 'VirtualService', http({ route: [to('a')], redirect: { uri: '/' } }), /both route and redirect/],
    ['a redirect with another code', 'VirtualService', http({ redirect: { uri: '/', redirectCode: 200 } }), /must be 3xx/],
    ['a path that is no RE2', 'VirtualService', http({ match: [{ uri: { regex: '(?=x)' } }], route: [to('a')] }), /RE2/],
    ['a header `*`', 'VirtualService', http({ match: [{ headers: { a: { regex: '*' } } }], route: [to('a')] }), /RE2/],
    ['an empty header prefix', 'VirtualService', http({ match: [{ headers: { a: { prefix: '' } } }], route: [to('a')] }), /not be empty/],
    [
      'a claim on the mesh',
      'VirtualService',
      http({ match: [{ headers: { '@request.auth.claims.a': { exact: 'b' } } }], route: [to('a')] }),
      /JWT/
    ],
    ['the host * on the mesh', 'VirtualService', { ...whole, hosts: ['*'] }, /not allowed/],
    ['an address as destination', 'VirtualService', http({ route: [to('10.0.0.1')] }), /all-numeric/],
    ['hosts that overlap as written', 'VirtualService', { ...whole, hosts: ['a.example.com', '*.example.com'] }, /duplicate hosts/],
    ['a delegate with gateways', 'VirtualService', { ...whole, hosts: [], gateways: ['gw'] }, /no gateways/],
    ['a delegate that delegates', 'VirtualService', { hosts: [], http: [{ delegate: { name: 'x' } }] }, /cannot contain delegate/],
    ['export to nobody', 'VirtualService', { ...whole, exportTo: ['~'] }, /~/],
    ['export to one twice', 'VirtualService', { ...whole, exportTo: ['.', 'prod'] }, /duplicate/],
    [
      'a TLS rule for a foreign name',
      'VirtualService',
      { hosts: ['reviews'], tls: [{ match: [{ sniHosts: ['x.com'] }], route: [to('a')] }] },
      /SNI host/
    ],
    ['a subset twice', 'DestinationRule', { host: 'a', subsets: [{ name: 'v1' }, { name: 'v1' }] }, /duplicate subset/],
    ['a subset with a bad name', 'DestinationRule', { host: 'a', subsets: [{ name: 'V_1!' }] }, /subset name is invalid/],
    [
      'a selector exported',
      'DestinationRule',
      { host: 'a', workloadSelector: { matchLabels: { a: 'b' } }, exportTo: ['*'] },
      /beyond current namespace/
    ],
    ['a Gateway without servers', 'Gateway', { selector: {} }, /at least one server/],
    ['a ServiceEntry for *', 'ServiceEntry', { hosts: ['*'], ports: [] }, /invalid host/]
  ]
  for (const [name, kind, spec, expected] of cases) t.match(reason(kind, spec), expected, name)
})

t.test('what it accepts passes, though nothing good can come of it (2.5)', async (t) => {
  const cases: readonly [string, Kind, Fields][] = [
    ['weights of any sum', 'VirtualService', http({ route: [to('a', { weight: 3 }), to('b')] })],
    ['one destination of weight 0', 'VirtualService', http({ route: [to('a', { weight: 0 })] })],
    ['an empty path prefix', 'VirtualService', http({ match: [{ uri: { prefix: '' } }], route: [to('a')] })],
    ['a wildcard destination', 'VirtualService', http({ route: [to('*.example.com')] })],
    ['a trailing dot', 'VirtualService', { ...whole, hosts: ['reviews.prod.svc.cluster.local.'] }],
    ['a name and its full spelling', 'VirtualService', { ...whole, hosts: ['reviews', 'reviews.prod.svc.cluster.local'] }],
    ['an address as host', 'VirtualService', { ...whole, hosts: ['10.0.0.1'] }],
    ['the host * at a gateway', 'VirtualService', { ...whole, hosts: ['*'], gateways: ['gw'] }],
    ['a redirect code without action', 'VirtualService', http({ redirect: { uri: '/', redirectCode: 304 } })],
    ['`*` without a header', 'VirtualService', http({ match: [{ withoutHeaders: { a: { regex: '*' } } }], route: [to('a')] })],
    ['capitals', 'DestinationRule', { host: 'Reviews' }],
    ['a ServiceEntry for nobody', 'ServiceEntry', { hosts: ['a.example.com'], exportTo: ['~'] }],
    ['a kind without rules', 'Sidecar', {}]
  ]
  for (const [name, kind, spec] of cases) t.equal(reason(kind, spec), null, name)
})
