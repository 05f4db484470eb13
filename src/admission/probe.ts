/** The write by which a replica, or `helm test`, sees that refusals arrive: hitless refuses it always, whatever it knows of the cluster. */
import { isRecord } from '../kinds/fields.ts'
import { ADMITTED } from '../review/decide.ts'
import { type ReviewResponse, respond } from './review.ts'

/** On the ConfigMap of such a write; its value comes back in the refusal. */
export const PROBE_LABEL = 'hitless.io/probe'

/** The refusal, where the review is of such a write; else null. */
export function refuseProbe(review: unknown): ReviewResponse | null {
  const request = field(review, 'request')
  const id = field(field(field(field(request, 'object'), 'metadata'), 'labels'), PROBE_LABEL)
  const uid = field(request, 'uid')
  if (typeof id !== 'string' || typeof uid !== 'string' || field(field(request, 'kind'), 'kind') !== 'ConfigMap') return null
  const message = `hitless: refused as asked, which proves that refusals arrive (${id})`
  return respond(uid, { ...ADMITTED, verdict: 'deny', message })
}

function field(value: unknown, key: string): unknown {
  return isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined
}
