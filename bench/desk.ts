/** What somebody at a terminal waits for: whole commands, their start included, beside a Node that does nothing. Both take turns, so that whatever else the machine does meets both alike. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dump } from 'js-yaml'
import { percentile, type Row } from './report.ts'
import { configurationOf, workloadsOf } from './worlds.ts'

const ROOT = join(import.meta.dirname, '..')
const EXAMPLE = join(ROOT, 'examples/helloworld/world/virtual-service.yaml')
const BUILT = join(ROOT, 'dist/main.js')
const SOURCE = join(ROOT, 'src/main.ts')
const NOTHING = ['-e', '0']
const TURNS = 25
const OBJECTS = 1_000

export async function measureDesk(): Promise<Row[]> {
  execFileSync('npm', ['run', '-s', 'build'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  const folder = mkdtempSync(join(tmpdir(), 'hitless-desk-'))
  try {
    const objects = worldIn(folder)
    const [nothing, built, source, help] = inTurns([NOTHING, [BUILT, 'check', EXAMPLE], [SOURCE, 'check', EXAMPLE], [BUILT, '--help']])
    const [all] = inTurns([[BUILT, 'check', folder]], 5)
    const against = (what: string, measured = 0) => ({
      what,
      measured,
      unit: 'ms' as const,
      baseline: { what: 'node -e 0', measured: nothing ?? 0 }
    })
    return [
      { ...against('check of one file, installed', built), bar: { of: 'ratio', most: 3 } },
      against('check of one file, from source', source),
      against('--help, installed', help),
      { what: `check of ${objects.toLocaleString('en')} objects`, measured: (all ?? 0) / 1000, unit: 's', bar: { of: 'measured', most: 2 } }
    ]
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Milliseconds, the median of each. The first turn fills the caches of compiled code, as the first run after an installation does, and is not counted. */
function inTurns(commands: readonly (readonly string[])[], turns = TURNS): number[] {
  const times = commands.map((): number[] => [])
  for (let turn = 0; turn <= turns; turn++) {
    for (const [at, command] of commands.entries()) {
      const startedMs = performance.now()
      const { status } = spawnSync(process.execPath, command, { cwd: ROOT, stdio: 'ignore' })
      if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}`)
      if (turn > 0) times[at]?.push(performance.now() - startedMs)
    }
  }
  return times.map((all) => percentile(all, 0.5))
}

/** A file for each host, with all that it is made of. Gives the number of objects. */
function worldIn(folder: string): number {
  let objects = 0
  for (let host = 0; objects < OBJECTS; host++) {
    const manifests = [...configurationOf(host), ...workloadsOf(host)]
    writeFileSync(join(folder, `${host}.yaml`), manifests.map((manifest) => dump(manifest)).join('---\n'))
    objects += manifests.length
  }
  return objects
}
