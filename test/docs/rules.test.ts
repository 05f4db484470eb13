/** The documentation says what the code does. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { RULES } from '../../src/rules/index.ts'
import { ERRORS_PAGE, errorsPage } from './errors-page.ts'
import { rulePages } from './rule-pages.ts'
import { VALUES_PAGE, valuesPage } from './values-table.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

t.test('the page of every rule is current; `npm run docs` writes them anew', async (t) => {
  for (const [path, text] of await rulePages()) t.equal(existsSync(join(ROOT, path)) ? read(path) : undefined, text, path)
})

t.test("the table of the chart's values is current; `npm run docs` writes it anew", async (t) => {
  t.equal(read(VALUES_PAGE), valuesPage())
})

t.test('the page of errors is current; `npm run docs` writes it anew', async (t) => {
  t.equal(read(ERRORS_PAGE), errorsPage())
})

t.test('the README lists every rule with its summary', async (t) => {
  const readme = read('README.md')
  for (const { id, summary } of RULES)
    t.match(readme, new RegExp(`\\| \`${id}\` +\\| ${summary.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')} +\\|`), id)
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
  for (const path of [
    'README.md',
    'CONTRIBUTING.md',
    'docs/architecture.md',
    'docs/security.md',
    'docs/operations.md',
    'docs/tools.md',
    'certs/README.md',
    'charts/hitless/README.md',
    'docs/rules/README.md',
    'examples/helloworld/README.md'
  ]) {
    for (const [, target = ''] of read(path).matchAll(/\]\(([^)#]+)/g)) {
      if (/^https?:/.test(target)) continue
      t.ok(existsSync(join(ROOT, dirname(path), target)), `${path} -> ${target}`)
    }
  }
})
