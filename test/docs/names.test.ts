/** What the documentation tells a reader to run or to open is there. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> }
/** What a run makes. */
const ignored = read('.gitignore').split('\n')
const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('{docs,certs,charts,examples,test}/**/*.md', { cwd: ROOT })].sort()

t.test('every script that a page names is one of package.json', async (t) => {
  let found = 0
  for (const page of pages) {
    for (const [, script = ''] of read(page).matchAll(/npm run (?:-s )?([a-z][a-z:-]*)/g)) {
      found += 1
      if (!Object.hasOwn(scripts, script)) t.fail(`${page}: npm run ${script}`)
    }
  }
  t.ok(found > 10, `${found} are named`)
})

t.test('every file of the sources and tests that a page names is there', async (t) => {
  let found = 0
  for (const page of pages) {
    for (const [path] of read(page).matchAll(/(?<![\w./-])(?:src|test|bench|charts|certs|\.ci)\/[\w./-]*\w(?![\w<*])/g)) {
      found += 1
      if (!existsSync(join(ROOT, path)) && !ignored.includes(path)) t.fail(`${page}: ${path}`)
    }
  }
  t.ok(found > 30, `${found} are named`)
})

t.test('every page that a comment names is there', async (t) => {
  const sources = globSync('{src,test,bench}/**/*.ts', { cwd: ROOT }).sort()
  for (const source of sources) {
    for (const [comment] of read(source).matchAll(/\/\*[\s\S]*?\*\/|\/\/ .*$/gm)) {
      for (const [page] of comment.matchAll(/(?<![\w./-])[\w/-]+\.md\b/g)) if (!existsSync(join(ROOT, page))) t.fail(`${source}: ${page}`)
      // Notes that are no part of the repository.
      t.notMatch(comment, /\b(?:istio-semantics|gateway-api-semantics|delivery-scenarios)\b(?!\.md)|\(design, section/, source)
    }
  }
})

t.test('CONTRIBUTING names every script of the tests, and nothing before the fastest', async (t) => {
  const text = read('CONTRIBUTING.md')
  for (const script of Object.keys(scripts).filter((name) => /^test(:|$)/.test(name)))
    t.match(text, script === 'test' ? 'npm test' : `npm run ${script}`, script)
  t.match(text, /^# Contributing\n\n## The fastest way in\n\n {4}npm run test:fast/)
})

t.test('the page of the architecture names every folder of the sources', async (t) => {
  const named = [...read('docs/architecture.md').matchAll(/^\| `(src\/\w+)`/gm)].map(([, folder]) => folder)
  const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  t.strictSame(named.sort(), folders.map(({ name }) => `src/${name}`).sort())
})
