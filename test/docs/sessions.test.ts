/** What pages show of a command is what it prints today; `npm run docs` writes it anew. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SESSION_PAGES, session } from './sessions.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8')

for (const page of SESSION_PAGES) {
  t.test(`${page} shows what is printed`, async (t) => t.equal(await session(page), read(page)))
}

t.test('every page that shows what hitless prints is such a page', (t) => {
  const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('{docs,charts,examples,certs}/**/*.md', { cwd: ROOT })]
  t.strictSame(pages.filter((page) => /^ {4}\$ hitless /m.test(read(page))).sort(), [...SESSION_PAGES].sort())
  t.end()
})

t.test('the tutorial brings each of the three mistakes to green', (t) => {
  const [, ...mistakes] = read('docs/tutorial.md').split(/^## The \w+ mistake: /m)
  t.equal(mistakes.length, 3)
  for (const mistake of mistakes) {
    const verdicts = [...mistake.matchAll(/^ {4}\d+ writes?: (\d+) would be denied/gm)].map(([, denied]) => Number(denied))
    t.ok((verdicts[0] ?? 0) > 0, 'it is refused first')
    t.ok(verdicts.slice(1).includes(0), 'and then it is not')
  }
  t.end()
})
