/** Writes as kube-apiserver makes them: read, patched, asked of every webhook at once, then stored if the object is still what was read. */

import type { Random } from '../random.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import { type Asked, type Attempt, reviewBody } from './attempt.ts'
import { notFound } from './reads.ts'
import { type Answer, type ApiRequest, failure, type Place, qualified } from './request.ts'
import type { Manifest, Store } from './store.ts'

/** kube-apiserver applies a patch anew to what it meets, five times. */
const MOST_TRIES = 6

export interface Webhook {
  readonly name: string
  isAsked(asked: Asked): boolean
  /** The refusal's message, null for none; rejects where there is no answer. The signal ends when the client has gone. */
  ask(attempt: Attempt, random: Random, signal: AbortSignal): Promise<string | null>
}

export interface Witness {
  /** In the same turn as the commit, before it. */
  committing(attempt: Attempt): void
  /** After the commit, with its revision. */
  committed(attempt: Attempt, revision: number): void
  /** Hitless has refused. */
  refused(attempt: Attempt): void
}

export interface Client {
  readonly user: string
  readonly random: Random
  /** Ends when the client leaves. */
  readonly signal: AbortSignal
}

export interface WritesOptions {
  readonly store: Store
  readonly clock: VirtualClock
  readonly webhooks: readonly Webhook[]
  readonly witness: Witness
  /** A transaction of etcd takes up to so long. */
  readonly storeMs: number
  /** How many objects of a kind each namespace may have, asked after the webhooks, as a ResourceQuota. */
  readonly quota: (kind: string) => number
}

export const LEFT: Answer = failure(499, 'ClientLeft', 'the client has left')

export class Writes {
  readonly #options: WritesOptions
  #attempts = 0

  constructor(options: WritesOptions) {
    this.#options = options
  }

  async write(request: ApiRequest, place: Place, client: Client): Promise<Answer> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const asked = this.#asked(request, place, client)
      if ('status' in asked) return asked
      const id = `review-${++this.#attempts}`
      const attempt: Attempt = { ...asked, id, body: reviewBody(id, asked), revision: this.#options.store.revision, review: null }
      const refusal = await this.#admit(attempt, client)
      if (refusal !== null) return refusal
      const done = await this.#store(attempt, client)
      if (done !== null) return done
      if (isConditional(request)) return conflict(place)
    }
    return conflict(place)
  }

  #asked(request: ApiRequest, place: Place, { user }: Client): Asked | Answer {
    const { store } = this.#options
    const { kind, namespace, subresource, query } = place
    const dryRun = query.get('dryRun') === 'All'
    const name = place.name ?? (request.body as Manifest | undefined)?.metadata.name ?? ''
    const before = store.find(kind, namespace ?? '', name)
    if (request.method === 'POST') return this.#creation(request.body as Manifest, place, before, { kind, subresource, user, dryRun })
    if (before === null) return notFound(kind, name)
    if (request.method === 'DELETE') return { kind, operation: 'DELETE', subresource, before, after: null, user, dryRun }
    if (isConditional(request) && versionIn(request.body) !== before.metadata.resourceVersion) return conflict(place)
    const after = request.method === 'PUT' ? replaced(before, request.body as Manifest) : patched(before, request.body)
    return { kind, operation: 'UPDATE', subresource, before, after, user, dryRun }
  }

  #creation(
    object: Manifest,
    { kind, namespace }: Place,
    before: Manifest | null,
    rest: Pick<Asked, 'kind' | 'subresource' | 'user' | 'dryRun'>
  ): Asked | Answer {
    const { store } = this.#options
    const home = namespace === null ? null : store.find('Namespace', '', namespace)
    if (namespace !== null && home === null) return notFound('Namespace', namespace)
    if (home?.metadata.deletionTimestamp !== undefined) {
      return failure(
        403,
        'Forbidden',
        `${qualified(kind, object.metadata.name)} is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`
      )
    }
    if (before !== null) return exists(kind, before.metadata.name)
    const after = store.born(kind, namespace === null ? object : { ...object, metadata: { ...object.metadata, namespace } })
    return { operation: 'CREATE', before: null, after, ...rest }
  }

  /** Null where nobody refuses. */
  async #admit(attempt: Attempt, { random, signal }: Client): Promise<Answer | null> {
    const { webhooks, witness } = this.#options
    const called = webhooks.filter((webhook) => webhook.isAsked(attempt))
    // All are heard, and of several refusals the one that came first is shown.
    const refusals: Answer[] = []
    const hear = async (webhook: Webhook) => {
      const { name } = webhook
      const refusal = await webhook.ask(attempt, random, signal).then(
        (said) => (said === null ? null : failure(403, 'Forbidden', `admission webhook "${name}" denied the request: ${said}`)),
        (error: Error) => failure(500, 'InternalError', `failed calling webhook "${name}": ${error.message}`)
      )
      if (refusal !== null) refusals.push(refusal)
    }
    await Promise.all(called.map(hear))
    if (attempt.review?.decision.verdict === 'deny') witness.refused(attempt)
    if (signal.aborted) return LEFT
    return refusals[0] ?? this.#overQuota(attempt)
  }

  #overQuota({ kind, operation, after }: Asked): Answer | null {
    const { quota, store } = this.#options
    const { namespace = null, name = '' } = after?.metadata ?? {}
    if (operation !== 'CREATE' || store.list(kind, namespace).length < quota(kind)) return null
    return failure(403, 'Forbidden', `${qualified(kind, name)} is forbidden: exceeded quota`)
  }

  /** Null where the object is no longer what it was when it was read. */
  async #store(attempt: Attempt, { random, user }: Client): Promise<Answer | null> {
    const { clock, store, storeMs, witness } = this.#options
    const { kind, operation, before, after, dryRun } = attempt
    const object = after ?? before
    if (object === null) throw new Error('a write without an object')
    const { namespace = '', name } = object.metadata
    await clock.sleep(storeMs * random())
    const stored = store.find(kind, namespace, name)
    if (operation === 'CREATE' && stored !== null) return exists(kind, name)
    if (operation !== 'CREATE' && stored === null) return notFound(kind, name)
    if (stored !== before) return null
    if (dryRun || (operation === 'UPDATE' && JSON.stringify(before) === JSON.stringify(after))) return done(object)
    witness.committing(attempt)
    const made =
      operation === 'CREATE'
        ? store.create(kind, object, user)
        : operation === 'UPDATE'
          ? store.update(kind, object, user)
          : this.#remove(kind, object, user)
    witness.committed(attempt, store.revision)
    return done(made, operation === 'CREATE' ? 201 : 200)
  }

  /** A namespace goes once it is empty. */
  #remove(kind: Attempt['kind'], object: Manifest, user: string): Manifest {
    const { store } = this.#options
    if (kind !== 'Namespace') return store.delete(kind, object, user)
    const metadata = { ...object.metadata, deletionTimestamp: store.timestamp() }
    return store.update(kind, { ...object, metadata, status: { phase: 'Terminating' } }, user)
  }
}

function done(body: Manifest, status = 200): Answer {
  return { status, body, warnings: [] }
}

function isConditional({ body }: ApiRequest): boolean {
  return versionIn(body) !== undefined
}

function versionIn(body: unknown): string | undefined {
  return (body as Partial<Manifest> | undefined)?.metadata?.resourceVersion
}

function exists(kind: Attempt['kind'], name: string): Answer {
  return failure(409, 'AlreadyExists', `${qualified(kind, name)} already exists`)
}

function conflict({ kind, name }: Place): Answer {
  const text = 'the object has been modified; please apply your changes to the latest version and try again'
  return failure(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(kind, name ?? '')}: ${text}`)
}

/** What the server alone decides stays as it was. */
function replaced(before: Manifest, body: Manifest): Manifest {
  const { uid, creationTimestamp, resourceVersion, namespace, name } = before.metadata
  return { ...before, ...body, metadata: { ...body.metadata, ...defined({ uid, creationTimestamp, resourceVersion, namespace }), name } }
}

function patched(before: Manifest, patch: unknown): Manifest {
  return replaced(before, merged(before, patch) as Manifest)
}

function defined(fields: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result = new Map(Object.entries(isObject(target) ? target : {}))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, merged(result.get(key), value))
  }
  return Object.fromEntries(result)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
