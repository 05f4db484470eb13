/** What each command loads: at the desk most of the time of a command is its start. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
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

function run(args: readonly string[]): { status: number | null; loaded: Set<string> } {
  const { status, stderr } = spawnSync(process.execPath, ['--import', TELLS, MAIN, ...args], { encoding: 'utf8' })
  return { status, loaded: new Set([...stderr.matchAll(/^loads (.*)$/gm)].map(([, name = '']) => name)) }
}

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
for (const args of LIGHT) {
  t.test(`hitless ${args[0]} loads nothing of the server or the cluster, and compiles no schema`, async (t) => {
    const { status, loaded } = run(args)
    t.equal(status, args[0] === UNKNOWN ? 2 : 0)
    t.ok(loaded.has('cli/program.ts'), 'what is loaded is seen')
    t.strictSame(
      HEAVY.filter((name) => loaded.has(name)),
      []
    )
  })
}

t.test('a command that checks what it reads by a schema loads the compiler', async (t) => {
  t.ok(run(['replay', 'nowhere.yaml']).loaded.has('ajv'))
})
