/** A write that hitless must refuse, made to see the refusal arrive: through the API server, the Service and TLS, from a Pod. */
import { randomUUID } from 'node:crypto'
import { ApiError, type Connection } from './connection.ts'

/** RBAC allows the creation of this name alone. It is never stored: the write is a dry run. */
const NAME = 'hitless-probe'

/** Null where it was refused as it must be; else what happened instead. `label` is how hitless knows such a write. */
export async function prove(connection: Connection, label: string, signal: AbortSignal): Promise<string | null> {
  const path = `/api/v1/namespaces/${await connection.namespace()}/configmaps/${NAME}`
  const id = randomUUID()
  const probe = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: NAME, labels: { [label]: id } } }
  try {
    await connection.apply(path, probe, { fieldManager: 'hitless', force: true, dryRun: 'All' }, signal)
    return 'the API server did not ask hitless about a write that hitless refuses'
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return error.status === 403 && error.message.includes(id) ? null : error.message
  }
}
