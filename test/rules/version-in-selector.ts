import { destinationRule, guideWith, guideWithout, service } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const v1 = { app: 'helloworld', version: 'v1' }
const release = destinationRule([], {
  subsets: [
    { name: 'prod', labels: { release: 'prod' } },
    { name: 'debug', labels: { release: 'debug' } }
  ]
})

export const versionInSelector: RuleExamples = {
  rule: 'version-in-selector',
  finds: [
    {
      name: 'a generic Service is created for one version',
      given: guideWithout('Service'),
      apply: service({ selector: v1 }),
      severity: 'deny',
      says: '"version: v1"'
    },
    { name: 'a generic Service gains a version', apply: service({ selector: v1 }), severity: 'deny' },
    {
      name: 'the key on which the subsets differ is a version too',
      given: guideWith(release),
      apply: service({ selector: { app: 'helloworld', release: 'prod' } }),
      severity: 'deny',
      says: '"release: prod"'
    },
    {
      name: 'it had a version before',
      given: guideWith(service({ selector: v1 })),
      apply: service({ selector: { ...v1, version: 'v2' } }),
      severity: 'warn'
    }
  ],
  safe: [
    { name: 'a Service for one version beside the generic one', apply: service({ selector: v1 }, { name: 'helloworld-v1' }) },
    {
      name: 'release is how many Helm charts name themselves',
      given: guideWithout('DestinationRule'),
      apply: service({ selector: { app: 'helloworld', release: 'mine' } })
    },
    { name: 'the label of Argo Rollouts', apply: service({ selector: { app: 'helloworld', 'rollouts-pod-template-hash': 'abc' } }) }
  ]
}
