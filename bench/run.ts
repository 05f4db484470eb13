/**
 * Measures what design and documentation promise, each against a baseline in the same run: `npm run bench -- [PART...] [--json FILE]`.
 * Prints one table, and writes the same as JSON. Each part runs in a process of its own. Exits with 1 where a bar is missed.
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { meets, type Part, type Row, reportOf, table } from './report.ts'

const PARTS = ['decision', 'shapes', 'requests', 'writes', 'scale', 'settle', 'desk'] as const

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string', default: join(import.meta.dirname, 'results.json') } }
})
const unknown = positionals.filter((name) => !PARTS.some((part) => part === name))
if (unknown.length > 0) throw new Error(`${unknown.join(', ')}: parts are ${PARTS.join(', ')}`)

const parts: Part[] = []
for (const name of PARTS) if (positionals.length === 0 || positionals.includes(name)) parts.push(await measure(name))
const report = reportOf(parts, Date.now())
writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
process.stdout.write(table(report))
process.exitCode = parts.some(({ rows }) => rows.some((row) => meets(row) === false)) ? 1 : 0

function measure(name: (typeof PARTS)[number]): Promise<Part> {
  process.stderr.write(`${name} ...\n`)
  const startedMs = performance.now()
  const child = fork(join(import.meta.dirname, 'part.ts'), [name], { execArgv: ['--expose-gc'], serialization: 'advanced' })
  return new Promise((resolve, reject) => {
    const rows: Row[] = []
    child.on('message', (row) => rows.push(row as Row))
    child.once('exit', (code) => {
      if (code === 0) resolve({ name, seconds: (performance.now() - startedMs) / 1000, rows })
      else reject(new Error(`${name} ended with ${code}`))
    })
  })
}
