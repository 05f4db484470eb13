/** AdmissionReview of admission.k8s.io/v1, in and out. */
import { Ajv } from 'ajv'
import { HitlessError } from '../errors.ts'
import { InvalidField, isRecord } from '../kinds/fields.ts'
import {
  JUDGED_KINDS,
  type Kind,
  kindModule,
  kindOf,
  type MeshObject,
  type ObjectRef,
  parseAs,
  WORKLOAD_KINDS,
  type Workload
} from '../kinds/index.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Author, Change, Operation } from '../review/change.ts'
import type { Decision } from '../review/decision.ts'
import { warningText } from '../review/message.ts'

/** What the API server asks: a change to judge, or one that is none of hitless' business, with a warning where it cannot be read. */
export interface ReviewRequest {
  readonly uid: string
  readonly change: Change | null
  readonly warnings: readonly string[]
}

export interface ReviewResponse {
  readonly apiVersion: 'admission.k8s.io/v1'
  readonly kind: 'AdmissionReview'
  readonly response: {
    readonly uid: string
    readonly allowed: boolean
    readonly status?: { readonly code: number; readonly reason: string; readonly message: string }
    readonly warnings?: readonly string[]
    readonly auditAnnotations?: Readonly<Record<string, string>>
  }
}

/** The response as Fastify serialises it. */
export const RESPONSE_SCHEMA = {
  type: 'object',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    response: {
      type: 'object',
      properties: {
        uid: { type: 'string' },
        allowed: { type: 'boolean' },
        status: {
          type: 'object',
          properties: { code: { type: 'integer' }, reason: { type: 'string' }, message: { type: 'string' } }
        },
        warnings: { type: 'array', items: { type: 'string' } },
        auditAnnotations: { type: 'object', additionalProperties: { type: 'string' } }
      }
    }
  }
}

interface Envelope {
  readonly request: {
    readonly uid: string
    readonly kind: { readonly group?: string; readonly version: string; readonly kind: string }
    readonly resource: { readonly group?: string; readonly version: string; readonly resource: string }
    readonly subResource?: string
    readonly name?: string
    readonly namespace?: string
    readonly operation: string
    readonly userInfo: Partial<Omit<Author, 'manager'>>
    readonly object?: unknown
    readonly oldObject?: unknown
    readonly dryRun?: boolean | null
    readonly options?: unknown
  }
}

const GVK = { type: 'object', required: ['version'], properties: { group: { type: 'string' }, version: { type: 'string' } } }

const SCHEMA = {
  type: 'object',
  required: ['apiVersion', 'kind', 'request'],
  properties: {
    apiVersion: { const: 'admission.k8s.io/v1' },
    kind: { const: 'AdmissionReview' },
    request: {
      type: 'object',
      required: ['uid', 'kind', 'resource', 'operation', 'userInfo'],
      properties: {
        // It comes back in the answer.
        uid: { type: 'string', minLength: 1, maxLength: 256 },
        kind: { ...GVK, required: ['version', 'kind'], properties: { ...GVK.properties, kind: { type: 'string' } } },
        resource: { ...GVK, required: ['version', 'resource'], properties: { ...GVK.properties, resource: { type: 'string' } } },
        subResource: { type: 'string' },
        name: { type: 'string' },
        namespace: { type: 'string' },
        operation: { enum: ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] },
        userInfo: {
          type: 'object',
          properties: {
            username: { type: 'string' },
            groups: { type: 'array', items: { type: 'string' } },
            uid: { type: 'string' },
            // What is in it is looked at below: ajv puts a stranger's key, whole, into what it says.
            extra: { type: 'object' }
          }
        },
        dryRun: { type: ['boolean', 'null'] },
        object: { type: ['object', 'null'] },
        oldObject: { type: ['object', 'null'] },
        options: { type: ['object', 'null'] }
      }
    }
  }
}

const isEnvelope = new Ajv({ strict: false }).compile<Envelope>(SCHEMA)

/** An object of a judged kind that cannot be read: not ours to refuse, since the API server's own schemas let it through. */
class Unreadable extends Error {}

/** Reads a review; `snapshot` has the Deployment behind a Scale, which itself names neither labels nor template. Throws HITLESS_BAD_REVIEW. */
export function parseReview(body: unknown, snapshot: Snapshot): ReviewRequest {
  if (!isEnvelope(body)) {
    const [error] = isEnvelope.errors ?? []
    const where = error?.instancePath.replaceAll('/', '.').slice(1) || 'the body'
    throw badReview(`${where} ${error?.message ?? 'is not valid'}`)
  }
  const { request } = body
  if (!areTextLists(request.userInfo.extra ?? {})) throw badReview('request.userInfo.extra must hold lists of texts')
  try {
    return { uid: request.uid, change: changeOf(request, snapshot), warnings: [] }
  } catch (error) {
    if (!(error instanceof InvalidField || error instanceof Unreadable)) throw error
    return { uid: request.uid, change: null, warnings: [warningText(`hitless did not check this object: ${error.message}`)] }
  }
}

function areTextLists(extra: Readonly<Record<string, unknown>>): boolean {
  return Object.values(extra).every((list) => Array.isArray(list) && list.every((text) => typeof text === 'string'))
}

function badReview(what: string): HitlessError {
  return new HitlessError('HITLESS_BAD_REVIEW', `${what}: expected an AdmissionReview of admission.k8s.io/v1`)
}

export function respond(uid: string, { verdict, message, warnings, auditAnnotations }: Decision): ReviewResponse {
  const denied = verdict === 'deny' ? { status: { code: 403, reason: 'Forbidden', message } } : {}
  const said = warnings.length > 0 ? { warnings } : {}
  const audit = Object.keys(auditAnnotations).length > 0 ? { auditAnnotations } : {}
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid, allowed: verdict !== 'deny', ...denied, ...said, ...audit }
  }
}

function changeOf(request: Envelope['request'], snapshot: Snapshot): Change | null {
  const { operation, subResource = '', dryRun, userInfo } = request
  if (operation === 'CONNECT') return null
  const objects = subResource === 'scale' ? scaled(request, snapshot) : subResource === '' ? written(request, snapshot) : null
  if (objects === null) return null
  const [before, after] = objects
  const object = after ?? before
  if (object === null) return null
  const ref: ObjectRef = { kind: object.kind, namespace: object.namespace, name: object.name }
  const author: Author = { ...userInfo, username: userInfo.username ?? '', groups: userInfo.groups ?? [], manager: managerOf(request) }
  return { operation: operation as Operation, ref, before, after, dryRun: dryRun === true, author }
}

/** `before` and `after` of an object of a judged kind. On DELETE the object is in oldObject alone, and of a deletecollection so is its name. */
function written(request: Envelope['request'], snapshot: Snapshot): [MeshObject | null, MeshObject | null] | null {
  const { operation, name } = request
  const kind = judgedKind(request.kind)
  if (kind === null) return null
  // Of a Namespace the API server says that it is in itself.
  const namespace = kindModule<Kind>(kind).api.namespaced ? request.namespace : ''
  const parse = (field: 'object' | 'oldObject') => {
    const raw = request[field]
    if (!isRecord(raw)) throw badReview(`request.${field} is missing in a review of ${operation}`)
    return parseAs(kind, raw, snapshot.settings.domain, { namespace, name })
  }
  const before = () => storedAlready(kind, { ...request, namespace }, snapshot) ?? parse('oldObject')
  return [operation === 'CREATE' ? null : before(), operation === 'DELETE' ? null : parse('object')]
}

/** The same state of the same object, which the watch has brought and parsed before. */
function storedAlready(
  kind: Kind,
  { oldObject, namespace = '' }: Pick<Envelope['request'], 'oldObject'> & { readonly namespace?: string | undefined },
  snapshot: Snapshot
): MeshObject | null {
  const metadata = isRecord(oldObject) ? oldObject['metadata'] : undefined
  if (!isRecord(metadata) || typeof metadata['name'] !== 'string') return null
  const { uid, resourceVersion } = metadata
  const known = snapshot.find(kind, namespace, metadata['name'])
  return known !== undefined && known.uid === uid && known.resourceVersion === resourceVersion ? known : null
}

function judgedKind({ group = '', version, kind }: Envelope['request']['kind']): Kind | null {
  const named = JUDGED_KINDS.find((each) => {
    const { api } = kindModule<Kind>(each)
    return (api.kind ?? each) === kind && api.group === group
  })
  if (named === undefined) return null
  const apiVersion = group === '' ? version : `${group}/${version}`
  if (kindOf(apiVersion, kind) === null) throw new Unreadable(`${kind} of ${apiVersion} is newer than this release`)
  return named
}

/** `deployments/scale` and its like: autoscaling/v1 Scale has only a name and a count. */
function scaled(
  { resource, object, oldObject, namespace = '', name = '' }: Envelope['request'],
  snapshot: Snapshot
): [Workload, Workload] | null {
  const kind = WORKLOAD_KINDS.find((each) => {
    const { group, plural } = kindModule(each).api
    return group === (resource.group ?? '') && plural === resource.resource
  })
  if (kind === undefined || !isRecord(object)) return null
  const replicas = replicasOf(object)
  const had = isRecord(oldObject) ? replicasOf(oldObject) : 1
  const known: Workload =
    snapshot.find<Workload['kind']>(kind, namespace, name) ??
    parseAs<Workload['kind']>(kind, { metadata: { namespace, name } }, snapshot.settings.domain)
  return [
    { ...known, replicas: had },
    { ...known, replicas }
  ]
}

function replicasOf(scale: Record<string, unknown>): number {
  const { spec } = scale
  // An absent count in a Scale is 0: the field has no default and omits empty values (k8s.io/api/autoscaling/v1 ScaleSpec).
  return isRecord(spec) && typeof spec['replicas'] === 'number' ? spec['replicas'] : 0
}

function managerOf({ object, oldObject, options }: Envelope['request']): string {
  if (isRecord(options) && typeof options['fieldManager'] === 'string') return options['fieldManager']
  const raw = isRecord(object) ? object : oldObject
  const metadata = isRecord(raw) ? raw['metadata'] : undefined
  const entries = isRecord(metadata) && Array.isArray(metadata['managedFields']) ? metadata['managedFields'].filter(isRecord) : []
  let newest: { readonly time: string; readonly manager: string } = { time: '', manager: '' }
  for (const { manager, time = '', subresource } of entries) {
    // Controllers write status all the time; that is not who writes the object.
    if (subresource === 'status' || typeof manager !== 'string' || typeof time !== 'string') continue
    if (time >= newest.time) newest = { time, manager }
  }
  return newest.manager
}
