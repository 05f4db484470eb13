/** One Secret of this namespace, by name, as texts. */
import { isRecord } from '../kinds/fields.ts'
import { ApiError, type Connection } from './connection.ts'

export class NamedSecret {
  readonly #connection: Connection
  readonly #name: string
  readonly #identity: string
  /** As it was read last: what is written keeps its labels and whatever else is not ours. */
  #read: Readonly<Record<string, unknown>> = {}

  /** `identity` is this replica's, unlike any other's. */
  constructor(connection: Connection, name: string, identity: string) {
    this.#connection = connection
    this.#name = name
    this.#identity = identity
  }

  async read(signal: AbortSignal): Promise<{ data: Record<string, string>; version: string } | null> {
    const secret = await this.#connection.find(await this.#path(), signal)
    if (secret === null) return null
    if (!isRecord(secret) || !isRecord(secret['metadata'])) throw new Error(`the Secret ${this.#name} cannot be read`)
    this.#read = secret
    const data = isRecord(secret['data']) ? secret['data'] : {}
    return { data: decoded(data), version: String(secret['metadata']['resourceVersion']) }
  }

  /** Replaces what was read as `version`, or creates it where that is null. False where it is no longer so. */
  async write(texts: Readonly<Record<string, string>>, version: string | null, signal: AbortSignal): Promise<boolean> {
    const path = await this.#path()
    const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
    try {
      if (version === null) await this.#create(path, data, signal)
      else await this.#connection.send('PUT', path, { ...this.#read, data }, signal)
      return true
    } catch (error) {
      // 404: it was deleted meanwhile.
      if (error instanceof ApiError && (error.status === 409 || error.status === 404)) return false
      throw error
    }
  }

  /**
   * By apply and not by POST, so that RBAC can allow the creation of this name alone. What another replica created just before is a
   * conflict, since nothing is forced and each replica is a field manager of its own here.
   */
  async #create(path: string, data: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: this.#name }, type: 'Opaque', data }
    await this.#connection.apply(path, secret, { fieldManager: `hitless-${this.#identity}` }, signal)
  }

  async #path(): Promise<string> {
    return `/api/v1/namespaces/${await this.#connection.namespace()}/secrets/${this.#name}`
  }
}

function decoded(data: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(String(value), 'base64').toString('utf8')]))
}
