/** A state from manifests, as Istio would come to know it: what its own webhook refuses never got there. */
import type { HitlessError } from '../errors.ts'
import { formatRef } from '../mesh/objects.ts'
import type { Snapshot } from '../mesh/snapshot.ts'
import { rejects } from '../mesh/validation.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import type { Io } from './io.ts'
import { readManifests } from './manifests.ts'

/** Reads the paths; says on standard error what could not be read, and what is left out because Istio refuses it (2.4). */
export function stateOf(paths: readonly string[], io: Io): { snapshot: Snapshot; errors: readonly HitlessError[] } {
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
