/** What the API server is told to ask about is what hitless judges. */
import t from 'tap'
import { GATEWAY_API } from '../../src/kinds/gateway-api.ts'
import { JUDGED_KINDS, kindModule } from '../../src/kinds/index.ts'
import { chartWebhooks, JUDGED_WRITES } from '../rig/webhook.ts'

const asked = JUDGED_WRITES.flatMap(({ apiGroups, resources, operations }) =>
  apiGroups.flatMap((group) => resources.map((resource) => ({ resource: `${group}/${resource}`, operations })))
)

t.test('every kind that is judged is asked about, and no other', async (t) => {
  const judged = JUDGED_KINDS.map((kind) => kindModule(kind).api).map(({ group, plural }) => `${group}/${plural}`)
  const whole = asked.filter(({ resource }) => resource.split('/').length === 2)
  t.strictSame(whole.map(({ resource }) => resource).sort(), judged.sort())
  for (const { resource, operations } of whole) {
    // A new namespace has no routes yet, and one that goes takes its own with it.
    t.strictSame(operations, resource === '/namespaces' ? ['UPDATE'] : ['CREATE', 'UPDATE', 'DELETE'], resource)
  }
})

t.test('of subresources, it is asked about the scale of the workloads that have one', async (t) => {
  const parts = asked.filter(({ resource }) => resource.split('/').length === 3)
  // A DaemonSet has no count of its own.
  const workloads = chartWebhooks().find(({ name }) => name === 'workloads.hitless.io')?.rules ?? []
  const scaled = workloads.flatMap(({ apiGroups, resources }) => resources.map((resource) => `${apiGroups}/${resource}/scale`))
  t.strictSame(
    parts.map(({ resource }) => resource),
    scaled.filter((resource) => resource !== 'apps/daemonsets/scale')
  )
  for (const { resource, operations } of parts) t.strictSame(operations, ['UPDATE'], resource)
})

t.test(
  'in the first version that hitless reads: the API server converts others to it; of the Gateway API in all, of which clusters serve few',
  async (t) => {
    const versions = new Map(
      JUDGED_KINDS.map((kind) => kindModule(kind).api).map(({ group, plural, versions: [first, ...others] }) => [
        `${group}/${plural}`,
        group === GATEWAY_API ? [first, ...others] : [first]
      ])
    )
    for (const { apiGroups, apiVersions, resources } of JUDGED_WRITES) {
      for (const resource of resources) t.strictSame(apiVersions, versions.get(`${apiGroups}/${resource.replace('/scale', '')}`), resource)
    }
    t.equal(new Set(chartWebhooks().map(({ name }) => name)).size, chartWebhooks().length)
  }
)
