/**
 * Runs what says whether a commit is good, and counts it in the last line: one for each check, and one for each assertion of the tests.
 * Arguments are groups (test/groups.ts), test files, or folders of them; without any, it is everything.
 * Where all of the group `fast` is run, `--coverage` measures what its tests reach; so does a run of everything.
 * What is named is run in its whole form (test/form.ts); everything, and `fast`, in the short one.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join, resolve } from 'node:path'
import { inspect } from 'node:util'
import type { Result } from 'tap-parser'
import { coverageFlags } from './coverage.ts'
import { DEFAULT_TIMEOUT_MS, filesAt, filesOf, GROUPS, type Group, groupOf, measures, needsOf, timeoutMs } from './groups.ts'
import { installHelm, installKustomize, installMesh, installReleaseControllers } from './rig/binaries.ts'
import { installControlPlane } from './rig/control-plane.ts'
import { add, type Counts, type Ending, NOTHING, tally } from './tally.ts'

process.chdir(join(import.meta.dirname, '..'))
const CACHE = resolve('node_modules', '.cache')
const BUILD_INFO = join(CACHE, 'types.tsbuildinfo')
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
/** Processes of the files that need nothing but Node: each loads what its files share once. */
const SHARED = LANES.computing
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

const isShort = chosen.every((word) => word === 'fast')
const isMeasured = chosen.length === 0 || words.includes('--coverage')
/** Where V8 writes what was reached, as long as that is measured. */
let raw = isMeasured ? mkdtempSync(join(CACHE, 'coverage-')) : undefined
let counts = await inLanes([...checks.map(check), ...sharedJobs(), ...jobsOf(measuring('long'))], LANES.computing)
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
  return files.map((file) => () => run([file], niceness))
}

function sharedJobs(): Job[] {
  const fast = files.filter((file) => groupOf(file) === 'fast')
  const parts = Array.from({ length: SHARED }, (_, part) => fast.filter((_, at) => at % SHARED === part))
  return parts.filter((part) => part.length > 0).map((part) => () => run(part))
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

/** Runs test files in one process. What they print is shown at once where nothing else is run, else when a file is through. */
async function run(together: readonly string[], niceness = 0): Promise<Counts> {
  const [only = '', second] = together
  const isShared = second !== undefined
  const child = spawn(process.execPath, isShared ? [...COMPUTING_FLAGS, join('test', 'several.ts'), ...together] : [only], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment() }
  })
  if (niceness !== 0 && child.pid !== undefined) setPriority(child.pid, niceness)
  const limit = limited(child, Math.max(...together.map(timeoutMs)))
  let since = performance.now()
  const kept: string[] = []
  const show = files.length === 1 ? (text: string) => process.stdout.write(text) : (text: string) => kept.push(text)
  const through = (file: string, { passed, failed, skipped }: Counts, fault?: string) => {
    process.stdout.write(kept.splice(0).join(''))
    const found = `${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`
    say(`${failed > 0 ? 'not ok' : 'ok'} ${file}: ${fault === undefined ? '' : `${fault}, `}${found} (${secondsSince(since)} s)`)
    since = performance.now()
  }
  const left = new Set(together)
  const part = (name: string, counts: Counts) => {
    if (!left.delete(name)) return
    limit.renew()
    through(name, counts)
  }
  const { counts, fault } = await tally(child.stdout.setEncoding('utf8'), limit.ended, {
    failure: (result) => show(describe(result)),
    text: show,
    ...(isShared ? { part } : {})
  })
  if (!isShared) through(only, counts, fault)
  else if (fault !== undefined) through([...left][0] ?? together.join(', '), { ...NOTHING, failed: 1 }, fault)
  return counts
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
