/** What each command loads: at the desk most of the time of a command is its start. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { WORLD } from './commands.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
/** Prints every module that is loaded, as `npm:NAME` or its path below src. */
const TELLS = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
const named = (url) => url.match(/node_modules\\/((?:@[^/]+\\/)?[^/]+)/)?.[1] ?? url.match(/\\/src\\/(.*)/)?.[1]
registerHooks({ load(url, context, next) { const name = named(url); if (name) writeSync(2, 'loads ' + name + '\\n'); return next(url, context) } })`)}`

/** Packages of the server and of the cluster, and the compiler of schemas. */
const HEAVY = [
  'fastify',
  'pino',
  'ajv',
  'undici',
  '@kubernetes/client-node',
  '@grpc/grpc-js',
  '@bufbuild/protobuf',
  '@peculiar/x509',
  '@prometheus-io/client'
]

const UNKNOWN = 'no-such-command'
const LIGHT: readonly (readonly string[])[] = [
  ['check', WORLD],
  ['plan', '--from', WORLD, '--to', WORLD],
  ['routes', WORLD],
  ['audit', WORLD],
  ['ask', WORLD, '--host', 'helloworld'],
  ['explain'],
  ['--help'],
  [UNKNOWN]
]
const REPLAY = ['replay', 'nowhere.yaml']

/** Runs these one after another and tells how each ended, among what is loaded until then. */
const ALL = `data:text/javascript,${encodeURIComponent(`
import { writeSync } from 'node:fs'
import { hitless } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, 'commands.ts')))}
for (const args of ${JSON.stringify([...LIGHT, REPLAY])}) writeSync(2, 'ends ' + args[0] + ' ' + (await hitless(args)).exit + '\\n')`)}`

function loadedBy(...args: readonly string[]): { status: number | null; lines: readonly string[] } {
  const { status, stderr } = spawnSync(process.execPath, ['--import', TELLS, ...args], { encoding: 'utf8' })
  return { status, lines: stderr.split('\n') }
}

function heavyIn(lines: readonly string[]): string[] {
  return HEAVY.filter((name) => lines.includes(`loads ${name}`))
}

t.test('the program loads nothing of the server or the cluster for a command at the desk, and compiles no schema', async (t) => {
  const { status, lines } = loadedBy(MAIN, 'check', WORLD)
  t.equal(status, 0)
  t.ok(lines.includes('loads cli/program.ts'), 'what is loaded is seen')
  t.strictSame(heavyIn(lines), [])
})

const { lines } = loadedBy('--input-type=module', '--eval', `await import(${JSON.stringify(ALL)})`)
for (const [command = ''] of LIGHT) {
  t.test(`nor does hitless ${command}`, async (t) => {
    const end = lines.indexOf(`ends ${command} ${command === UNKNOWN ? 2 : 0}`)
    t.not(end, -1, 'it ends as it should')
    t.ok(lines.slice(0, end).includes('loads cli/program.ts'), 'what is loaded is seen')
    t.strictSame(heavyIn(lines.slice(0, end)), [])
  })
}

t.test('a command that checks what it reads by a schema loads the compiler', async (t) => {
  t.ok(heavyIn(lines).includes('ajv'))
})
