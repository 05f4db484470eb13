/** Where the objects of a kind are: the newest version of its API that the cluster serves, and the paths under it. */

import { Fields } from '../kinds/fields.ts'
import { type Kind, kindModule, type ObjectRef } from '../kinds/index.ts'
import { type Connection, type Query, TooLong } from './connection.ts'

/** Items of one request: 500 Pods are about 2 MB, parsed in some 10 ms. client-go's pages are as long. */
const PAGE = 500

const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json'

export interface Page {
  readonly items: readonly unknown[]
  readonly resourceVersion: string
}

export class Resources {
  readonly #connection: Connection
  readonly #versions = new Map<Kind, string>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** The path of all objects of a kind, or null where the cluster serves none of its versions. */
  async path(kind: Kind, signal: AbortSignal): Promise<string | null> {
    const root = await this.#root(kind, signal)
    return root === null ? null : `${root}/${kindModule(kind).api.plural}`
  }

  async pathIn(kind: Kind, namespace: string, signal: AbortSignal): Promise<string | null> {
    if (!kindModule(kind).api.namespaced) return this.path(kind, signal)
    const root = await this.#root(kind, signal)
    return root === null ? null : `${root}/namespaces/${encodeURIComponent(namespace)}/${kindModule(kind).api.plural}`
  }

  async pathOf({ kind, namespace, name }: ObjectRef, signal: AbortSignal): Promise<string | null> {
    const path = await this.pathIn(kind, namespace, signal)
    return path === null ? null : `${path}/${encodeURIComponent(name)}`
  }

  /** The path no longer holds: the next question asks the cluster again. */
  forget(kind: Kind): void {
    this.#versions.delete(kind)
  }

  async #root(kind: Kind, signal: AbortSignal): Promise<string | null> {
    for (const version of this.#versions.has(kind) ? [] : kindModule(kind).api.versions) {
      if (await this.#serves(kind, version, signal)) {
        this.#versions.set(kind, version)
        break
      }
    }
    const version = this.#versions.get(kind)
    return version === undefined ? null : rootOf(kind, version)
  }

  async #serves(kind: Kind, version: string, signal: AbortSignal): Promise<boolean> {
    // A server that has just started says 503 until all of its paths are there, so that 404 can be believed.
    const found = await this.#connection.find(rootOf(kind, version), signal)
    return found !== null && new Fields(found).children('resources').some((each) => each.string('name') === kindModule(kind).api.plural)
  }
}

function rootOf(kind: Kind, version: string): string {
  const { group } = kindModule(kind).api
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`
}

/** The pages of a consistent list: no resourceVersion is given, so that the answer holds all that was written before (KEP-2340). */
export async function* pages(connection: Connection, path: string, query: Query, signal: AbortSignal): AsyncGenerator<Page> {
  yield* readPages((more) => connection.json(path, { ...query, ...more }, signal))
}

/** The same list with nothing but the metadata of each object. */
export async function* metadataPages(connection: Connection, path: string, query: Query, signal: AbortSignal): AsyncGenerator<Page> {
  yield* readPages((more) => connection.json(path, { ...query, ...more }, signal, METADATA_ONLY))
}

async function* readPages(get: (more: Query) => Promise<unknown>): AsyncGenerator<Page> {
  let next = ''
  let limit = PAGE
  do {
    const answer = await get({ limit, ...(next === '' ? {} : { continue: next }) }).catch((error: unknown) => {
      if (!(error instanceof TooLong) || limit === 1) throw error
      return null
    })
    limit = answer === null ? Math.ceil(limit / 8) : limit
    if (answer === null) continue
    const list = new Fields(answer)
    const metadata = list.child('metadata')
    yield { items: list.list('items'), resourceVersion: metadata?.string('resourceVersion') ?? '' }
    next = metadata?.string('continue') ?? ''
    if (next === '') return
  } while (true)
}
