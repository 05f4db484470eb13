/** Conformance worlds: manifests, and what Istio's own code makes of them, one line of JSON each (test/conformance/README.md). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HitlessError } from '../../src/errors.ts'
import { refusalOf } from '../../src/kinds/index.ts'
import { readManifestText } from '../../src/manifests/manifests.ts'
import type { Context } from '../../src/mesh/routing/table.ts'
import { type ContextJson, routesJson } from '../../src/output/route-json.ts'
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
  const { sandbox, rejected } = sandboxOf(directory, expected.case)
  const contexts = expected.contexts.map(({ kind, namespace, labels }): Context => ({ kind, namespace, labels }))
  return { case: expected.case, rejected, ...routesJson(sandbox.snapshot(), contexts) }
}

interface Rejected {
  /** '' of what the schema refuses (2.3), which never becomes an object. */
  readonly object: string
  readonly error: string
}

/** A world as Istio would have it: without what its webhook or the schema refuses. */
export function sandboxOf(directory: string, name: string): { sandbox: Sandbox; rejected: readonly Rejected[] } {
  const sandbox = new Sandbox()
  const rejected: Rejected[] = []
  for (const manifest of readManifestText(readFileSync(join(directory, `${name}.yaml`), 'utf8'), name)) {
    if (manifest instanceof HitlessError) {
      rejected.push({ object: '', error: manifest.message })
      continue
    }
    const { object, raw } = manifest
    if (object === null) {
      if (String(raw['apiVersion']).startsWith('networking.istio.io/')) rejected.push({ object: '', error: 'no such kind or version' })
      continue
    }
    const error = refusalOf(raw)
    if (error === null) sandbox.load(object)
    else rejected.push({ object: `${object.kind} ${object.namespace}/${object.name}`, error })
  }
  return { sandbox, rejected }
}
