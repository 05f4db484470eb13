/** One admission of one write: what the API server asks, and what became of it. A write that meets another one begins again, with a new one. */
import { type Kind, kindModule } from '../../src/kinds/index.ts'
import type { Decision } from '../../src/review/decision.ts'
import type { Manifest } from './store.ts'

export interface Asked {
  readonly kind: Kind
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly subresource: string
  readonly before: Manifest | null
  readonly after: Manifest | null
  readonly user: string
  readonly dryRun: boolean
}

/** The answer of a replica. */
export interface Review {
  readonly replica: string
  /** What etcd held when the judgement began that became the answer. */
  readonly judgedRevision: number
  /** The place of the answer among all answers, and when it was given. */
  readonly order: number
  readonly atMs: number
  readonly decision: Decision
  readonly heldMs: number
  /** Versions of the DestinationRules that the replica's watch had shown. */
  readonly shownRules: ReadonlySet<string>
}

export interface Attempt extends Asked {
  readonly id: string
  readonly body: ReviewBody
  /** What etcd held when the server asked. */
  readonly revision: number
  /** Null where hitless was not asked, or gave no answer. */
  review: Review | null
}

export interface ReviewBody {
  readonly apiVersion: string
  readonly kind: string
  readonly request: Readonly<Record<string, unknown>>
}

export function reviewBody(uid: string, { kind, operation, subresource, before, after, user, dryRun }: Asked): ReviewBody {
  const { group, versions, plural } = kindModule(kind).api
  const version = versions[0]
  const isScale = subresource === 'scale'
  const { name, namespace } = (after ?? before)?.metadata ?? {}
  const shown = (object: Manifest | null) => (object !== null && isScale ? scaleOf(object) : object)
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: isScale ? { group: 'autoscaling', version: 'v1', kind: 'Scale' } : { group, version, kind },
      resource: { group, version, resource: plural },
      ...(isScale ? { subResource: 'scale' } : {}),
      name,
      ...(kindModule(kind).api.namespaced ? { namespace } : {}),
      operation,
      userInfo: { username: user, groups: ['system:authenticated'] },
      object: shown(after),
      oldObject: shown(before),
      dryRun,
      options: null
    }
  }
}

/** autoscaling/v1 leaves out a count of 0. */
export function scaleOf({ metadata, ...rest }: Manifest): Manifest {
  const { name, namespace = '', uid = '', resourceVersion = '' } = metadata
  const { replicas = 1 } = (rest['spec'] ?? {}) as { replicas?: number }
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion },
    spec: replicas === 0 ? {} : { replicas }
  }
}

/** Whether the chart's webhook configuration has hitless asked: its rules and matchConditions. */
export function isHitlessAsked({ kind, operation, subresource, before, after }: Asked): boolean {
  if (kind === 'VirtualService' || kind === 'DestinationRule') return true
  if (kind === 'Service')
    return operation !== 'UPDATE' || text(before?.['spec']) !== text(after?.['spec']) || exportTo(before) !== exportTo(after)
  if (kind !== 'Deployment') return false
  if (subresource === 'scale') return replicas(after) === 0 && replicas(before) !== 0
  if (operation !== 'UPDATE') return true
  return template(before) !== template(after) || (replicas(after) === 0 && replicas(before) !== 0)
}

function text(value: unknown): string {
  return JSON.stringify(value ?? null)
}

function exportTo(object: Manifest | null): string {
  return text((object?.metadata['annotations'] as Record<string, unknown> | undefined)?.['networking.istio.io/exportTo'])
}

interface DeploymentSpec {
  readonly replicas?: number
  readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } }
}

function replicas(object: Manifest | null): number {
  return ((object?.['spec'] ?? {}) as DeploymentSpec).replicas ?? 1
}

function template(object: Manifest | null): string {
  return text(((object?.['spec'] ?? {}) as DeploymentSpec).template?.metadata?.labels)
}
