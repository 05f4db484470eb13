import { guideWith, rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const beside = virtualService([rule([{ destination: { host: 'helloworld' }, port: { number: 3000 }, subset: 'v1' }])])
const plain = virtualService([rule([to(null)])])
const lastApplied = virtualService(
  [rule([to(null)])],
  {},
  { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(beside) } }
)

export const misplacedField: RuleExamples = {
  rule: 'misplaced-field',
  finds: [
    { name: 'subset stands beside destination', apply: beside, severity: 'warn', says: 'spec.http[0].route[0].subset' },
    { name: 'only last-applied-configuration still shows it', apply: lastApplied, severity: 'warn', says: 'every version' },
    {
      name: 'weight stands inside destination',
      apply: virtualService([rule([to('v1', undefined, { weight: 100 })])]),
      severity: 'warn',
      says: 'destination.weight'
    }
  ],
  safe: [
    { name: 'everything in its place', apply: plain },
    {
      name: 'it stood there before',
      given: guideWith(beside),
      apply: { ...beside, spec: { ...(beside['spec'] as object), exportTo: ['*'] } }
    }
  ]
}
