/** What etcd holds: every object, every commit in its order, and the mesh that the objects make at any revision. */
import { InvalidField } from '../../src/kinds/fields.ts'
import { type Kind, kindModule, type MeshObject, parseAs } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { DEFAULT_SETTINGS } from '../../src/mesh/snapshot/settings.ts'
import { type Snapshot, World } from '../../src/mesh/snapshot/snapshot.ts'

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly [field: string]: unknown
}

export interface Manifest {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

export interface Commit {
  readonly revision: number
  readonly kind: Kind
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** Of a deletion the last state, with the revision of the deletion. */
  readonly object: Manifest
  readonly previous: Manifest | null
  /** As the model reads it; null where it cannot. */
  readonly parsed: MeshObject | null
  readonly by: string
}

export class Store {
  /** The mesh as it is. */
  readonly world = new World(DEFAULT_SETTINGS)
  readonly #commits: Commit[] = []
  readonly #objects = new Map<Kind, Map<string, Manifest>>()
  readonly #followers = new Set<(commit: Commit) => void>()
  readonly #now: () => string
  #serial = 0
  /** Commits up to here are forgotten: a watch cannot start there. */
  compacted = 0

  /** `now` gives an RFC 3339 time. */
  constructor(now: () => string) {
    this.#now = now
  }

  /** Of this moment, as the API writes it. */
  timestamp(): string {
    return this.#now()
  }

  get revision(): number {
    return this.#commits.length
  }

  find(kind: Kind, namespace: string, name: string): Manifest | null {
    return this.#objects.get(kind)?.get(`${namespace}/${name}`) ?? null
  }

  /** In the order of their names, as etcd's keys are. */
  list(kind: Kind, namespace: string | null): Manifest[] {
    const found = [...(this.#objects.get(kind)?.entries() ?? [])].filter(
      ([, { metadata }]) => namespace === null || metadata.namespace === namespace
    )
    return found.sort(([one], [other]) => (one < other ? -1 : 1)).map(([, object]) => object)
  }

  /** An object as the server completes it before it is reviewed. */
  born(kind: Kind, object: Manifest): Manifest {
    const { group, versions } = kindModule(kind).api
    const metadata = { ...object.metadata, uid: `uid-${++this.#serial}`, creationTimestamp: this.#now() }
    return { ...object, apiVersion: group === '' ? `${versions[0]}` : `${group}/${versions[0]}`, kind, metadata }
  }

  create(kind: Kind, born: Manifest, by: string): Manifest {
    return this.#commit(kind, 'ADDED', born, by)
  }

  update(kind: Kind, object: Manifest, by: string): Manifest {
    return this.#commit(kind, 'MODIFIED', object, by)
  }

  delete(kind: Kind, object: Manifest, by: string): Manifest {
    return this.#commit(kind, 'DELETED', object, by)
  }

  /** Told of each commit in its order and in the same turn; the returned function ends it. */
  follow(follower: (commit: Commit) => void): () => void {
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  /** The object that a write is about, as it was at a revision. */
  at(
    revision: number,
    { kind, before, after }: { readonly kind: Kind; readonly before: Manifest | null; readonly after: Manifest | null }
  ): Manifest | null {
    const { namespace, name } = (before ?? after)?.metadata ?? {}
    const last = this.#commits
      .slice(0, revision)
      .findLast(({ kind: each, object: { metadata } }) => each === kind && metadata.namespace === namespace && metadata.name === name)
    return last === undefined || last.type === 'DELETED' ? null : last.object
  }

  since(revision: number): readonly Commit[] {
    return this.#commits.slice(revision)
  }

  /** The mesh as it was at each of these revisions, the first and the last included; each is good until the next is asked for. */
  *history(first: number, last: number): Generator<{ readonly revision: number; readonly mesh: Snapshot }> {
    const world = new World(DEFAULT_SETTINGS)
    for (const commit of this.#commits.slice(0, first)) apply(world, commit)
    yield { revision: first, mesh: world }
    for (const commit of this.#commits.slice(first, last)) {
      apply(world, commit)
      yield { revision: commit.revision, mesh: world }
    }
  }

  #commit(kind: Kind, type: Commit['type'], written: Manifest, by: string): Manifest {
    const revision = this.revision + 1
    const object = { ...written, metadata: { ...written.metadata, resourceVersion: String(revision) } }
    const key = `${object.metadata.namespace ?? ''}/${object.metadata.name}`
    const objects = this.#objects.get(kind) ?? new Map<string, Manifest>()
    this.#objects.set(kind, objects)
    const commit: Commit = { revision, kind, type, object, previous: objects.get(key) ?? null, parsed: parsed(kind, object), by }
    if (type === 'DELETED') objects.delete(key)
    else objects.set(key, object)
    this.#commits.push(commit)
    apply(this.world, commit)
    for (const follower of this.#followers) follower(commit)
    return object
  }
}

function parsed(kind: Kind, object: Manifest): MeshObject | null {
  try {
    return parseAs(kind, object, DEFAULT_DOMAIN)
  } catch (error) {
    if (error instanceof InvalidField) return null
    throw error
  }
}

function apply(world: World, { kind, type, object, parsed }: Commit): void {
  const { namespace = '', name } = object.metadata
  if (type !== 'DELETED' && parsed !== null) world.set(parsed)
  else world.delete({ kind, namespace, name })
}
