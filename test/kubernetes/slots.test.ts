import t from 'tap'
import { Slots } from '../../src/kubernetes/slots.ts'

const never = new AbortController().signal

t.test('so many work at a time, in the order of asking, whatever becomes of the others', async (t) => {
  const slots = new Slots(2)
  const started: number[] = []
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>())
  const work = ends.map(({ promise }, at) =>
    slots.run(never, () => {
      started.push(at)
      return promise
    })
  )
  const turn = () => new Promise(setImmediate)
  await turn()
  t.strictSame(started, [0, 1])
  ends[1]?.reject(new Error('broken'))
  await t.rejects(async () => void (await work[1]), { message: 'broken' })
  await turn()
  t.strictSame(started, [0, 1, 2])
  for (const [at, { resolve }] of ends.entries()) resolve(at)
  t.strictSame(await Promise.all(work.filter((_, at) => at !== 1)), [0, 2, 3, 4])
  t.strictSame(started, [0, 1, 2, 3, 4])
})

t.test('who leaves while he waits takes no place', async (t) => {
  const slots = new Slots(1)
  const first = Promise.withResolvers<string>()
  const busy = slots.run(never, () => first.promise)
  const leaving = new AbortController()
  const left = slots.run(leaving.signal, async () => t.fail('it was done all the same'))
  const last = slots.run(never, async () => 'last')
  leaving.abort(new Error('gone'))
  await t.rejects(left, { message: 'gone' })
  await t.rejects(
    slots.run(leaving.signal, async () => undefined),
    { message: 'gone' }
  )
  first.resolve('first')
  t.strictSame(await Promise.all([busy, last]), ['first', 'last'])
})

t.test('who had the last place lets others go first', async (t) => {
  const slots = new Slots(1)
  const order: string[] = []
  const work = ['one', 'one', 'one', 'other', 'one', 'third'].map(async (asker) => {
    const giveBack = await slots.take(never, asker)
    order.push(asker)
    await new Promise(setImmediate)
    giveBack()
  })
  await Promise.all(work)
  t.strictSame(order, ['one', 'other', 'one', 'third', 'one', 'one'])
})
