/** The two states of a plan: from files to files, or from what a cluster holds. */
import { isDeepStrictEqual } from 'node:util'
import { HitlessError } from '../errors.ts'
import { isRecord } from '../kinds/fields.ts'
import {
  decideAlike,
  formatRef,
  isWorkload,
  kindModule,
  type MeshObject,
  type ObjectRef,
  parseAs,
  refKey,
  storedOver
} from '../kinds/index.ts'
import type { Objects, Stored } from '../kubernetes/objects.ts'
import type { Manifest } from '../manifests/manifests.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Difference } from '../sandbox/planner.ts'
import { Sandbox } from '../sandbox/sandbox.ts'

/** What only the API server writes; it says nothing of what anybody wants. */
const OF_SERVER = ['creationTimestamp', 'generation', 'managedFields', 'resourceVersion', 'uid']

/** What differs between two sets of manifests, of which the last one of an object counts. */
export function differencesOf(from: readonly Manifest[], to: readonly Manifest[]): Difference[] {
  const [before, after] = [byKey(from), byKey(to)]
  return [...new Map([...before, ...after]).values()].flatMap(({ object }) => {
    if (object === null) return []
    const key = refKey(object)
    const difference = { ref: refOf(object), from: before.get(key)?.raw ?? null, to: after.get(key)?.raw ?? null }
    return isDeepStrictEqual(wanted(difference.from), wanted(difference.to)) ? [] : [difference]
  })
}

/** The last of several manifests of one object counts, as the last apply would. */
export function byKey(manifests: readonly Manifest[]): Map<string, Manifest> {
  return new Map(manifests.flatMap((manifest) => (manifest.object === null ? [] : [[refKey(manifest.object), manifest] as const])))
}

export interface ClusterStates {
  /** What the cluster holds, of the kinds too that are not followed. */
  readonly snapshot: Snapshot
  readonly differences: readonly Difference[]
  /** Every object of the two states as it is stored, by its key. */
  readonly stored: ReadonlyMap<string, Stored>
  /** Workloads that stay and have Pods which are not Ready. */
  readonly starting: readonly ObjectRef[]
}

/** From the cluster to manifests. What `former` holds, `to` has no more and the cluster still has is deleted, and nothing else is. */
export async function statesFrom(
  cluster: { readonly snapshot: Snapshot; readonly objects: Objects },
  former: readonly Manifest[],
  to: readonly Manifest[],
  signal: AbortSignal
): Promise<ClusterStates> {
  const [before, after] = [byKey(former), byKey(to)]
  const sandbox = Sandbox.of(cluster.snapshot)
  const differences: Difference[] = []
  const stored = new Map<string, Stored>()
  const starting: ObjectRef[] = []
  for (const [key, { object, raw }] of new Map([...before, ...after])) {
    if (object === null) continue
    const ref = refOf(object)
    const live = await readFrom(cluster.objects, ref, raw, signal)
    const target = after.get(key)?.raw ?? null
    if (live !== null) {
      stored.set(key, live)
      const parsed = parseAs(ref.kind, live, DEFAULT_DOMAIN)
      if (cluster.snapshot.find(ref.kind, ref.namespace, ref.name) === undefined) sandbox.load(parsed)
      if (target !== null && isWorkload(parsed) && (parsed.status?.readyReplicas ?? 0) < parsed.replicas) starting.push(ref)
    }
    if (live === null ? target === null : target !== null && isStoredAs(live, target, ref)) continue
    differences.push({ ref, from: wanted(live), to: target })
  }
  return { snapshot: sandbox.snapshot(), differences, stored, starting }
}

async function readFrom(objects: Objects, ref: ObjectRef, raw: Stored, signal: AbortSignal): Promise<Stored | null> {
  try {
    return await objects.read(ref, String(raw['apiVersion']), signal)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HitlessError('HITLESS_UNREACHABLE', `${formatRef(ref)} cannot be read: ${reason}`, { cause })
  }
}

/** What somebody wants of an object: without its status, and what the API server adds. */
export function wanted(raw: Stored | null): Stored | null {
  if (raw === null) return null
  const { status: _, metadata, ...rest } = raw
  const own = Object.entries(isRecord(metadata) ? metadata : {}).filter(([key]) => !OF_SERVER.includes(key))
  return { ...rest, metadata: Object.fromEntries(own) }
}

/**
 * Whether the stored object is what the manifest says. The API server fills in defaults, but not in Istio's kinds: there what is missing in the
 * manifest was taken away.
 */
function isStoredAs(live: Stored, manifest: Stored, { kind }: ObjectRef): boolean {
  const target = wanted(manifest)
  if (!covers(live, { ...target, apiVersion: live['apiVersion'] })) return false
  if (kindModule(kind).api.group.endsWith('istio.io')) return isDeepStrictEqual(live['spec'], manifest['spec'])
  const stored: MeshObject = parseAs(kind, live, DEFAULT_DOMAIN)
  return decideAlike(stored, storedOver(parseAs(kind, manifest, DEFAULT_DOMAIN), stored))
}

/** Everything that is wanted is there. A list is one value. */
function covers(there: unknown, asked: unknown): boolean {
  if (Array.isArray(asked)) {
    return Array.isArray(there) && there.length === asked.length && asked.every((item, at) => covers(there[at], item))
  }
  if (!isRecord(asked)) return isDeepStrictEqual(there, asked)
  return (
    isRecord(there) &&
    Object.entries(asked).every(([key, value]) => (value === null && !Object.hasOwn(there, key)) || covers(there[key], value))
  )
}

function refOf({ kind, namespace, name }: ObjectRef): ObjectRef {
  return { kind, namespace, name }
}
