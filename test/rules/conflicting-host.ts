import {
  backend,
  backends,
  guide,
  guideByRoutes,
  HOST,
  httpRoute,
  type Manifest,
  namespace,
  rule,
  to,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const forMesh = (name: string, spec: Record<string, unknown> = {}, home = 'default') =>
  httpRoute(
    [backends([backend('v2', 1, { namespace: 'default' })])],
    { parentRefs: [{ group: '', kind: 'Service', name: 'helloworld', namespace: 'default' }], ...spec },
    { name, namespace: home }
  )
const ON_PORT = { parentRefs: [{ group: '', kind: 'Service', name: 'helloworld', port: 3000 }] }
/** The guide's world with these objects in place of its route. */
const beside = (...manifests: Manifest[]) => [
  ...guideByRoutes().filter(({ kind }) => kind !== 'HTTPRoute'),
  namespace('other'),
  ...manifests
]
const older = virtualService([rule([{ destination: { host: HOST } }])], { hosts: [HOST] })

export const conflictingHost: RuleExamples = {
  rule: 'conflicting-host',
  finds: [
    {
      name: 'a second VirtualService for a mesh host',
      apply: virtualService([rule([to('v2')])], {}, { name: 'second' }),
      severity: 'warn',
      says: 'has no effect'
    },
    {
      name: 'an HTTPRoute beside an older VirtualService: its own namespace alone gets it',
      given: beside(older),
      apply: forMesh('second'),
      severity: 'warn',
      says: `HTTPRoute default/second has no effect on ${HOST} for clients outside namespace default: Istio uses VirtualService default/helloworld for it`
    },
    {
      name: 'an HTTPRoute for one port beside an older one for all',
      given: beside(forMesh('first')),
      apply: forMesh('second', ON_PORT),
      severity: 'warn',
      says: `has no effect on ${HOST}: Istio uses HTTPRoute default/first for it`
    },
    {
      name: 'a VirtualService beside an older HTTPRoute',
      given: beside(forMesh('first')),
      apply: older,
      severity: 'warn',
      says: 'Istio uses HTTPRoute default/first for it'
    }
  ],
  safe: [
    { name: 'the only one', apply: virtualService([rule([to('v2')])]) },
    { name: 'routes for the same Service and port are merged', given: beside(forMesh('first')), apply: forMesh('second') },
    { name: 'an HTTPRoute for the clients of its own namespace', given: beside(older), apply: forMesh('second', {}, 'other') },
    {
      name: 'one beside what another namespace has for its own clients',
      given: beside(forMesh('first', {}, 'other')),
      apply: forMesh('second')
    },
    {
      name: 'one that a namespace has for its own clients',
      given: [...guide(), namespace('other')],
      apply: virtualService(
        [rule([{ destination: { host: HOST, subset: 'v2' } }])],
        { hosts: [HOST], exportTo: ['.'] },
        { name: 'own', namespace: 'other' }
      )
    },
    { name: 'one for a gateway alone', apply: virtualService([rule([to('v2')])], { gateways: ['gateway'] }, { name: 'second' }) }
  ]
}
