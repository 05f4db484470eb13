/** What each test file needs, and by that the group in which it is run. Read from the file itself, so that no list of files goes stale. */
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { importsOf, resolved } from './modules.ts'

/** What is built or downloaded before a test can run, by what makes it in test/rig/binaries.ts. */
export type Need = 'installBinaries' | 'installHelm' | 'installKustomize' | 'installMesh' | 'installReleaseControllers'

/** `fast`: nothing but Node. `long`: the same, for more than a minute on a busy machine. The others: real servers. */
export type Group = (typeof GROUPS)[number]

export const GROUPS = ['fast', 'long', 'cluster', 'chart', 'mesh'] as const

const BINARIES = 'test/rig/binaries.ts'
const NEEDS: readonly Need[] = ['installBinaries', 'installHelm', 'installKustomize', 'installMesh', 'installReleaseControllers']
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
  return ownTimeoutMs(file) > FAST_TIMEOUT_MS ? 'long' : 'fast'
}

/** It says that it bounds time or memory: nothing is run beside it but its like. */
export function measures(file: string): boolean {
  return /^\/\/ Measures /m.test(readFileSync(file, 'utf8'))
}

/** What a file, or anything that it imports, takes from test/rig/binaries.ts. */
export function needsOf(file: string): Set<Need> {
  const needs = new Set<Need>()
  const seen = new Set([BINARIES])
  const open = [posix.normalize(file)]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue
    seen.add(path)
    for (const { names, target } of takenBy(path)) {
      for (const need of target === BINARIES ? NEEDS : []) if (names.includes(need)) needs.add(need)
      open.push(target)
    }
  }
  return needs
}

interface Taken {
  readonly names: readonly string[] | 'all'
  readonly target: string
}

/** Most files are reached from most tests. */
const taken = new Map<string, readonly Taken[]>()

/** The files that one needs at run time: types are gone then, and text in quotes may look like an import. */
function takenBy(path: string): readonly Taken[] {
  const known = taken.get(path)
  if (known !== undefined) return known
  const found = importsOf(readFileSync(path, 'utf8'))
    .filter(({ specifier, isType }) => !isType && specifier.startsWith('.'))
    .map(({ names, specifier }) => ({ names, target: resolved(path, specifier) }))
    .filter(({ target }) => existsSync(target))
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
