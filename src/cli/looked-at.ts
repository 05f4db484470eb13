/** The state that a command looks at: a live cluster, or manifests as Istio would come to know them. */
import { HitlessError } from '../errors.ts'
import { type ObjectRef, refKey } from '../kinds/index.ts'
import { acceptedByIstio, type Manifest, nothingIn, type Place, placeIn, readManifests } from '../manifests/manifests.ts'
import type { Path } from '../mesh/names/path.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { type Io, printErrors } from '../output/io.ts'
import { isJudged, printUnread } from '../output/unread.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import type { Unknown } from '../sandbox/unknowns.ts'
import { type ClusterFlags, clusterState, sourceOf } from './cluster-source.ts'
import { filesShow } from './not-known.ts'

export interface LookedAt {
  readonly snapshot: Snapshot
  /** Where a field was written; null for an object that stands in no file. */
  readonly placeOf: (ref: ObjectRef, path: Path) => Place | null
  readonly errors: readonly HitlessError[]
  /** Hosts that the files show only in part. */
  readonly unknowns: readonly Unknown[]
}

interface LookFlags extends ClusterFlags {
  readonly namespace?: string
  /** Pods stand in for workloads that no file holds: for whoever judges, and does not count. */
  readonly standInPods?: boolean
}

/** A cluster or paths, one of the two; throws HITLESS_USAGE for both or neither. */
export async function stateOf(paths: readonly string[], flags: LookFlags, io: Io): Promise<LookedAt> {
  if (flags.cluster === paths.length > 0) throw new HitlessError('HITLESS_USAGE', 'name either files or --cluster')
  return flags.cluster
    ? { snapshot: await clusterState(sourceOf(flags, io.env), io), placeOf: () => null, errors: [], unknowns: [] }
    : stateOfPaths(paths, flags, io)
}

/** Reads the paths; says on standard error what could not be read, and what is left out because Istio's own webhook refuses it (2.4). */
function stateOfPaths(paths: readonly string[], flags: LookFlags, io: Io): LookedAt {
  const { standInPods = false } = flags
  const read = acceptedByIstio(readManifests(paths, io.stdin, flags))
  const { manifests } = read
  const errors = [...read.errors, ...nothingIn(paths, read)]
  printErrors(errors, io)
  printUnread(read, io, standInPods ? isJudged : ({ object }) => object !== null)
  const shown = filesShow(read)
  const sandbox = new Sandbox(shown.settings)
  for (const object of shown.objects) if (object.kind !== 'Pod' || standInPods) sandbox.load(object)
  for (const { object } of manifests) if (object !== null) sandbox.load(object)
  return {
    snapshot: sandbox.snapshot(),
    placeOf: placesIn(manifests),
    errors,
    unknowns: shown.unknowns.filter(({ missing }) => missing !== 'workload' || standInPods)
  }
}

/** Where the objects of manifests were written; `otherwise` tells of all others. Of two of one name the last counts. */
export function placesIn(manifests: readonly Manifest[], otherwise: LookedAt['placeOf'] = () => null): LookedAt['placeOf'] {
  const written = new Map(manifests.flatMap((manifest) => (manifest.object === null ? [] : [[refKey(manifest.object), manifest] as const])))
  return (ref, path) => {
    const manifest = written.get(refKey(ref))
    return manifest === undefined ? otherwise(ref, path) : placeIn(manifest, path)
  }
}
