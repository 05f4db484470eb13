/** What hitless' own model says of a write before it is made: which share of which requests would go unserved. */

import { type Condition, EVERY_REQUEST, type StringMatch } from '../../src/kinds/http-rule.ts'
import { type MeshObject, parseObject } from '../../src/kinds/index.ts'
import { gaps, type Target } from '../../src/mesh/gaps/gaps.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { matchesWhole } from '../../src/mesh/names/regex.ts'
import { classKey } from '../../src/mesh/requests/classes.ts'
import { routeTables } from '../../src/mesh/routing/routes.ts'
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
  readonly status: 0 | 200 | 404 | 500 | 502 | 503
}

/** One for each class; null for a write that brings Pods, whose effect is not its own but that of the Pods, once they are Ready. */
export async function predict(rig: Rig, host: string, classes: readonly LoadClass[], step: WriteStep): Promise<Prediction[] | null> {
  if (bringsPods(step)) return null
  const { before, after } = await objects(rig, step)
  const ref = after ?? before
  if (ref === null) return null
  const operation = before === null ? 'CREATE' : after === null ? 'DELETE' : 'UPDATE'
  const author = { username: 'proof', groups: [], manager: 'release' }
  const change = { operation, ref, before, after, dryRun: false, author } as const
  const snapshot = snapshotsOf(change, rig.state.snapshot()).after
  return classes.map((loadClass) => ({ loadClass, ...unserved(snapshot, host, loadClass) }))
}

function bringsPods({ do: what, object }: WriteStep): boolean {
  return what === 'apply' && (object.kind === 'Deployment' || object.kind === 'ReplicaSet')
}

function unserved(snapshot: Snapshot, host: string, loadClass: LoadClass): Pick<Prediction, 'share' | 'status'> {
  const context = contextOf(loadClass)
  const target: Target = { host, context, namespace: context.namespace }
  const port = PORTS[loadClass.proxy]
  const table = routeTables(snapshot, target.context, host).find((each) => each.port === port)
  if (table === undefined) return { share: 1, status: 404 }
  const taker = table.routes.find((route) => meets(loadClass, route.condition))
  // Whatever its condition says: one class for all that take everything.
  const condition = taker === undefined || taker.matchesAll ? EVERY_REQUEST : taker.condition
  const failing = gaps(snapshot, [target]).filter((gap) => gap.port === port && classKey(gap.requestClass) === classKey(condition))
  return { share: failing.reduce((sum, { share }) => sum + share, 0), status: failing[0]?.status ?? 200 }
}

function contextOf({ proxy }: LoadClass): Target['context'] {
  if (proxy === 'sidecar') return { kind: 'mesh', namespace: CLIENTS, labels: {} }
  return { kind: 'gateway', namespace: INGRESS, labels: INGRESS_LABELS }
}

/** As they are stored, and as they would be stored: the API server says by a dry run. */
async function objects({ plane: { api } }: Rig, step: WriteStep): Promise<{ before: MeshObject | null; after: MeshObject | null }> {
  const path = pathOf(step.object)
  const stored = await api.request('GET', path)
  const before = stored.status === 404 ? null : parseObject(stored.body, DEFAULT_DOMAIN)
  if (step.do === 'delete') return { before, after: null }
  if (step.do === 'scale') return { before, after: before?.kind === 'Deployment' ? { ...before, replicas: step.replicas } : null }
  const options = { body: step.object, contentType: 'application/apply-patch+yaml' }
  const after = await must(api.request('PATCH', `${path}?dryRun=All&fieldManager=release&force=true`, options))
  return { before, after: parseObject(after, DEFAULT_DOMAIN) }
}

function meets({ path = '/', headers = {} }: LoadClass, { uri, headers: conditions }: Condition): boolean {
  if (uri !== null && !matches(uri, path)) return false
  return Object.entries(conditions).every(([name, match]) => headers[name] !== undefined && matches(match, headers[name]))
}

function matches(match: StringMatch, value: string): boolean {
  switch (match.type) {
    case 'present':
      return true
    case 'exact':
      return match.value === value
    case 'prefix':
      return value.startsWith(match.value)
    case 'elements':
      return value === match.value || value.startsWith(`${match.value}/`)
    case 'regex':
      return matchesWhole(match.value, value)
  }
}
