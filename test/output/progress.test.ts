import t from 'tap'
import { progress, whileWaiting } from '../../src/output/progress.ts'

function terminal() {
  let ms = 0
  const shown: string[] = []
  return { io: { status: (text: string) => void shown.push(text), nowMs: () => ms }, shown, pass: (passed: number) => (ms += passed) }
}

t.test('what is over within a second says nothing', async (t) => {
  const { io, shown, pass } = terminal()
  const { at, done } = progress(io)
  at('1 of 2')
  pass(999)
  at('2 of 2')
  done()
  t.strictSame(shown, [])
})

t.test('what takes longer is told now and then, and taken away', async (t) => {
  const { io, shown, pass } = terminal()
  const { at, done } = progress(io)
  for (let write = 0; write < 15; write++) {
    at(`${write} of 15`)
    pass(100)
  }
  done()
  t.strictSame(shown, ['10 of 15, 1 s', '12 of 15, 1 s', '14 of 15, 1 s', ''])
})

t.test('others do the work, and fail', async (t) => {
  const { io, shown } = terminal()
  t.equal(await whileWaiting('listing', io, Promise.resolve(7)), 7)
  await t.rejects(whileWaiting('listing', io, Promise.reject(new Error('no'))), { message: 'no' })
  t.strictSame(shown, [])
})

t.test('no terminal, no line', async (t) => {
  let ms = 0
  const { at, done } = progress({ status: null, nowMs: () => (ms += 5000) })
  t.doesNotThrow(() => at('1'))
  t.doesNotThrow(done)
})
