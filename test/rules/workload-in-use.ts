import { deployment, guideWith, guideWithout, rule, to, unready, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const again = deployment('v1', {}, { app: 'helloworld', version: 'v1', track: 'b' })

export const workloadInUse: RuleExamples = {
  rule: 'workload-in-use',
  finds: [
    { name: 'the Deployment that answers everything is deleted', delete: deployment('v1'), severity: 'deny', says: 'this deletes' },
    { name: 'it is scaled to 0', apply: deployment('v1', { replicas: 0 }), severity: 'deny', says: 'this scales to 0' },
    {
      name: 'its Pods get another version',
      apply: deployment('v1', {}, { app: 'helloworld', version: 'v9' }),
      severity: 'deny',
      says: 'this relabels'
    },
    {
      name: 'a tenth of the requests is enough',
      given: guideWith(virtualService([rule([to('v1', 90), to('v2', 10)])])),
      delete: deployment('v2'),
      severity: 'deny',
      says: '10% of requests'
    }
  ],
  safe: [
    { name: 'a version without requests is deleted', delete: deployment('v2') },
    { name: 'scaled down, but not to 0', apply: deployment('v1', { replicas: 1 }) },
    { name: 'a label more keeps its Pods in the subset', apply: deployment('v1', {}, { app: 'helloworld', version: 'v1', team: 'blue' }) },
    {
      name: "another Deployment's Pods back the subset as well",
      given: guideWith({ ...again, metadata: { name: 'helloworld-v1-b', namespace: 'default' } }),
      delete: deployment('v1')
    },
    { name: 'none of its Pods was Ready', given: guideWith(unready(deployment('v1'))), delete: deployment('v1') },
    { name: 'no VirtualService routes its Service', given: guideWithout('VirtualService'), delete: deployment('v1') }
  ]
}
