import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { cyclesIn, importsOf, unusedExports } from './modules.ts'

const ROOT = join(import.meta.dirname, '..')

function modulesIn(...folders: string[]): Map<string, string> {
  const paths = folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT })).sort()
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]))
}

const src = modulesIn('src')

t.test('no modules of src import each other in a circle, types included', async (t) => {
  t.ok(src.size > 0, 'there are modules')
  t.strictSame(cyclesIn(src), [])
})

t.test('what src exports, another file takes', async (t) => {
  t.strictSame(unusedExports(src, modulesIn('test', 'bench')), [])
})

t.test('a circle of three is found, and what only leads to it is not part of it', async (t) => {
  const modules = new Map([
    ['a/a.ts', "import { b } from '../b.ts'"],
    ['b.ts', "import type { C } from './c.ts'"],
    ['c.ts', "export { a } from './a/a.ts'"],
    ['d.ts', "import { a } from './a/a.ts'"],
    ['e.ts', "// import { d } from './d.ts'"]
  ])
  t.strictSame(cyclesIn(modules), [['a/a.ts', 'b.ts', 'c.ts']])
})

t.test('an export that nobody takes is found', async (t) => {
  const modules = new Map([
    ['a.ts', 'export const used = 1\nexport function spare() {}\nexport interface Options {}\nexport const start = (_: Options) => 1'],
    ['b.ts', "import { used, start as begin } from './a.ts'\nexport interface Alone {}"]
  ])
  t.strictSame(unusedExports(modules, new Map()), ['a.ts: spare', 'b.ts: Alone'])
  t.strictSame(unusedExports(modules, new Map([['t/a.ts', "import { spare } from '../a.ts'"]])), ['b.ts: Alone'])
  t.strictSame(unusedExports(modules, new Map([['u.ts', "await import('./a.ts')"]])), ['b.ts: Alone'])
})

t.test('imports of every form are read', async (t) => {
  const text = [
    "import './effects.ts'",
    "import type { A } from './a.ts'",
    "import { type B, c as d } from './b.ts'",
    "import {\n  e,\n  f\n} from './c.ts'",
    "import t from 'tap'",
    "const g = await import('./g.ts')"
  ]
  t.strictSame(importsOf(text.join('\n')), [
    { specifier: './effects.ts', names: 'all', isType: false },
    { specifier: './a.ts', names: ['A'], isType: true },
    { specifier: './b.ts', names: ['B', 'c'], isType: false },
    { specifier: './c.ts', names: ['e', 'f'], isType: false },
    { specifier: 'tap', names: 'all', isType: false },
    { specifier: './g.ts', names: 'all', isType: false }
  ])
})
