import t from 'tap'
import { deadlineMs } from '../../src/server/deadline.ts'

t.test('the API server gets its answer 200 ms before it stops waiting, or at half of a shorter time', async (t) => {
  const cases: [unknown, number][] = [
    ['3s', 2800],
    ['1500ms', 1300],
    ['1.5s', 1300],
    ['.5s', 300],
    ['1m', 29_800],
    ['1m30s', 29_800],
    ['10h', 29_800],
    ['300ms', 150],
    ['1000us', 0.5]
  ]
  for (const [timeout, expected] of cases) t.equal(deadlineMs(timeout), expected, String(timeout))
})

t.test('what is no duration grants the default of 10 s', async (t) => {
  for (const timeout of [undefined, '', '3', 's', '0s', '-1s', '3s ', '3 s', 'abc', '1s2', ['1s', '2s'], '1s'.repeat(100_000)]) {
    t.equal(deadlineMs(timeout), 9800, String(timeout).slice(0, 20))
  }
})
