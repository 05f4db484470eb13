/** What every object has: its name, its age, its labels. */
import type { Labels } from '../mesh/names/labels.ts'
import { Fields } from './fields.ts'

export interface Identity {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly resourceVersion: string
  /** Milliseconds since the epoch; 0 where the object has no creationTimestamp yet. Age decides precedence (3.3, 10.6). */
  readonly createdMs: number
  /** It has a deletionTimestamp. */
  readonly deleting: boolean
  /** A deleted object stays until the last of these is taken off. Read, as `owners` are, of kinds whose writes are judged; empty for all others. */
  readonly finalizers: readonly string[]
  /** Garbage collection deletes it where it has owners and none of them is there. */
  readonly owners: readonly Owner[]
  readonly labels: Labels
  /** Only the annotations that hitless or its rules read (`KEPT_ANNOTATIONS`). */
  readonly annotations: Labels
}

/** An entry of ownerReferences. */
export interface Owner {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
}

const NONE: readonly never[] = []

/** The annotation by which a Service says where it is exported to. */
export const EXPORT_TO = 'networking.istio.io/exportTo'

/** The label by which an object is for the istiod of one revision alone (1.8). */
export const REVISION = 'istio.io/rev'

/** The annotation by which a Gateway names what is deployed for it. */
export const NAME_OVERRIDE = 'gateway.istio.io/name-override'

/** Annotations that the model or a rule reads; all others are dropped. */
const KEPT_ANNOTATIONS = [
  EXPORT_TO,
  NAME_OVERRIDE,
  'argo-rollouts.argoproj.io/managed-by-rollouts',
  'hitless.io/allow',
  'argocd.argoproj.io/tracking-id',
  'meta.helm.sh/release-name'
]

/** Metadata of a manifest. A namespaced object without a namespace stands in `default`, as it would for kubectl. */
export function parseIdentity(fields: Fields, namespaced: boolean, keepsOwners = false): Identity {
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
    // Tens of thousands of Pods have owners, and nobody asks for them.
    finalizers: keepsOwners ? metadata.strings('finalizers') : NONE,
    owners: keepsOwners ? metadata.each('ownerReferences', ownerOf) : NONE,
    labels: metadata.labels('labels'),
    annotations: Object.fromEntries(
      KEPT_ANNOTATIONS.filter((key) => annotations?.has(key)).map((key) => [key, annotations?.string(key) ?? ''])
    )
  }
}

function ownerOf(reference: Fields): Owner {
  const text = (key: string) => reference.string(key)
  return { apiVersion: text('apiVersion'), kind: text('kind'), name: text('name'), uid: text('uid') }
}
