/** What the API server is told to ask about is what hitless judges. */
import t from 'tap'
import { JUDGED_KINDS, kindModule } from '../../src/kinds/index.ts'
import { chartWebhooks, JUDGED_WRITES } from '../rig/webhook.ts'

const asked = JUDGED_WRITES.flatMap(({ apiGroups, resources, operations }) =>
  apiGroups.flatMap((group) => resources.map((resource) => ({ resource: `${group}/${resource}`, operations })))
)

t.test('every kind that is judged is asked about, and no other', async (t) => {
  const judged = JUDGED_KINDS.map((kind) => kindModule(kind).api).map(({ group, plural }) => `${group}/${plural}`)
  const whole = asked.filter(({ resource }) => resource.split('/').length === 2)
  t.strictSame(whole.map(({ resource }) => resource).sort(), judged.sort())
  for (const { resource, operations } of whole) t.strictSame(operations, ['CREATE', 'UPDATE', 'DELETE'], resource)
})

t.test('of subresources, it is asked about the scale of what has one and is judged', async (t) => {
  const parts = asked.filter(({ resource }) => resource.split('/').length === 3)
  t.strictSame(parts, [{ resource: 'apps/deployments/scale', operations: ['UPDATE'] }])
})

t.test('in the version of the API that hitless reads: others are converted to it', async (t) => {
  for (const { apiVersions } of JUDGED_WRITES) t.strictSame(apiVersions, ['v1'])
  t.equal(new Set(chartWebhooks().map(({ name }) => name)).size, chartWebhooks().length)
})
