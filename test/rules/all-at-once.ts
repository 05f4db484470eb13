import { deployment, guideWith, rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const built = (image: string, spec: Record<string, unknown> = {}) => {
  const labels = { app: 'helloworld', version: 'v1' }
  return deployment('v1', { template: { metadata: { labels }, spec: { containers: [{ name: 'app', image }] } }, ...spec })
}
const recreate = { strategy: { type: 'Recreate' } }
const none = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: '100%' } } }

export const allAtOnce: RuleExamples = {
  rule: 'all-at-once',
  finds: [
    {
      name: 'an image changes with strategy Recreate',
      given: guideWith(built('app:1', recreate)),
      apply: built('app:2', recreate),
      severity: 'warn',
      says: 'maxSurge 1'
    },
    {
      name: 'a rolling update may take all replicas and add none',
      given: guideWith(built('app:1', none)),
      apply: built('app:2', none),
      severity: 'warn',
      says: 'for as long as a Pod takes to start'
    }
  ],
  safe: [
    { name: 'an image changes by a rolling update', given: guideWith(built('app:1')), apply: built('app:2') },
    {
      name: 'more replicas restart nothing',
      given: guideWith(built('app:1', recreate)),
      apply: built('app:1', { ...recreate, replicas: 3 })
    },
    {
      name: 'no request goes to its Pods',
      given: guideWith(built('app:1', recreate), virtualService([rule([to('v2')])])),
      apply: built('app:2', recreate)
    }
  ]
}
