import {
  AT_GATEWAY,
  backend,
  backends,
  guideAtGateway,
  guideByRoutes,
  httpRoute,
  mirrorTo,
  namespace,
  referenceGrant,
  rule,
  service,
  to,
  versionService,
  virtualService
} from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const mirrored = (subset: string) =>
  virtualService([{ ...rule([to('v1')]), mirror: { host: 'helloworld', subset, port: { number: 3000 } } }])
const routed = (mirror: Record<string, unknown>, spec: Record<string, unknown> = AT_GATEWAY) =>
  httpRoute([{ ...backends([backend('v1')]), ...mirror }], spec)
const FOREIGN = mirrorTo('helloworld-v2', { namespace: 'apps' })
const APPS = [namespace('apps'), versionService('v2', { selector: null }, { namespace: 'apps' })]

export const deadMirror: RuleExamples = {
  rule: 'dead-mirror',
  finds: [
    { name: 'a mirror to a subset that is not defined', apply: mirrored('v9'), severity: 'warn', says: 'does not exist' },
    {
      name: 'an HTTPRoute mirrors to a Service that does not exist',
      given: guideAtGateway(),
      apply: routed(mirrorTo('helloworld-v9')),
      severity: 'warn',
      says: 'helloworld-v9.default.svc.cluster.local does not exist'
    },
    {
      name: 'to a port that it does not have',
      given: guideAtGateway(),
      apply: routed(mirrorTo('helloworld-v2', { port: 80 })),
      severity: 'warn',
      says: 'has no port 80'
    },
    {
      name: 'to one without Pods',
      given: guideAtGateway(service({ selector: { app: 'nobody' } }, { name: 'empty' })),
      apply: routed(mirrorTo('empty')),
      severity: 'warn',
      says: 'has no Ready Pod'
    },
    {
      name: 'to another namespace that does not let it',
      given: guideAtGateway(...APPS),
      apply: routed(FOREIGN),
      severity: 'warn',
      says: 'no ReferenceGrant in namespace apps lets it send to Service helloworld-v2. Create a ReferenceGrant in namespace apps from HTTPRoute of namespace default'
    },
    {
      name: 'to what is no Service',
      given: guideAtGateway(),
      apply: routed(mirrorTo('bucket', { group: 'example.com', kind: 'Bucket' })),
      severity: 'warn',
      says: 'it is a Bucket, which Istio does not send to'
    }
  ],
  safe: [
    { name: 'a mirror to Ready Pods', apply: mirrored('v2') },
    { name: 'an HTTPRoute mirrors to Ready Pods', given: guideAtGateway(), apply: routed(mirrorTo('helloworld-v2')) },
    {
      name: 'to another namespace that lets it',
      given: guideAtGateway(...APPS, referenceGrant('apps', 'default')),
      apply: routed(FOREIGN)
    },
    { name: 'on the mesh no namespace is asked', given: guideByRoutes(...APPS), apply: routed(FOREIGN, {}) }
  ]
}
