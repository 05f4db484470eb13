import { rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const mirrored = (subset: string) =>
  virtualService([{ ...rule([to('v1')]), mirror: { host: 'helloworld', subset, port: { number: 3000 } } }])

export const deadMirror: RuleExamples = {
  rule: 'dead-mirror',
  finds: [{ name: 'a mirror to a subset that is not defined', apply: mirrored('v9'), severity: 'warn', says: 'does not exist' }],
  safe: [{ name: 'a mirror to Ready Pods', apply: mirrored('v2') }]
}
