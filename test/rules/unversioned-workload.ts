import { deployment, guideWith, guideWithout } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const plain = deployment('v3', {}, { app: 'helloworld' })

export const unversionedWorkload: RuleExamples = {
  rule: 'unversioned-workload',
  finds: [
    { name: 'Pods of a host with subsets lack the label that these select on', apply: plain, severity: 'deny', says: 'lack "version"' },
    {
      name: 'the host has no subsets yet',
      given: guideWithout('DestinationRule'),
      apply: plain,
      severity: 'warn',
      says: 'no version label'
    },
    {
      name: 'they lacked it before',
      given: guideWith(plain),
      apply: deployment('v3', {}, { app: 'helloworld', team: 'blue' }),
      severity: 'warn'
    }
  ],
  safe: [
    { name: 'a version that no subset names yet', apply: deployment('v3') },
    { name: 'no Service selects the Pods', apply: deployment('v3', {}, { app: 'other' }) },
    { name: 'only the image changes', given: guideWith(plain), apply: { ...plain, spec: { ...(plain['spec'] as object), replicas: 3 } } }
  ]
}
