/** What makes Pods of a template, whatever its kind. */
import { type Labels, sameLabels } from '../mesh/names/labels.ts'
import type { Fields } from './fields.ts'
import type { Identity } from './identity.ts'
import { defineKind, type KindModule, type Reach } from './kind.ts'
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
  /** The template as text, of a Deployment that restarts all its Pods at once; '' for any other. */
  readonly restart: string
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
  const replicas = counts.replicas(spec)
  return {
    ...identity,
    replicas,
    status: known ? { replicas: status.number(counts.current, 0), readyReplicas: status.number(counts.ready, 0) } : null,
    ...parseTemplate(spec.child('template')),
    restart: ''
  }
}

/** A workload that rolls out by a strategy of its own. */
export function parseRolling(manifest: { spec: Fields; status: Fields }, identity: Identity): WorkloadSpec {
  const workload = parseWorkload(manifest, identity)
  return { ...workload, restart: restartOf(manifest.spec, workload.replicas) }
}

function parseTemplate(template: Fields | null): PodTemplate {
  const podSpec = template?.child('spec') ?? null
  return {
    templateLabels: template?.child('metadata')?.labels('labels') ?? {},
    templatePortNames: podSpec === null ? [] : portNames(podSpec)
  }
}

/** What of a workload decides: whether it has Pods, and which; a restart of all at once by any change of the template. */
export function decidesOfWorkload({ replicas, templateLabels, templatePortNames, restart }: WorkloadSpec): unknown {
  return [replicas > 0, Object.entries(templateLabels).sort(), [...templatePortNames].sort(), restart]
}

/** Every service that selects its Pods: those of its template, and those that it has. */
export function reachOfWorkload({ kind, namespace, name, templateLabels }: WorkloadSpec & { readonly kind: string }): readonly Reach[] {
  return [{ through: 'workloads', namespace, labels: templateLabels, owner: `${namespace}/${kind}/${name}` }]
}

/** The Pods of both have the same labels, and ports of the same names. */
export function sameTemplate(before: PodTemplate, after: PodTemplate): boolean {
  const ports = ({ templatePortNames }: PodTemplate) => [...templatePortNames].sort().join(' ')
  return sameLabels(before.templateLabels, after.templateLabels) && ports(before) === ports(after)
}

/** Its Pods go away, or lose their labels or ports. */
export function givesUpPods(before: WorkloadSpec | null, after: WorkloadSpec | null): boolean {
  if (before === null || before.replicas === 0) return false
  return after === null || after.replicas === 0 || !sameTemplate(before, after)
}

/** A kind of workload whose objects are read where they are needed: a live cluster tells its Pods, and of the others nothing is kept. */
export function definePodMaker<K extends string, O extends WorkloadSpec & { readonly kind: K }>(
  module: Pick<KindModule<O, never>, 'kind' | 'api' | 'parse'>
): KindModule<O, never> {
  return defineKind<O, never>({
    ...module,
    judged: true,
    watched: false,
    indexes: {},
    decides: decidesOfWorkload,
    reach: reachOfWorkload,
    pushed: () => false,
    takesAway: givesUpPods,
    audited: 'nowhere'
  })
}

/** The template as text where an update of it restarts every Pod at once, so that nobody answers for as long as a start takes; '' elsewhere. */
function restartOf(spec: Fields, replicas: number): string {
  const strategy = spec.child('strategy')
  const rolling = strategy?.child('rollingUpdate') ?? null
  const isRecreate = strategy?.string('type') === 'Recreate'
  const mayTakeAll =
    rolling !== null && countOf(rolling, 'maxSurge', replicas, 1) === 0 && countOf(rolling, 'maxUnavailable', replicas, 0) >= replicas
  return (isRecreate || mayTakeAll) && replicas > 0 ? JSON.stringify(spec.child('template')?.value ?? {}) : ''
}

/** A number, or a share of the replicas in percent: `ResolveFenceposts`, pkg/controller/deployment/util of Kubernetes; the default is 25%. */
function countOf(rolling: Fields, key: string, replicas: number, roundedUp: 0 | 1): number {
  const written = rolling.has(key) ? rolling.numberOrString(key, 0) : '25%'
  if (typeof written === 'number') return written
  const share = (Number.parseFloat(written) * replicas) / 100
  return roundedUp === 1 ? Math.ceil(share) : Math.floor(share)
}
