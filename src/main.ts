#!/usr/bin/env node
/** The process: the only file that reads `process`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

let stop: AbortController | undefined
// A reader such as `head` that has seen enough is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 2))

// What is loaded from here on is compiled once for all runs. In a folder of the user's own, since what lies there is run: Node's default is one below /tmp.
const { HOME, XDG_CACHE_HOME: caches = HOME && join(HOME, '.cache') } = process.env
if (caches) enableCompileCache(join(caches, 'hitless', 'compiled'))
const { run } = await import('./cli/program.ts')
const { readStandardInput } = await import('./manifests/files.ts')

process.exitCode = await run(
  process.argv.slice(2),
  {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    stdin: readStandardInput,
    writeFile: (file, text) => writeFileSync(file, text),
    colour: process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined,
    columns: process.stdout.columns || Number.POSITIVE_INFINITY,
    status: process.stderr.isTTY && process.env['TERM'] !== 'dumb' ? (text) => process.stderr.write(`\r\u001B[2K${text}`) : null,
    env: process.env,
    nowMs: Date.now,
    busyMs,
    version: String(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version),
    get signal() {
      return stopSignal()
    }
  },
  fileURLToPath(new URL('../examples/helloworld', import.meta.url))
)

function stopSignal(): AbortSignal {
  if (stop === undefined) {
    stop = new AbortController()
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop?.abort())
  }
  return stop.signal
}

function busyMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
