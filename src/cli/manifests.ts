/** Manifests from files, folders and standard input, each with the place where it was written. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { HitlessError } from '../errors.ts'
import { InvalidField, isRecord } from '../mesh/fields.ts'
import type { MeshObject, Path } from '../mesh/objects.ts'
import { isManifest, parseObject } from '../mesh/parse.ts'
import { type Position, readYaml } from './yaml.ts'

export interface Manifest {
  readonly raw: Record<string, unknown>
  /** The object of the model; null for a kind that it does not read. */
  readonly object: MeshObject | null
  readonly file: string
  /** The chart's template that Helm made it from, where its output says so. */
  readonly source: string | null
  position(path: Path): Position
}

export interface Manifests {
  readonly manifests: readonly Manifest[]
  readonly errors: readonly HitlessError[]
}

const MANIFEST_FILE = /\.(ya?ml|json)$/

/** Reads every manifest under the paths, folders recursively in the order of their names; `-` is standard input. What cannot be read is an error beside the rest. */
export function readManifests(paths: readonly string[], readStdin: () => string): Manifests {
  const manifests: Manifest[] = []
  const errors: HitlessError[] = []
  for (const path of paths) {
    for (const { file, text } of texts(path, readStdin, errors)) {
      for (const read of readManifestText(text, file)) {
        if (read instanceof HitlessError) errors.push(read)
        else manifests.push(read)
      }
    }
  }
  return { manifests, errors }
}

/** The manifests of one text; items of a List stand for themselves. */
export function readManifestText(text: string, file: string): (Manifest | HitlessError)[] {
  const sources = templateSources(text)
  return readYaml(text, file).flatMap((document) => {
    if (document instanceof HitlessError) return [document]
    const source = sources(document.start.line)
    return items(document.value, []).map(({ value, path }) => {
      const position = (inner: Path) => document.position([...path, ...inner])
      return toManifest(value, file, source, position)
    })
  })
}

function toManifest(value: unknown, file: string, source: string | null, position: Manifest['position']): Manifest | HitlessError {
  const { line, column } = position([])
  if (!isManifest(value))
    return new HitlessError('HITLESS_MANIFEST', `${file}:${line}:${column}: no manifest: apiVersion or kind is missing`)
  try {
    return { raw: value, object: parseObject(value), file, source, position }
  } catch (cause) {
    if (!(cause instanceof InvalidField)) throw cause
    const at = position(cause.path)
    return new HitlessError('HITLESS_MANIFEST', `${file}:${at.line}:${at.column}: ${cause.message}`, { cause })
  }
}

function items(value: unknown, path: Path): { value: unknown; path: Path }[] {
  if (!isRecord(value) || typeof value['kind'] !== 'string' || !value['kind'].endsWith('List') || !Array.isArray(value['items'])) {
    return [{ value, path }]
  }
  return value['items'].flatMap((item: unknown, at) => items(item, [...path, 'items', at]))
}

function texts(path: string, readStdin: () => string, errors: HitlessError[]): { file: string; text: string }[] {
  if (path === '-') return [{ file: '<stdin>', text: readStdin() }]
  try {
    if (!statSync(path).isDirectory()) return [{ file: path, text: readFileSync(path, 'utf8') }]
    const entries = readdirSync(path, { withFileTypes: true }).sort((one, other) => (one.name < other.name ? -1 : 1))
    return entries
      .filter((entry) => entry.isDirectory() || MANIFEST_FILE.test(entry.name))
      .flatMap((entry) => texts(join(path, entry.name), readStdin, errors))
  } catch (cause) {
    errors.push(new HitlessError('HITLESS_UNREADABLE', `${path}: cannot be read${reasonOf(cause)}`, { cause }))
    return []
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
}

/** `# Source: chart/templates/x.yaml`, which `helm template` writes before each document. */
function templateSources(text: string): (line: number) => string | null {
  const found = text.split('\n').flatMap((line, at) => {
    const source = /^# Source: (\S+)/.exec(line)?.[1]
    return source === undefined ? [] : [{ line: at + 1, source }]
  })
  return (line) => found.findLast((comment) => comment.line < line)?.source ?? null
}
