/** What each test file needs, and by that the group in which it is run. Read from the file itself, so that no list of files goes stale. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { importsOf, resolved } from './modules.ts'

/** What is built or downloaded before a test can run, by what makes it in test/rig/binaries.ts. */
export type Need = 'installBinaries' | 'installHelm' | 'installKustomize' | 'installMesh' | 'installReleaseControllers'

/**
 * `fast`: code alone. `local`: processes and sockets of this machine. `long`: either, for more than a minute on a busy machine. The others:
 * real servers.
 */
export type Group = (typeof GROUPS)[number]

export const GROUPS = ['fast', 'local', 'long', 'cluster', 'chart', 'mesh'] as const

const BINARIES = 'test/rig/binaries.ts'
const NEEDS: readonly Need[] = ['installBinaries', 'installHelm', 'installKustomize', 'installMesh', 'installReleaseControllers']
/** By these a test, or what it imports below test, starts processes, opens sockets, or talks to what does. */
const LOCAL = ['node:child_process', 'node:http', 'node:https', 'node:http2', 'node:net', 'node:tls', '@grpc/grpc-js']
const ROOT_TIMEOUT = /^t\.setTimeout\(([\d_ *]+)\)/m
export const DEFAULT_TIMEOUT_MS = 240_000
const FAST_TIMEOUT_MS = 60_000

/** The test files of these groups, in the order of the groups. Paths are relative to the root of the repository, which is the working directory. */
export function filesOf(groups: readonly Group[]): string[] {
  const files = globSync('test/**/*.test.ts').sort()
  return groups.flatMap((group) => files.filter((file) => groupOf(file) === group))
}

/** The test file at a path, or all below it. */
export function filesAt(path: string): string[] {
  if (!existsSync(path)) throw new Error(`there is no ${path}`)
  return statSync(path).isDirectory() ? globSync(posix.join(path, '**/*.test.ts')).sort() : [posix.normalize(path)]
}

export function groupOf(file: string): Group {
  const needs = needsOf(file)
  if (needs.has('installMesh')) return 'mesh'
  if (needs.size > 0) return file.startsWith('test/chart/') ? 'chart' : 'cluster'
  if (ownTimeoutMs(file) > FAST_TIMEOUT_MS) return 'long'
  return isLocal(file) ? 'local' : 'fast'
}

/** It says that it bounds time or memory: nothing is run beside it but its like. */
export function measures(file: string): boolean {
  return /^\/\/ Measures /m.test(readFileSync(file, 'utf8'))
}

/** What a file, or anything that it imports, takes from test/rig/binaries.ts. */
export function needsOf(file: string): Set<Need> {
  const names = [...reached(file, (path) => path !== BINARIES)].flatMap((path) => takenBy(path).filter(({ target }) => target === BINARIES))
  return new Set(NEEDS.filter((need) => names.some((taken) => taken.names.includes(need))))
}

function isLocal(file: string): boolean {
  const below = [...reached(file, (path) => path.startsWith('test/'))]
  return below.some((path) => takenBy(path).some(({ target }) => LOCAL.includes(target)))
}

/** A file and whatever it imports, at whatever distance, through files that are `within`. */
function reached(file: string, within: (path: string) => boolean): Set<string> {
  const found = new Set([posix.normalize(file)])
  // A set goes on to what is added while it is walked.
  for (const path of found) for (const { target } of takenBy(path)) if (target.endsWith('.ts') && within(target)) found.add(target)
  return found
}

interface Taken {
  readonly names: readonly string[] | 'all'
  /** The path of a file, or a package. */
  readonly target: string
}

/** Most files are reached from most tests. */
const taken = new Map<string, readonly Taken[]>()

/** The files and packages that one needs at run time: types are gone then, and text in quotes may look like an import. */
function takenBy(path: string): readonly Taken[] {
  const known = taken.get(path)
  if (known !== undefined) return known
  const found = importsOf(readFileSync(path, 'utf8'))
    .filter(({ isType }) => !isType)
    .map(({ names, specifier }) => ({ names, target: specifier.startsWith('.') ? resolved(path, specifier) : specifier }))
    .filter(({ target }) => !target.startsWith('.') && (!target.endsWith('.ts') || existsSync(target)))
  taken.set(path, found)
  return found
}

/** How long a file may take: what it asks for at its top, else what every file gets. */
export function timeoutMs(file: string): number {
  return ownTimeoutMs(file) || DEFAULT_TIMEOUT_MS
}

/** A product of numbers, as in `t.setTimeout(15 * 60_000)`. */
function ownTimeoutMs(file: string): number {
  const [, product] = ROOT_TIMEOUT.exec(readFileSync(file, 'utf8')) ?? []
  if (product === undefined) return 0
  return product.split('*').reduce((total, factor) => total * Number(factor.replaceAll('_', '')), 1)
}
