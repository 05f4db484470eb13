import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, relative } from 'node:path'
import t from 'tap'
import { type Counts, tally } from './tally.ts'

const ROOT = join(import.meta.dirname, '..')

t.test('each of several files in one process counts by itself, and one that asserts nothing or breaks fails', async (t) => {
  const folder = relative(
    ROOT,
    t.testdir({
      'right.ts': "import t from 'tap'\nt.test('inner', async (t) => {\n  t.pass()\n  t.pass()\n})",
      'wrong.ts': "import t from 'tap'\nt.test('inner', async (t) => {\n  t.equal(1, 2)\n})",
      'empty.ts': 'export {}',
      'broken.ts': "throw new Error('broken')",
      'last.ts': "import t from 'tap'\nt.pass()"
    })
  )
  const files = ['right', 'wrong', 'empty', 'broken', 'last'].map((name) => join(folder, `${name}.ts`))
  const child = spawn(process.execPath, [join('test', 'several.ts')], { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(files.join('\n'))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, isLate: false }))
  const parts = new Map<string, Counts>()
  const { counts } = await tally(child.stdout.setEncoding('utf8'), ended, {
    failure: () => undefined,
    text: () => undefined,
    part: (name, counts) => parts.set(name, counts)
  })
  const [right = '', wrong = '', empty = '', broken = '', last = ''] = files
  t.strictSame(parts.get(right), { passed: 2, failed: 0, skipped: 0 })
  t.strictSame(parts.get(wrong), { passed: 0, failed: 1, skipped: 0 })
  t.strictSame(parts.get(`${empty} asserts nothing`), { passed: 0, failed: 1, skipped: 0 })
  t.strictSame(parts.get(broken), { passed: 0, failed: 1, skipped: 0 })
  t.strictSame(parts.get(last), { passed: 1, failed: 0, skipped: 0 })
  t.equal(counts.failed, 3)
})
