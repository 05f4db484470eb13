import { Readable } from 'node:stream'
import t from 'tap'
import { type Ending, tally } from './tally.ts'

const WELL: Ending = { code: 0, isLate: false }

const lines = (...all: string[]) => ['TAP version 14', ...all, ''].join('\n')

const cases: Record<string, { tap: string; ending?: Ending; passed: number; failed: number; skipped?: number; fault?: string }> = {
  'assertions count wherever they stand': {
    tap: lines('ok 1 - first', '# Subtest: inner', '    ok 1 - second', '    ok 2 - third', '    1..2', 'ok 2 - inner', '1..2'),
    passed: 3,
    failed: 0
  },
  'a failed assertion counts once, not once a level': {
    tap: lines('# Subtest: inner', '    not ok 1 - wrong', '    ok 2 - right', '    1..2', 'not ok 1 - inner', '1..1'),
    ending: { code: 1, isLate: false },
    passed: 1,
    failed: 1
  },
  'a failed assertion two levels down counts once': {
    tap: lines(
      '# Subtest: a',
      '    # Subtest: b',
      '        not ok 1 - c',
      '        1..1',
      '    not ok 1 - b',
      '    1..1',
      'not ok 1 - a',
      '1..1'
    ),
    ending: { code: 1, isLate: false },
    passed: 0,
    failed: 1
  },
  'a skipped assertion has not passed': {
    tap: lines('ok 1 - done', 'ok 2 - later # SKIP no cluster', '1..2'),
    passed: 1,
    failed: 0,
    skipped: 1
  },
  'a subtest without assertions counts as one': {
    tap: lines('# Subtest: it does not throw', '    1..0', 'ok 1 - it does not throw', '1..1'),
    passed: 1,
    failed: 0
  },
  'a subtest that ran out of time counts as failed, what it asserted before as passed': {
    tap: lines('# Subtest: slow', '    ok 1 - so far', '    1..1', 'not ok 1 - slow', '1..1'),
    ending: { code: 1, isLate: false },
    passed: 1,
    failed: 1
  },
  'a file that crashed after its last assertion has failed': {
    tap: lines('ok 1 - done', '1..1'),
    ending: { code: null, isLate: false },
    passed: 1,
    failed: 1,
    fault: 'ended badly'
  },
  'a file that ran out of time has failed': {
    tap: lines('ok 1 - done'),
    ending: { code: null, isLate: true },
    passed: 1,
    failed: 1,
    fault: 'timed out'
  },
  'a file that leaves before its plan has failed, with whatever code': {
    tap: lines('ok 1 - done'),
    passed: 1,
    failed: 1,
    fault: 'ended badly'
  },
  'a file that asserts nothing has failed': { tap: lines('1..0 # no tests found'), passed: 0, failed: 1, fault: 'asserted nothing' },
  'a file that prints nothing has failed': { tap: '', passed: 0, failed: 1, fault: 'asserted nothing' }
}

for (const [name, { tap, ending = WELL, passed, failed, skipped = 0, fault }] of Object.entries(cases)) {
  t.test(name, async (t) => {
    const failures: string[] = []
    const found = await tally(Readable.from([tap]), Promise.resolve(ending), {
      failure: ({ name }) => failures.push(name),
      text: (line) => t.fail(`printed: ${line}`)
    })
    t.strictSame(found, { counts: { passed, failed, skipped }, fault })
    t.equal(failures.length, fault === undefined ? failed : 0)
  })
}

t.test("what a test prints is passed on, and tap's own remarks are not", async (t) => {
  const printed: string[] = []
  const tap = lines('# 1000 of 1000 worlds agree', 'a line', 'ok 1 - done', '1..1', '# time=12ms')
  const listener = { failure: () => {}, text: (line: string) => printed.push(line) }
  await tally(Readable.from(tap.split(/(?<=\n)/)), Promise.resolve(WELL), listener)
  t.strictSame(printed, ['# 1000 of 1000 worlds agree\n', 'a line\n'])
})
