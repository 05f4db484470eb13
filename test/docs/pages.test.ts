/** The documentation says what the code does. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { MADE } from './write.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

t.test('what is made from the sources is current; `npm run docs` makes it anew', async (t) => {
  for (const [path, make] of MADE) t.equal(existsSync(join(ROOT, path)) ? read(path) : undefined, make(), path)
})

t.test('each of the 18 threats to an admission webhook is answered, by hitless and by what is left to do', async (t) => {
  const rows = read('docs/security.md')
    .split('\n')
    .filter((line) => /^\| +\d/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  t.strictSame(
    rows.map(([, number]) => Number(number)),
    Array.from({ length: 18 }, (_, at) => at + 1)
  )
  for (const [, number, threat = '', answer = '', left = ''] of rows) t.ok(threat && answer && left, `threat ${number}`)
})

t.test('links within the documentation lead somewhere', async (t) => {
  for (const path of ['README.md', 'CONTRIBUTING.md', ...globSync('{docs,certs,charts,examples}/**/*.md', { cwd: ROOT })].sort()) {
    for (const [, target = ''] of read(path).matchAll(/\]\(([^)#]+)/g)) {
      if (/^https?:/.test(target)) continue
      t.ok(existsSync(join(ROOT, dirname(path), target)), `${path} -> ${target}`)
    }
  }
})
