import { deployment } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const named = (name: string) => ({ ...deployment('v3'), metadata: { name, namespace: 'default' } })

export const workloadName: RuleExamples = {
  rule: 'workload-name',
  finds: [{ name: 'the name does not say the version', apply: named('helloworld-new'), severity: 'warn', says: 'helloworld-new-v3' }],
  safe: [
    { name: 'the name says it', apply: named('helloworld-v3') },
    {
      name: 'an app without subsets may be named as it likes',
      apply: { ...deployment('v3', {}, { app: 'other', version: 'v3' }), metadata: { name: 'other', namespace: 'default' } }
    }
  ]
}
