/** What every object has: its name, its age, its labels. */
import type { Labels } from '../mesh/names/labels.ts'
import { Fields } from './fields.ts'

export interface Identity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** Milliseconds since the epoch; 0 where the object has no creationTimestamp yet. Age decides precedence (istio-semantics 3.3, 10.6). */
  readonly createdMs: number
  /** It has a deletionTimestamp. */
  readonly deleting: boolean
  readonly labels: Labels
  /** Only the annotations that hitless or its rules read (`KEPT_ANNOTATIONS`). */
  readonly annotations: Labels
}

/** The annotation by which a Service says where it is exported to. */
export const EXPORT_TO = 'networking.istio.io/exportTo'

/** Annotations that the model or a rule reads; all others are dropped. */
const KEPT_ANNOTATIONS = [
  EXPORT_TO,
  'argo-rollouts.argoproj.io/managed-by-rollouts',
  'hitless.io/allow',
  'argocd.argoproj.io/tracking-id',
  'meta.helm.sh/release-name'
]

/** Metadata of a manifest. A namespaced object without a namespace stands in `default`, as it would for kubectl. */
export function parseIdentity(fields: Fields, namespaced: boolean): Identity {
  const metadata = fields.child('metadata') ?? new Fields({}, ['metadata'])
  const annotations = metadata.child('annotations')
  const created = metadata.string('creationTimestamp')
  return {
    namespace: namespaced ? metadata.string('namespace', 'default') : '',
    name: metadata.string('name'),
    uid: metadata.string('uid'),
    resourceVersion: metadata.string('resourceVersion'),
    createdMs: created === '' ? 0 : Date.parse(created) || 0,
    deleting: metadata.has('deletionTimestamp'),
    labels: metadata.labels('labels'),
    annotations: Object.fromEntries(
      KEPT_ANNOTATIONS.filter((key) => annotations?.has(key)).map((key) => [key, annotations?.string(key) ?? ''])
    )
  }
}
