import { deployment, destinationRule, guideWith } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const leftover = guideWith(destinationRule(['v0', 'v1', 'v2']))

export const obsoleteSubset: RuleExamples = {
  rule: 'obsolete-subset',
  finds: [
    {
      name: 'a subset without requests and Pods is kept',
      given: leftover,
      apply: destinationRule(['v0', 'v1', 'v2', 'v3']),
      severity: 'warn',
      says: 'subset "v0"'
    },
    { name: 'the Deployment behind a subset is deleted', delete: deployment('v2'), severity: 'warn', says: 'subset "v2"' }
  ],
  safe: [
    { name: "a subset that is new in this write is the guide's first step", apply: destinationRule(['v1', 'v2', 'v3']) },
    {
      name: 'a subset that gets the labels of the next release, as Argo Rollouts does',
      apply: destinationRule([], {
        subsets: [
          { name: 'v1', labels: { version: 'v1' } },
          { name: 'v2', labels: { version: 'v9' } }
        ]
      })
    },
    { name: 'it is removed', given: leftover, apply: destinationRule(['v1', 'v2']) }
  ]
}
