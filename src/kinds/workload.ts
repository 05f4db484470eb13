/** What makes Pods of a template, whatever its kind. */
import type { Labels } from '../mesh/names/labels.ts'
import type { Fields } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind, type KindModule } from './kind.ts'
import { portNames } from './pod.ts'

export interface PodTemplate {
  /** Labels of the Pod template. */
  readonly templateLabels: Labels
  readonly templatePortNames: readonly string[]
}

export interface WorkloadSpec extends Identity, PodTemplate {
  readonly replicas: number
  /** Pods that exist and Pods that are Ready, as status tells; null where the object has no status, as in a file. */
  readonly status: { readonly replicas: number; readonly readyReplicas: number } | null
}

/** Where an object of a kind says how many Pods it wants, and has. */
interface Counts {
  readonly replicas: (spec: Fields) => number
  readonly current: string
  readonly ready: string
}

const REPLICAS: Counts = { replicas: (spec) => spec.number('replicas', 1), current: 'replicas', ready: 'readyReplicas' }

export function parseWorkload({ spec, status }: { spec: Fields; status: Fields }, identity: Identity, counts = REPLICAS): WorkloadSpec {
  const known = status.keys().length > 0
  return {
    ...identity,
    replicas: counts.replicas(spec),
    status: known ? { replicas: status.number(counts.current, 0), readyReplicas: status.number(counts.ready, 0) } : null,
    ...parseTemplate(spec.child('template'))
  }
}

function parseTemplate(template: Fields | null): PodTemplate {
  const podSpec = template?.child('spec') ?? null
  return {
    templateLabels: template?.child('metadata')?.labels('labels') ?? {},
    templatePortNames: podSpec === null ? [] : portNames(podSpec)
  }
}

/** A kind of workload that the model reads in files alone, where no Pod can be seen. */
export function definePodMaker<K extends string, O extends WorkloadSpec & { readonly kind: K }>(
  module: Pick<KindModule<O, never>, 'kind' | 'api' | 'parse'>
): KindModule<O, never> {
  return defineKind<O, never>({ ...module, watched: false, indexes: {} })
}
