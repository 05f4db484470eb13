import { destinationRule, guideWith, guideWithout, rule, service, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const canary = guideWith(virtualService([rule([to('v1', 10), to('v2', 90)])]))

export const subsetInUse: RuleExamples = {
  rule: 'subset-in-use',
  finds: [
    {
      name: 'a subset with weight 10 is removed',
      given: canary,
      apply: destinationRule(['v2']),
      severity: 'deny',
      says: '10% of requests'
    },
    { name: 'the DestinationRule is deleted', delete: destinationRule([]), severity: 'deny', says: 'which this deletes' },
    { name: 'a subset is renamed', apply: destinationRule(['stable', 'v2']), severity: 'deny' },
    {
      name: 'a subset is relabelled away from its Pods',
      apply: destinationRule([], { subsets: [{ name: 'v1', labels: { version: 'v9' } }] }),
      severity: 'deny',
      says: 'no Ready Pod has'
    },
    {
      name: 'a DestinationRule without subsets in the same place hides the subsets',
      apply: destinationRule([], { exportTo: ['.'] }, { name: 'younger' }),
      severity: 'deny',
      says: 'would hide'
    },
    {
      name: 'its host becomes another',
      apply: destinationRule(['v1', 'v2'], { host: 'helloworld.elsewhere.svc.cluster.local' }),
      severity: 'deny',
      says: 'by another spec.host'
    },
    {
      name: 'it is exported to nobody any longer',
      apply: destinationRule(['v1', 'v2'], { exportTo: ['~'] }),
      severity: 'deny',
      says: 'no longer exports to namespace'
    },
    {
      name: 'it is kept for some clients',
      apply: destinationRule(['v1', 'v2'], { workloadSelector: { matchLabels: { app: 'somebody' } } }),
      severity: 'deny',
      says: 'spec.workloadSelector selects'
    }
  ],
  safe: [
    { name: 'a subset without requests is removed', apply: destinationRule(['v1']) },
    { name: 'a subset is added before its Pods exist', apply: destinationRule(['v1', 'v2', 'v3']) },
    { name: 'labels are widened', apply: destinationRule([], { subsets: [{ name: 'v1' }, { name: 'v2', labels: { version: 'v2' } }] }) },
    { name: 'its Service is gone already', given: guideWithout('Service'), delete: destinationRule([]) },
    {
      name: 'its Service is terminating',
      given: guideWith(service({}, { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['x/y'] })),
      delete: destinationRule([])
    },
    { name: 'its subset served nothing before', given: guideWithout('Deployment'), apply: destinationRule(['v2']) }
  ]
}
