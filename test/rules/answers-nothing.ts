import { DEBUG, guideWith, rule, to, virtualService } from '../manifests.ts'
import type { RuleExamples } from './examples.ts'

const aborting = (percentage: object | null, match?: Parameters<typeof rule>[1]) => ({
  ...rule([to('v1')], match),
  fault: { abort: { httpStatus: 503, ...(percentage === null ? {} : { percentage }) } }
})
const maintenance = { directResponse: { status: 503, body: { string: 'back soon' } } }

export const answersNothing: RuleExamples = {
  rule: 'answers-nothing',
  finds: [
    {
      name: 'a fault for a tester, whose match was left out',
      apply: virtualService([aborting({ value: 100 }), rule([to('v1')])]),
      severity: 'warn',
      says: 'http[0] aborts 100% of requests'
    },
    {
      name: 'a maintenance page for everything',
      apply: virtualService([maintenance]),
      severity: 'warn',
      says: 'http[0] answers 503 itself'
    },
    {
      name: 'faults for some, an error for all others',
      apply: virtualService([aborting({ value: 100 }, DEBUG), maintenance]),
      severity: 'warn'
    }
  ],
  safe: [
    { name: 'a fault for a tester', apply: virtualService([aborting({ value: 100 }, DEBUG), rule([to('v1')])]) },
    { name: 'a fault for some requests', apply: virtualService([aborting({ value: 10 })]) },
    { name: 'a fault without a percentage aborts nothing', apply: virtualService([aborting(null)]) },
    {
      name: 'errors for other clients',
      apply: virtualService([aborting({ value: 100 }, [{ sourceLabels: { app: 'web' } }]), rule([to('v1')])])
    },
    { name: 'a page that is no error', apply: virtualService([{ directResponse: { status: 200 } }]) },
    {
      name: 'the maintenance goes on with other words',
      given: guideWith(virtualService([maintenance])),
      apply: virtualService([{ directResponse: { status: 503, body: { string: 'back at noon' } } }])
    }
  ]
}
