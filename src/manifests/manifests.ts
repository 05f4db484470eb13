/** Manifests from files, folders and standard input, each with the place where it was written. */
import { basename } from 'node:path'
import { HitlessError } from '../errors.ts'
import { InvalidField, isRecord } from '../kinds/fields.ts'
import { formatRef, isManifest, type MeshObject, parseObject, refusalOf } from '../kinds/index.ts'
import { DEFAULT_DOMAIN } from '../mesh/names/hosts.ts'
import type { Path } from '../mesh/names/path.ts'
import { type Position, readYaml } from './documents.ts'
import { readFiles, STDIN, type TextFile } from './files.ts'
import { type Commit, filesAt } from './git.ts'

export interface Manifest {
  readonly raw: Record<string, unknown>
  /** The object of the model; null for a kind that it does not read. */
  readonly object: MeshObject | null
  readonly file: string
  /** The chart's template that Helm made it from, where its output comes by standard input and says so; positions are then those in what the template gave. */
  readonly source: string | null
  position(path: Path): Position
}

const CHART = 'Chart.yaml'

export interface Place extends Position {
  readonly file: string
}

export interface Manifests {
  readonly manifests: readonly Manifest[]
  readonly errors: readonly HitlessError[]
  /** Files of named folders that hold no manifest at all, such as the values of a chart. */
  readonly others: readonly string[]
}

/** Where a field of a manifest was written; of what Helm made, in the template. */
export function placeIn({ source, file, position }: Manifest, path: Path): Place {
  return { file: source ?? file, ...position(path) }
}

/** What completes the names in manifests. */
export interface Naming {
  /** That of objects that name none, as of `kubectl -n` and of releases. */
  readonly namespace?: string
  /** The cluster's DNS domain; `cluster.local` where absent. */
  readonly domain?: string
}

/**
 * Reads every manifest under the paths, folders recursively in the order of their names; `-` is standard input. What cannot be read is an
 * error beside the rest.
 */
export function readManifests(paths: readonly string[], readStdin: () => string, naming: Naming = {}): Manifests {
  const { files, errors: unreadable } = readFiles(paths, readStdin)
  const { errors, ...read } = readTexts(files, naming)
  return { ...read, errors: [...unreadable, ...errors] }
}

/** Where Istio's own webhook keeps the object of a manifest out (2.4), the error that says so and why; null where it takes it. */
export function refusedByIstio({ object, raw, file, position }: Manifest): HitlessError | null {
  const reason = object === null ? null : refusalOf(raw)
  if (object === null || reason === null) return null
  return new HitlessError(
    'HITLESS_MANIFEST',
    `${file}:${position([]).line}: ${formatRef(object)} is left out, since Istio refuses it: ${reason}`
  )
}

/** Manifests without those that Istio's own webhook keeps out, which are errors instead. */
export function acceptedByIstio({ manifests, errors, ...read }: Manifests): Manifests {
  const refusals = manifests.map(refusedByIstio)
  return {
    ...read,
    manifests: manifests.filter((_, at) => refusals[at] === null),
    errors: [...errors, ...refusals.filter((refusal) => refusal !== null)]
  }
}

/** The error of paths that hold no manifest at all: they are the wrong ones, or what was to print them has failed. kubectl refuses to apply nothing, too. */
export function nothingIn(paths: readonly string[], { manifests, errors }: Manifests): HitlessError[] {
  if (manifests.length > 0 || errors.length > 0) return []
  const named = paths.map((path) => (path === '-' ? STDIN : path)).join(', ')
  return [new HitlessError('HITLESS_NOTHING', `${named}: no manifest in it`)]
}

/** Reads what a commit holds at the same paths; throws HITLESS_GIT. */
export function readManifestsAt(commit: Commit, paths: readonly string[], naming: Naming = {}): Manifests {
  return readTexts(filesAt(commit, paths), naming)
}

function readTexts(files: readonly TextFile[], naming: Naming): Manifests {
  const read = files.map((file) => ({ ...file, found: readManifestText(file.text, file.file, naming, file.isFound) }))
  return {
    manifests: read.flatMap(({ found }) => found.flatMap((each) => (each instanceof HitlessError ? [] : [each]))),
    errors: errorsOf(read),
    others: read.flatMap(({ file, text, found }) => (found.length === 0 && !isBlank(text) ? [file] : []))
  }
}

/** All of them, but of the templates of one chart the first: that nobody has rendered them is one fact. */
function errorsOf(read: readonly (TextFile & { readonly found: readonly (Manifest | HitlessError)[] })[]): HitlessError[] {
  const charts = read.flatMap(({ file }) => (basename(file) === CHART ? [file.slice(0, -CHART.length)] : []))
  const told = new Set<string>()
  return read.flatMap(({ file, text, found }) => {
    const errors = found.filter((each) => each instanceof HitlessError)
    const chart = text.includes('{{') ? charts.find((folder) => file.startsWith(folder)) : undefined
    if (chart === undefined || errors.length === 0) return errors
    if (told.has(chart)) return []
    told.add(chart)
    return errors.slice(0, 1)
  })
}

/** The manifests of one text; items of a List stand for themselves. Of a file that was only found, what has neither an apiVersion nor a kind is left out. */
export function readManifestText(text: string, file: string, naming: Naming = {}, isFound = false): (Manifest | HitlessError)[] {
  // In a file, whoever looks for the place finds the file.
  const templates = file === STDIN ? templatesOf(text) : () => null
  return readYaml(text, file).flatMap((document) => {
    if (document instanceof HitlessError) return [document]
    if (isFound && isOther(document.value, file)) return []
    const template = templates(document.start.line)
    return itemsOf(document.value, []).map(({ value, path }) =>
      toManifest(value, naming, { file, template, position: (inner) => document.position([...path, ...inner]) })
    )
  })
}

interface Source {
  readonly file: string
  readonly template: Template | null
  /** In the file. */
  readonly position: (path: Path) => Position
}

function toManifest(
  value: unknown,
  { namespace, domain = DEFAULT_DOMAIN }: Naming,
  { file, template, position }: Source
): Manifest | HitlessError {
  const invalid = (path: Path, what: string, cause?: unknown) => {
    const { line, column } = position(path)
    return new HitlessError('HITLESS_MANIFEST', `${file}:${line}:${column}: ${what}`, { cause })
  }
  if (!isManifest(value)) return invalid([], 'no manifest: apiVersion or kind is missing')
  try {
    const object = parseObject(placed(value, namespace), domain)
    if (object?.name === '' && !isGenerated(value)) return invalid(['metadata', 'name'], 'metadata.name is missing')
    const offset = template?.line ?? 0
    const inTemplate = (path: Path) => {
      const { line, column } = position(path)
      return { line: line - offset, column }
    }
    return {
      raw: value,
      object: object === null ? null : asStored(object, value),
      file,
      source: template?.source ?? null,
      position: inTemplate
    }
  } catch (cause) {
    if (!(cause instanceof InvalidField)) throw cause
    return invalid(cause.path, cause.message, cause)
  }
}

/** What a file says of a running state: a Pod without a status counts as Ready, as the Pods of a workload without one do. */
export function asStored(object: MeshObject, raw: unknown): MeshObject {
  return object.kind === 'Pod' && isRecord(raw) && !Object.hasOwn(raw, 'status') ? { ...object, ready: true } : object
}

/** The object as it would be written: into the namespace that is given, where it names none. */
function placed(raw: Record<string, unknown>, namespace: string | undefined): Record<string, unknown> {
  const { metadata } = raw
  if (namespace === undefined || !isRecord(metadata) || Object.hasOwn(metadata, 'namespace')) return raw
  return { ...raw, metadata: { ...metadata, namespace } }
}

/** The API server completes the name of such an object when it is created. */
function isGenerated({ metadata }: Record<string, unknown>): boolean {
  return isRecord(metadata) && typeof metadata['generateName'] === 'string'
}

/** Nothing but comments and markers of documents. */
function isBlank(text: string): boolean {
  return text.replace(/^(?:\s*#.*|---.*)$/gm, '').trim() === ''
}

/** Not what somebody meant for a cluster. A chart's own description has a version of Helm's API, and no kind. */
function isOther(value: unknown, file: string): boolean {
  return !isRecord(value) || basename(file) === CHART || !(Object.hasOwn(value, 'apiVersion') || Object.hasOwn(value, 'kind'))
}

/** The items of a `List`, or of a `ServiceList` and its like, whose items need not name their own kind. */
function itemsOf(value: unknown, path: Path): { value: unknown; path: Path }[] {
  if (!isManifest(value) || !String(value['kind']).endsWith('List') || !Array.isArray(value['items'])) return [{ value, path }]
  const kind = String(value['kind']).slice(0, -'List'.length)
  const typed = kind === '' ? {} : { apiVersion: value['apiVersion'], kind }
  return value['items'].flatMap((item: unknown, at) => itemsOf(isRecord(item) ? { ...typed, ...item } : item, [...path, 'items', at]))
}

interface Template {
  readonly source: string
  /** Of the comment that names it. */
  readonly line: number
}

/** `# Source: chart/templates/x.yaml`, which `helm template` writes at the start of each document. */
function templatesOf(text: string): (line: number) => Template | null {
  let current: Template | null = null
  const byLine = text.split(/\r\n?|\n/).map((content, at) => {
    if (/^---(?:\s|$)/.test(content)) current = null
    const source = /^# Source: (\S+)/.exec(content)?.[1]
    if (source !== undefined) current = { source, line: at + 1 }
    return current
  })
  return (line) => byLine[line - 1] ?? null
}
