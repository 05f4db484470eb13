/** Objects as the API server stores them, read and written one by one as whoever the credentials are of. */
import { isRecord } from '../kinds/fields.ts'
import { kindModule, type ObjectRef } from '../kinds/index.ts'
import type { Connection } from './connection.ts'

export type Stored = Readonly<Record<string, unknown>>

const FIELD_MANAGER = 'hitless'

interface WriteOptions {
  /** The API server asks everybody it would ask, and stores nothing. */
  readonly dryRun: boolean
}

/** Each method rejects with `ApiError` where the server refuses. A manifest is written by the version that it names. */
export class Objects {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** null where there is none of that name, or no such kind. */
  async read(ref: ObjectRef, apiVersion: string, signal: AbortSignal): Promise<Stored | null> {
    const found = await this.#connection.find(pathOf(ref, apiVersion), signal)
    return isRecord(found) ? found : null
  }

  /** Gives the object as it is stored then. Rejects with status 409 where it has been created in the meantime. */
  async create(ref: ObjectRef, manifest: Stored, { dryRun }: WriteOptions, signal: AbortSignal): Promise<Stored> {
    const path = pathOf(ref, String(manifest['apiVersion']))
    return this.#write('POST', path.slice(0, path.lastIndexOf('/')), manifest, dryRun, signal)
  }

  /**
   * Makes of a stored object what the manifest says. What the manifest does not speak of and others look after is kept: labels, annotations, finalizers
   * and owners, and the number of replicas. Rejects with status 409 where the stored one is another by now.
   */
  async replace(ref: ObjectRef, manifest: Stored, stored: Stored, { dryRun }: WriteOptions, signal: AbortSignal): Promise<Stored> {
    return this.#write('PUT', pathOf(ref, String(manifest['apiVersion'])), laidOver(stored, manifest), dryRun, signal)
  }

  /** Rejects with status 409 where another object has the name by now. */
  async delete(ref: ObjectRef, stored: Stored, { dryRun }: WriteOptions, signal: AbortSignal): Promise<void> {
    const { uid } = metadataOf(stored)
    const options = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, ...(dryRun ? { dryRun: ['All'] } : {}) }
    await this.#connection.send('DELETE', pathOf(ref, String(stored['apiVersion'])), options, signal)
  }

  async #write(method: 'POST' | 'PUT', path: string, body: Stored, dryRun: boolean, signal: AbortSignal): Promise<Stored> {
    const query = { fieldManager: FIELD_MANAGER, ...(dryRun ? { dryRun: 'All' } : {}) }
    const stored = await this.#connection.send(method, path, body, signal, query)
    return isRecord(stored) ? stored : {}
  }
}

function laidOver(stored: Stored, manifest: Stored): Stored {
  const { managedFields: _, ...known } = metadataOf(stored)
  const { resourceVersion: _r, uid: _u, ...wanted } = metadataOf(manifest)
  const kept = (field: string) => ({ [field]: { ...recordIn(known, field), ...recordIn(wanted, field) } })
  const spec = manifest['spec']
  const { replicas } = recordIn(stored, 'spec')
  const scaled = isRecord(spec) && !Object.hasOwn(spec, 'replicas') && replicas !== undefined ? { spec: { ...spec, replicas } } : {}
  return { ...manifest, ...scaled, metadata: { ...known, ...wanted, ...kept('labels'), ...kept('annotations') } }
}

function metadataOf(object: Stored): Stored {
  return recordIn(object, 'metadata')
}

function recordIn(object: Stored, field: string): Stored {
  const value = object[field]
  return isRecord(value) ? value : {}
}

function pathOf({ kind, namespace, name }: ObjectRef, apiVersion: string): string {
  const { plural, namespaced } = kindModule(kind).api
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const within = namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${root}${within}/${plural}/${encodeURIComponent(name)}`
}
