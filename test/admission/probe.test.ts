import t from 'tap'
import { PROBE_LABEL, refuseProbe } from '../../src/admission/probe.ts'
import type { Manifest } from '../manifests.ts'
import { webhook } from '../server/client.ts'
import { create, remove, stored, UID, update } from './reviews.ts'

const labelled = (labels: Record<string, unknown>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'hitless-probe', namespace: 'hitless-system', labels }
})
const probe = labelled({ [PROBE_LABEL]: 'one of many' })

t.test('the write that hitless makes to be refused is refused, whatever is known of the cluster, and counts as no review', async (t) => {
  const { post, metrics } = await webhook(t, { health: () => ({ fresh: false, ageMs: {}, reasons: ['not synced'] }) })
  const { status, json } = await post(create(probe, { dryRun: true }))
  t.equal(status, 200)
  t.match(json, { response: { uid: UID, allowed: false, status: { code: 403, message: /^hitless: refused as asked.*\(one of many\)$/ } } })
  t.notMatch(await metrics.registry.metrics(), /^hitless_reviews_total\{/m)
})

const OTHERS: Readonly<Record<string, unknown>> = {
  'a ConfigMap without the label': create(labelled({})),
  'a label that is no text': create(labelled({ [PROBE_LABEL]: 1 })),
  'another kind with the label': create({ ...stored('VirtualService'), metadata: { name: 'a', labels: { [PROBE_LABEL]: 'x' } } }),
  'a ConfigMap that had the label': update(probe, labelled({})),
  'the deletion of one with the label': remove(probe),
  'no review': { request: 'x' },
  nothing: null
}
for (const [what, review] of Object.entries(OTHERS)) {
  t.test(`${what} is none`, async (t) => t.equal(refuseProbe(review), null))
}
