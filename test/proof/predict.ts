/** What hitless' own model says of a write before it is made: which share of which requests would go unserved. */

import { isWorkload, type MeshObject, parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { serve } from '../../src/mesh/requests/serve.ts'
import type { Context } from '../../src/mesh/routing/table.ts'
import type { Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import { snapshotsOf } from '../../src/review/judgement.ts'
import { CLIENTS, INGRESS, INGRESS_LABELS, PORTS } from './addresses.ts'
import type { LoadClass } from './load.ts'
import { must, pathOf } from './objects.ts'
import type { Rig } from './rig.ts'
import type { WriteStep } from './scripts.ts'

/** Of the requests of a class so large a share would get that status, and the rest an answer. */
export interface Prediction {
  readonly loadClass: LoadClass
  readonly share: number
  readonly status: number
}

/** One for each class of which something can be known; null for a write that brings Pods, whose effect is not its own but that of the Pods, once they are Ready. */
export async function predict(rig: Rig, host: string, classes: readonly LoadClass[], step: WriteStep): Promise<Prediction[] | null> {
  if (bringsPods(step)) return null
  const { before, after } = await objects(rig, step)
  const ref = after ?? before
  if (ref === null) return null
  const operation = before === null ? 'CREATE' : after === null ? 'DELETE' : 'UPDATE'
  const author = { username: 'proof', groups: [], manager: 'release' }
  const change = { operation, ref, before, after, dryRun: false, author } as const
  const snapshot = snapshotsOf(change, rig.state.snapshot()).after
  return classes.flatMap((loadClass) => {
    const found = unserved(snapshot, host, loadClass)
    return found === null ? [] : [{ loadClass, ...found }]
  })
}

function bringsPods({ do: what, object }: WriteStep): boolean {
  return what === 'apply' && (object.kind === 'Deployment' || object.kind === 'ReplicaSet')
}

/** null where nobody can know. */
function unserved(snapshot: Snapshot, host: string, loadClass: LoadClass): Pick<Prediction, 'share' | 'status'> | null {
  const { proxy, path = '/', headers = {} } = loadClass
  const request = { kind: 'http', method: 'GET', path, headers: new Map(Object.entries(headers)), query: new Map(), sni: null } as const
  const { unserved: share, status } = serve(snapshot, contextOf(loadClass), host, PORTS[proxy], request)
  return share === null ? null : { share, status: typeof status === 'number' ? status : (STATUSES[status] ?? 0) }
}

/** What Envoy answers where no route is asked; of all others the connection breaks. */
const STATUSES: Readonly<Record<string, number>> = { blocked: 502 }

function contextOf({ proxy }: LoadClass): Context {
  if (proxy === 'sidecar') return { kind: 'mesh', namespace: CLIENTS, labels: {} }
  return { kind: 'gateway', namespace: INGRESS, labels: INGRESS_LABELS }
}

/** As they are stored, and as they would be stored: the API server says by a dry run. */
async function objects({ plane: { api } }: Rig, step: WriteStep): Promise<{ before: MeshObject | null; after: MeshObject | null }> {
  const path = pathOf(step.object)
  const stored = await api.request('GET', path)
  const before = stored.status === 404 ? null : parseObject(stored.body, DEFAULT_DOMAIN)
  if (step.do === 'delete') return { before, after: null }
  if (step.do === 'scale') return { before, after: before !== null && isWorkload(before) ? { ...before, replicas: step.replicas } : null }
  const options = { body: step.object, contentType: 'application/apply-patch+yaml' }
  const after = await must(api.request('PATCH', `${path}?dryRun=All&fieldManager=release&force=true`, options))
  return { before, after: parseObject(after, DEFAULT_DOMAIN) }
}
