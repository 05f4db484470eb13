// Runs everything that says whether a commit is good: types, lint, and all tests. Its last line is the count: one for each check, and
// one for each assertion of the tests. With arguments it runs only those test files.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { inspect } from 'node:util'
import { installBinaries, installMesh } from './rig/binaries.ts'
import { type Listener, tally } from './tally.ts'

const CHECKS = [
  ['tsc', '-p', 'tsconfig.json', '--noEmit'],
  ['tsc', '-p', 'test/tsconfig.json', '--noEmit'],
  ['biome', 'check', '.']
] as const

process.chdir(join(import.meta.dirname, '..'))
const chosen = process.argv.slice(2)
const count = { passed: 0, failed: 0, skipped: 0 }

for (const [command, ...args] of CHECKS) {
  const [code] = await once(start(command, args, 'inherit'), 'close')
  say(`${code === 0 ? 'ok' : 'not ok'} ${command} ${args.join(' ')}`)
  if (code === 0) count.passed += 1
  else count.failed += 1
}

// Before the tests, where no time-out runs. What fails here fails again, with the same words, in each test that needs it.
for (const install of [installBinaries, installMesh]) await install().catch((error: Error) => say(error.message))

const listener: Listener = {
  file: (name, { passed, failed, skipped }, fault, timeMs = 0) => {
    const counts = `${passed} passed${failed > 0 ? `, ${failed} failed` : ''}${skipped > 0 ? `, ${skipped} skipped` : ''}`
    say(`${failed > 0 ? 'not ok' : 'ok'} ${name}: ${fault ?? counts} (${(timeMs / 1000).toFixed(1)} s)`)
  },
  failure: ({ fullname, diag }) => say(`not ok ${fullname}\n${describe(diag)}`),
  text: (line) => process.stdout.write(line)
}
const tests = start('tap', ['--disable-coverage', '--allow-incomplete-coverage', '--reporter=tap', ...chosen], 'pipe')
const ended = once(tests, 'close')
const output = tests.stdout?.setEncoding('utf8') ?? Readable.from([])
const counts = await tally(
  output,
  chosen.length > 0 ? chosen.filter((name) => name.endsWith('.test.ts')) : globSync('test/**/*.test.ts'),
  listener
)
const [code] = await ended

count.passed += counts.passed
count.failed += counts.failed
count.skipped += counts.skipped
if (code !== 0 && counts.failed === 0) {
  say(`not ok tap ended with ${code}, though every assertion passed`)
  count.failed += 1
}

say(`${count.passed} passed, ${count.failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}`)
process.exitCode = count.failed > 0 ? 1 : 0

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function start(command: string, args: readonly string[], stdout: 'inherit' | 'pipe') {
  return spawn(join('node_modules', '.bin', command), args, { stdio: ['ignore', stdout, 'inherit'] })
}

/** Texts as they are (a diff, a stack), everything else in one line; the source is where `at` says. */
function describe(diagnosis: unknown): string {
  if (typeof diagnosis !== 'object' || diagnosis === null) return ''
  return Object.entries(diagnosis)
    .filter(([key]) => key !== 'source')
    .map(
      ([key, value]) =>
        `  ${key}: ${typeof value === 'string' ? value.replaceAll('\n', '\n    ') : inspect(value, { breakLength: Infinity })}\n`
    )
    .join('')
}
