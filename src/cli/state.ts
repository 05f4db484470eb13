/** The state that a command looks at: a live cluster, or manifests as Istio would come to know them. */
import { HitlessError } from '../errors.ts'
import { formatRef } from '../mesh/objects.ts'
import type { Snapshot } from '../mesh/snapshot.ts'
import { rejects } from '../mesh/validation.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import { type ClusterFlags, clusterState, sourceOf } from './cluster-state.ts'
import type { Io } from './io.ts'
import { readManifests } from './manifests.ts'

export interface LookedAt {
  readonly snapshot: Snapshot
  readonly errors: readonly HitlessError[]
}

/** A cluster or paths, one of the two; throws HITLESS_USAGE for both or neither. */
export async function stateOf(paths: readonly string[], flags: ClusterFlags, io: Io): Promise<LookedAt> {
  if (flags.cluster === paths.length > 0) throw new HitlessError('HITLESS_USAGE', 'name either files or --cluster')
  return flags.cluster ? { snapshot: await clusterState(sourceOf(flags), io), errors: [] } : stateOfPaths(paths, io)
}

/** Reads the paths; says on standard error what could not be read, and what is left out because Istio's own webhook refuses it (2.4). */
function stateOfPaths(paths: readonly string[], io: Io): LookedAt {
  const { manifests, errors } = readManifests(paths, io.stdin)
  for (const { code, message } of errors) io.err(`${message} [${code}]\n`)
  const sandbox = new Sandbox()
  for (const { object, file, position } of manifests) {
    if (object === null) continue
    const refused = rejects(object)
    if (refused === null) sandbox.load(object)
    else io.err(`${file}:${position([]).line}: ${formatRef(object)} is left out, since Istio refuses it: ${refused}\n`)
  }
  return { snapshot: sandbox.snapshot(), errors }
}
