/**
 * Objects written straight into etcd, as an API server would have stored them: a hundred thousand through the API would take minutes, and
 * what is measured is the reading. Core kinds are stored as JSON here, which the API server reads as well as its own protobuf.
 */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'undici'
import { kindModule, kindOf } from '../src/kinds/index.ts'
import type { Fields } from './worlds.ts'

/** etcd takes at most 128 operations in one transaction, and 1.5 MiB. */
const BATCH = 100
const WRITERS = 4

/** Resolves when all are stored. Objects that exist are replaced. */
export async function store(etcd: string, manifests: Iterable<Fields>): Promise<void> {
  const agent = new Agent({ connections: WRITERS })
  const batches = batched(manifests)
  const write = async () => {
    for (const batch of batches) await put(etcd, batch, agent)
  }
  await Promise.all(Array.from({ length: WRITERS }, write))
  await agent.close()
}

async function put(etcd: string, manifests: readonly Fields[], dispatcher: Agent): Promise<void> {
  const success = manifests.map((manifest) => ({ requestPut: { key: base64(keyOf(manifest)), value: base64(JSON.stringify(manifest)) } }))
  const { statusCode, body } = await request(`${etcd}/v3/kv/txn`, { dispatcher, method: 'POST', body: JSON.stringify({ success }) })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`etcd: ${statusCode} ${text}`)
}

function* batched(manifests: Iterable<Fields>): Generator<Fields[]> {
  let batch: Fields[] = []
  for (const manifest of manifests) {
    batch.push(manifest)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** `/registry/<resource>/<namespace>/<name>`; of custom resources the group stands before, and Services have a place of their own. */
function keyOf(manifest: Fields): string {
  const kind = kindOf(String(manifest['apiVersion']), String(manifest['kind']))
  if (kind === null) throw new Error(`${String(manifest['kind'])} is no kind of the model`)
  const { name, namespace } = manifest['metadata'] as { name: string; namespace?: string }
  const { plural, group } = kindModule(kind).api
  const resource = kind === 'Service' ? 'services/specs' : group.includes('.') ? `${group}/${plural}` : plural
  return `/registry/${resource}/${namespace === undefined ? '' : `${namespace}/`}${name}`
}

/** What an API server adds to every object that it stores. */
export function stored(manifest: Fields): Fields {
  const { resourceVersion: _, ...metadata } = manifest['metadata'] as Fields
  return { ...manifest, metadata: { ...metadata, uid: randomUUID(), creationTimestamp: '2026-11-01T08:00:00Z' } }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
