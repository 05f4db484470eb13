/** What comments cite is there to be read, and each statement names what shows it. */
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const page = read('docs/istio-semantics.md')
const statements = new Map(
  [...page.matchAll(/^\*\*(\d+\.\d+)\*\* ([\s\S]*?)(?=\n\n|\n$(?![\s\S]))/gm)].map(([, number = '', text = '']) => [number, text])
)
const mtls = [...read('test/proof/mtls/worlds.yaml').matchAll(/^(m\d\d):/gm)].map(([, name = '']) => name)
const named = ['conformance/worlds/named', 'transitions/worlds/hunted'].flatMap((folder) => readdirSync(join(ROOT, 'test', folder)))
const worlds = [...named.map((name) => name.split('-')[0] ?? ''), ...mtls]

/** Numbers in brackets, such as (3.4) or (3.2, 3.8): nothing else in the sources looks so. */
function cited(text: string): string[] {
  const lists = [...text.matchAll(/\((\d+\.\d+(?:(?:,| and) ?\d+\.\d+)*)\)/g)].map(([, list = '']) => list)
  return lists.flatMap((list) => list.split(/, ?| and ?/))
}

t.test('every statement that a comment cites exists', async (t) => {
  const files = ['src', 'test', 'bench'].flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT })).sort()
  const found = new Set<string>()
  for (const file of files) {
    for (const [line] of read(file).matchAll(/^.*(?:\/\/|\*).*$/gm)) {
      for (const number of cited(line)) {
        found.add(number)
        if (!statements.has(number)) t.fail(`${file} cites ${number}`)
      }
    }
  }
  t.ok(found.size > 50, `${found.size} of ${statements.size} are cited`)
})

t.test('they cite each other rightly, and stand in order', async (t) => {
  const argued = [...read('test/conformance/disagreements.yaml').matchAll(/statement: '?(\d+\.\d+)/g)].map(([, number = '']) => number)
  for (const number of [...cited(page), ...argued]) t.ok(statements.has(number), number)
  const numbers = [...statements.keys()].map((number) => number.split('.').map(Number))
  const next = numbers.slice(1).every(([section = 0, at = 0], before) => {
    const [last = 0, lastAt = 0] = numbers[before] ?? []
    return section === last ? at === lastAt + 1 : section === last + 1 && at === 1
  })
  t.ok(next, 'no number is missing')
})

t.test('each names a world that shows it, or says that it was only read', async (t) => {
  for (const [number, text] of statements) {
    const marks = [...text.matchAll(/\[([a-z]\d\d(?: [a-z]\d\d)*)\]/g)].flatMap(([, list = '']) => list.split(' '))
    for (const world of marks) t.equal(worlds.filter((name) => name === world).length, 1, `${number}: ${world}`)
    if (marks.length === 0) t.match(text, /_By reading\._/, number)
  }
})

t.test('no named world is without a statement', async (t) => {
  t.strictSame(
    worlds.filter((world) => /^[a-z]\d\d$/.test(world) && !page.includes(world)),
    []
  )
})

t.test('each statement on the Gateway API names worlds of its own that show it, and none is missing between two', async (t) => {
  const own = read('docs/gateway-api-semantics.md')
  const named = readdirSync(join(ROOT, 'test/conformance/gateway-api/worlds/named')).map((name) => name.split('-')[0] ?? '')
  const found = [...own.matchAll(/^\*\*(\d+)\.(\d+)\*\* (.*)$/gm)].map(([, section, at, text = '']) => ({
    section: Number(section),
    at: Number(at),
    text
  }))
  t.ok(found.length > 20)
  for (const [before, { section, at, text }] of found.entries()) {
    const last = found[before - 1] ?? { section: 0, at: 0 }
    t.ok(section === last.section ? at === last.at + 1 : section === last.section + 1 && at === 1, `${section}.${at}`)
    const marks = [...text.matchAll(/\[([a-j]\d\d(?: [a-j]\d\d)*)\]/g)].flatMap(([, list = '']) => list.split(' '))
    for (const mark of marks) t.equal(named.filter((name) => name === mark).length, 1, `${section}.${at}: ${mark}`)
    if (marks.length === 0) t.match(text, /_By reading\._/, `${section}.${at}`)
  }
})
