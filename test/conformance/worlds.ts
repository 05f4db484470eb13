/** Conformance worlds: manifests, and what Istio's own code makes of them, one line of JSON each (conformance/README.md). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readManifestText } from '../../src/cli/manifests.ts'
import { type ContextJson, routesJson } from '../../src/cli/routes.ts'
import { HitlessError } from '../../src/errors.ts'
import type { Context } from '../../src/mesh/table.ts'
import { rejects } from '../../src/mesh/validation.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'

export interface Line {
  readonly case: string
  readonly rejected: readonly { readonly object: string }[]
  readonly contexts: readonly ContextJson[]
}

export function readLines(file: string): Line[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** Our own line for a world, for the contexts that the expected one names. */
export function ourLine(directory: string, expected: Line): Line {
  const sandbox = new Sandbox()
  const rejected: { object: string; error: string }[] = []
  for (const manifest of readManifestText(readFileSync(join(directory, `${expected.case}.yaml`), 'utf8'), expected.case)) {
    if (manifest instanceof HitlessError) {
      rejected.push({ object: '', error: manifest.message }) // what the CRD's schema refuses names no object here (2.3)
      continue
    }
    const { object, raw } = manifest
    if (object === null) {
      // A version that the CRD does not serve (2.3).
      if (String(raw['apiVersion']).startsWith('networking.istio.io/')) rejected.push({ object: '', error: 'no such kind' })
      continue
    }
    const error = rejects(object)
    if (error === null) sandbox.load(object)
    else rejected.push({ object: `${object.kind} ${object.namespace}/${object.name}`, error })
  }
  const contexts = expected.contexts.map(({ kind, namespace, labels }): Context => ({ kind, namespace, labels }))
  return { case: expected.case, rejected, ...routesJson(sandbox.snapshot(), contexts) }
}
