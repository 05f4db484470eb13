import { Readable } from 'node:stream'
import t from 'tap'
import { tally } from './tally.ts'

const FILE = 'test/a.test.ts'

/** A file's own lines, indented under its point as tap writes them. */
function file(point: string, ...lines: string[]): string {
  return [`# Subtest: ${FILE}`, ...lines.map((line) => `    ${line}`), `${point} - ${FILE}`, '1..1', ''].join('\n')
}

const cases: Record<string, { tap: string; passed: number; failed: number; skipped?: number; fault?: string; time?: number }> = {
  'assertions count wherever they stand': {
    tap: file('ok 1', 'ok 1 - first', '# Subtest: inner', '    ok 1 - second', '    ok 2 - third', '    1..2', 'ok 2 - inner', '1..2'),
    passed: 3,
    failed: 0
  },
  'the time of a file is told': {
    tap: `# Subtest: ${FILE}\n    ok 1 - done\n    1..1\nok 1 - ${FILE} # time=1234.5ms\n1..1\n`,
    passed: 1,
    failed: 0,
    time: 1234.5
  },
  'a failed assertion counts once, not once a level': {
    tap: file('not ok 1', '# Subtest: inner', '    not ok 1 - wrong', '    ok 2 - right', '    1..2', 'not ok 1 - inner', '1..1'),
    passed: 1,
    failed: 1
  },
  'a skipped assertion has not passed': {
    tap: file('ok 1', 'ok 1 - done', 'ok 2 - later # SKIP no cluster', '1..2'),
    passed: 1,
    failed: 0,
    skipped: 1
  },
  'a subtest without assertions counts as one': {
    tap: file('ok 1', '# Subtest: it does not throw', '    1..0', 'ok 1 - it does not throw', '1..1'),
    passed: 1,
    failed: 0
  },
  'a subtest that ran out of time counts as failed, what it asserted before as passed': {
    tap: file('not ok 1', '# Subtest: slow', '    ok 1 - so far', '    1..1', 'not ok 1 - slow', '1..1'),
    passed: 1,
    failed: 1
  },
  'a file that crashed after its last assertion has failed': {
    tap: file('not ok 1', 'ok 1 - done', '1..1'),
    passed: 1,
    failed: 1,
    fault: 'ended badly'
  },
  'a file that ran out of time has failed': {
    tap: ['not ok 1 - timeout!', '  ---', `  expired: ${FILE}`, '  ...', '1..1', ''].join('\n'),
    passed: 0,
    failed: 1,
    fault: 'timed out'
  },
  'a file that asserts nothing has failed': {
    tap: `ok 1 - ${FILE} # SKIP no tests found\n1..1\n`,
    passed: 0,
    failed: 1,
    fault: 'asserted nothing'
  },
  'a file that tap did not get to has failed': { tap: '1..0\n', passed: 0, failed: 1, fault: 'was not run' }
}

for (const [name, { tap, passed, failed, skipped = 0, fault, time }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const files: unknown[] = []
    const failures: string[] = []
    const counts = await tally(Readable.from([`TAP version 14\n${tap}`]), [FILE], {
      file: (...heard) => files.push(heard),
      failure: ({ name }) => failures.push(name),
      text: (line) => t.fail(`printed: ${line}`)
    })
    t.strictSame(counts, { passed, failed, skipped })
    t.strictSame(files, [[FILE, counts, fault, time]])
    t.equal(failures.length, fault === undefined ? failed : 0)
  })
}

t.test("what a test prints is passed on, and tap's own remarks are not", async (t) => {
  const printed: string[] = []
  const tap = file('ok 1', '# 1000 of 1000 worlds agree', 'a line', 'ok 1 - done', '1..1', '# time=12ms')
  await tally(Readable.from(tap.split(/(?<=\n)/)), [FILE], { file: () => {}, failure: () => {}, text: (line) => printed.push(line) })
  t.strictSame(printed, ['# 1000 of 1000 worlds agree\n', '    a line\n'])
})
