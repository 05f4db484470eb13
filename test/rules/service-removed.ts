import { guideWithout, service } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

export const serviceRemoved: RuleExamples = {
  rule: 'service-removed',
  finds: [{ name: 'a VirtualService still sends to it', delete: service(), severity: 'warn', says: 'still sends to' }],
  safe: [{ name: 'nothing sends to it', given: guideWithout('VirtualService'), delete: service() }]
}
