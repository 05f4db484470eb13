import { guideWith, guideWithout, HOST, namespace, rule, service, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const hashed = (hash: string) => service({ selector: { app: 'helloworld', 'rollouts-pod-template-hash': hash } })

export const selectorInUse: RuleExamples = {
  rule: 'selector-in-use',
  finds: [
    {
      name: 'a version in the selector empties the other subset',
      given: guideWith(virtualService([rule([to('v1', 50), to('v2', 50)])])),
      apply: service({ selector: { app: 'helloworld', version: 'v1' } }),
      severity: 'deny',
      says: '50% of requests'
    },
    {
      name: 'the selector moves to Pods that do not exist',
      given: guideWithout('VirtualService'),
      apply: service({ selector: { app: 'other' } }),
      severity: 'deny',
      says: '100% of requests'
    },
    {
      name: 'another name of what answers becomes a Service without Pods',
      given: guideWith(
        service({ type: 'ExternalName', externalName: HOST, selector: {} }, { name: 'front' }),
        virtualService([rule([to('v1')])]),
        namespace('default', { labels: { 'istio-injection': 'enabled' } })
      ),
      apply: service({ selector: { app: 'front' } }, { name: 'front' }),
      severity: 'deny',
      says: 'which no longer stands for helloworld.default.svc.cluster.local, and has no Ready Pod of its own. First wait until a Pod'
    }
  ],
  safe: [
    {
      name: 'another name of it gets Pods of its own, that are Ready',
      given: guideWith(service({ type: 'ExternalName', externalName: 'other.default.svc.cluster.local' }), service({}, { name: 'other' })),
      apply: service()
    },
    { name: 'the selector is written in another way', apply: service({ selector: { app: 'helloworld' }, sessionAffinity: 'ClientIP' }) },
    {
      name: 'Argo Rollouts switches its own label before the Pods are there',
      given: guideWith(hashed('a')).filter(({ kind }) => kind !== 'VirtualService'),
      apply: hashed('b')
    },
    { name: 'the Service is deleted', delete: service() }
  ]
}
