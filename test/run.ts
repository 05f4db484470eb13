/**
 * Runs what says whether a commit is good, and counts it in the last line: one for each check, and one for each assertion of the tests.
 * Arguments are groups (test/groups.ts), test files, or folders of them; without any, it is everything.
 * Where all of the groups `fast` and `local` is run, `--coverage` measures what their tests reach; so does a run of everything.
 * What is named is run in its whole form (test/form.ts); everything, `fast` and `local`, in the short one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { setPriority } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { inspect } from 'node:util'
import type { Result } from 'tap-parser'
import { coverageFlags } from './coverage.ts'
import { DEFAULT_TIMEOUT_MS, filesAt, filesOf, GROUPS, type Group, groupOf, measures, needsOf, timeoutMs } from './groups.ts'
import { installHelm, installKustomize, installMesh, installReleaseControllers, sourceFromEnvironment } from './rig/binaries.ts'
import { installControlPlane } from './rig/control-plane.ts'
import { add, type Counts, type Ending, type Listener, NOTHING, tally } from './tally.ts'

process.chdir(join(import.meta.dirname, '..'))
const CACHE = resolve('node_modules', '.cache')
/** What the last check of the types found out of each file, by its content. */
const BUILD_INFO = join(CACHE, 'types.tsbuildinfo')
/** The same of the last clone of this repository that was checked, for one that is new. */
const LAST_BUILD_INFO = join(sourceFromEnvironment().cache, 'types.tsbuildinfo')
/** Of src, test and bench in one, by the options that `tsconfig.json` has for src. */
const TYPES = ['tsc', '-p', 'test/tsconfig.json', '--noEmit', '--incremental', '--tsBuildInfoFile', BUILD_INFO] as const
const CHECKS = [TYPES, ['biome', 'check', '.']] as const
const INSTALLS = { installBinaries: installControlPlane, installHelm, installKustomize, installMesh, installReleaseControllers }
const ON_SERVERS: readonly Group[] = ['mesh', 'chart', 'cluster']
/** Files at a time. Those on servers wait for half of their time; two meshes under constant requests would be in each other's way on two cores. */
const LANES = { computing: 2, servers: 4, mesh: 1 }
/** How far behind the servers that run at the same time is what only computes (niceness). */
const BEHIND = 2
/** What only computes has both cores already: threads that collect garbage beside it cost a tenth more than they save. */
const COMPUTING_FLAGS = ['--single-threaded-gc']
/** Groups whose files share processes: each process loads what its files have in common once. */
const SHARING: readonly Group[] = ['fast', 'local']
/** From the first sign to end until the last. */
const GRACE_MS = 10_000

type Job = () => Promise<Counts>

mkdirSync(CACHE, { recursive: true })
const started = performance.now()
const words = process.argv.slice(2)
const chosen = words.filter((word) => !word.startsWith('--'))
const isGroup = (word: string): word is Group => (GROUPS as readonly string[]).includes(word)
const files = chosen.length === 0 ? filesOf(GROUPS) : chosen.flatMap((word) => (isGroup(word) ? filesOf([word]) : filesAt(word)))
// A group of real servers is run beside `fast`, which has the checks.
const checks = chosen.length > 0 && chosen.every((word) => isGroup(word) && word !== 'fast') ? [] : CHECKS

const isShort = chosen.every((word) => isGroup(word) && SHARING.includes(word))
const isMeasured = chosen.length === 0 || words.includes('--coverage')
/** Where V8 writes what was reached, as long as that is measured. */
let raw = isMeasured ? mkdtempSync(join(CACHE, 'coverage-')) : undefined
if (!existsSync(BUILD_INFO) && existsSync(LAST_BUILD_INFO)) copyFileSync(LAST_BUILD_INFO, BUILD_INFO)
// At once: the checks have the cores while tests wait for sockets and processes.
const first = [...checks.map(check), ...sharedJobs()]
let counts = await inLanes(first, first.length)
if (existsSync(BUILD_INFO)) keep(BUILD_INFO, LAST_BUILD_INFO)
counts = add(counts, await inLanes(jobsOf(measuring('long')), LANES.computing))
if (raw !== undefined) {
  counts = add(counts, await check(['c8', ...coverageFlags(raw)])())
  rmSync(raw, { recursive: true })
  raw = undefined
}
await install()
counts = add(counts, await inLanes(jobsOf(ON_SERVERS.flatMap(measuring)), 1))
for (const part of await Promise.all([onServers(), inLanes(jobsOf(others('long'), BEHIND), LANES.computing)])) counts = add(counts, part)

const { passed, failed, skipped } = counts
say(`in ${((performance.now() - started) / 1000).toFixed(1)} s`)
say(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0

function measuring(group: Group): string[] {
  return files.filter((file) => groupOf(file) === group && measures(file))
}

function others(group: Group): string[] {
  return files.filter((file) => groupOf(file) === group && !measures(file))
}

function jobsOf(files: readonly string[], niceness = 0): Job[] {
  return files.map((file) => () => runAlone(file, niceness))
}

/** Processes that take one file after the other of those that are left. */
function sharedJobs(): Job[] {
  const waiting = SHARING.flatMap(others)
  return Array.from({ length: Math.min(LANES.computing, waiting.length) }, () => () => runTogether(waiting))
}

async function onServers(): Promise<Counts> {
  const onMesh = await inLanes(jobsOf(others('mesh')), LANES.mesh)
  return add(onMesh, await inLanes(jobsOf([...others('chart'), ...others('cluster')]), LANES.servers))
}

/** Before the tests that need it, where no time-out runs. What fails here fails again, with the same words, in each test that needs it. */
async function install(): Promise<void> {
  const needs = new Set(files.flatMap((file) => [...needsOf(file)]))
  for (const need of needs) await INSTALLS[need]().catch((error: Error) => say(error.message))
}

/** Does all jobs, so many at a time, in their order. */
async function inLanes(jobs: readonly Job[], lanes: number): Promise<Counts> {
  const waiting = [...jobs]
  let total = NOTHING
  const lane = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const counts = await job()
      total = add(total, counts)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return total
}

function check([command, ...args]: readonly [string, ...string[]]): Job {
  return async () => {
    const since = performance.now()
    const child = spawn(join('node_modules', '.bin', command), args, { stdio: ['ignore', 'inherit', 'inherit'] })
    const [code] = await once(child, 'close')
    say(`${code === 0 ? 'ok' : 'not ok'} ${command} ${args.slice(0, 2).join(' ')} (${secondsSince(since)} s)`)
    return code === 0 ? { ...NOTHING, passed: 1 } : { ...NOTHING, failed: 1 }
  }
}

/** Runs a test file in a process of its own. */
async function runAlone(file: string, niceness: number): Promise<Counts> {
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment() } })
  if (niceness !== 0 && child.pid !== undefined) setPriority(child.pid, niceness)
  const told = telling()
  const { counts, fault } = await tally(child.stdout.setEncoding('utf8'), limited(child, timeoutMs(file)).ended, told)
  told.through(file, counts, fault)
  return counts
}

/** Runs test files in one process, one after another, until none is waiting. */
async function runTogether(waiting: string[]): Promise<Counts> {
  const child = spawn(process.execPath, [...COMPUTING_FLAGS, join('test', 'several.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...environment() }
  })
  // What it does not take any more is told by how it ends.
  child.stdin.on('error', () => undefined)
  const limit = limited(child, Math.max(...waiting.map(timeoutMs)))
  const told = telling()
  const given = new Set<string>()
  const next = () => {
    const file = waiting.shift()
    if (file === undefined) {
      child.stdin.end()
      return
    }
    given.add(file)
    child.stdin.write(`${file}\n`)
  }
  const part = (name: string, counts: Counts) => {
    if (!given.delete(name)) return
    told.through(name, counts)
    limit.renew()
    next()
  }
  // One is always given ahead: that a file is through shows with the first line of the next.
  next()
  next()
  const { counts, fault } = await tally(child.stdout.setEncoding('utf8'), limit.ended, { ...told, part })
  if (fault === undefined) return counts
  const [broken = 'what several files share', ...behind] = given
  told.through(broken, { ...NOTHING, failed: 1 }, fault)
  // The files behind one that ends the process are run all the same.
  waiting.push(...behind)
  return waiting.length === 0 ? counts : add(counts, await runTogether(waiting))
}

interface Told extends Listener {
  through(file: string, counts: Counts, fault?: string): void
}

/** What the tests of a process print is shown at once where nothing else is run, else when a file is through. */
function telling(): Told {
  let since = performance.now()
  const kept: string[] = []
  const text = (line: string) => (files.length === 1 ? process.stdout.write(line) : kept.push(line))
  return {
    text,
    failure: (result) => text(describe(result)),
    through: (file, { passed, failed, skipped }, fault) => {
      process.stdout.write(kept.splice(0).join(''))
      const found = `${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`
      say(`${failed > 0 ? 'not ok' : 'ok'} ${file}: ${fault === undefined ? '' : `${fault}, `}${found} (${secondsSince(since)} s)`)
      since = performance.now()
    }
  }
}

/** Copies a file so that nobody ever reads half of it. */
function keep(file: string, at: string): void {
  mkdirSync(dirname(at), { recursive: true })
  copyFileSync(file, `${at}.${process.pid}`)
  renameSync(`${at}.${process.pid}`, at)
}

/** Tap ends a test that is late by itself; a process that is later still hangs, and is ended from here. `renew` gives the next file as much time. */
function limited(child: ReturnType<typeof spawn>, limitMs: number): { ended: Promise<Ending>; renew: () => void } {
  let isLate = false
  const end = (signal: NodeJS.Signals) => () => {
    isLate = true
    child.kill(signal)
  }
  const timers = [setTimeout(end('SIGTERM'), limitMs + GRACE_MS), setTimeout(end('SIGKILL'), limitMs + 2 * GRACE_MS)]
  const ended = once(child, 'close').then(([code]) => {
    for (const timer of timers) clearTimeout(timer)
    return { code: code as number | null, isLate }
  })
  const renew = () => {
    for (const timer of timers) timer.refresh()
  }
  return { ended, renew }
}

/** Compiled code is kept from run to run, but not where coverage is counted, which it would blur. */
function environment(): Record<string, string> {
  const cache = raw === undefined ? { NODE_COMPILE_CACHE: join(CACHE, 'compiled') } : { NODE_V8_COVERAGE: raw }
  return { TAP_TIMEOUT: String(DEFAULT_TIMEOUT_MS / 1000), HITLESS_TEST_FORM: isShort ? 'short' : 'whole', ...cache }
}

/** A failure with its texts as they are (a diff, a stack) and everything else in one line; the source is where `at` says. */
function describe({ fullname, diag }: Result): string {
  const fields = Object.entries(diag ?? {}).filter(([key]) => key !== 'source')
  const lines = fields.map(
    ([key, value]) =>
      `  ${key}: ${typeof value === 'string' ? value.replaceAll('\n', '\n    ') : inspect(value, { breakLength: Infinity })}`
  )
  return [`not ok ${fullname}`, ...lines, ''].join('\n')
}

function secondsSince(ms: number): string {
  return ((performance.now() - ms) / 1000).toFixed(1)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
