import t from 'tap'
import { Interned } from '../../../src/cluster/intern.ts'
import { Backoff } from '../../../src/kubernetes/backoff.ts'
import { sleep } from '../../../src/kubernetes/clock.ts'
import { LineSplitter } from '../../../src/kubernetes/lines.ts'
import { Watchdog } from '../../../src/kubernetes/watchdog.ts'
import { isLater } from '../../../src/mesh/snapshot/resource-version.ts'
import { VirtualClock } from '../../virtual-clock.ts'

t.test('lines come out whole, wherever the stream is cut', async (t) => {
  const text = '{"name":"größe"}\n\n{"name":"💧"}\nrest'
  const bytes = Buffer.from(text)
  for (let at = 0; at <= bytes.length; at += 1) {
    const lines = new LineSplitter([])
    const found = [...lines.push(bytes.subarray(0, at)), ...lines.push(bytes.subarray(at))]
    t.strictSame(found, ['{"name":"größe"}', '{"name":"💧"}'], `cut at byte ${at}`)
    t.equal(lines.pendingBytes, 4)
  }
})

t.test('of a line that is too long only what it is about is kept, and the next line is whole again', async (t) => {
  const metadata = { annotations: { 'object.metadata.name': 'not this', name: '"nor this' }, name: 'grö"ße', uid: 'u' }
  const event = {
    type: 'MODIFIED',
    object: { list: [{ name: 'x' }, ['y']], metadata, spec: { metadata: { name: 'z' }, text: '<\\"'.repeat(99) } }
  }
  const bytes = Buffer.from(`${JSON.stringify(event).replaceAll('<', '\\u003c')}\n{"next":1}\n`)
  for (let size = 1; size < 40; size += 3) {
    const lines = new LineSplitter(['type', 'object.metadata.name', 'object.metadata.uid', 'object.metadata.namespace'], 100)
    const found = []
    for (let at = 0; at < bytes.length; at += size) found.push(...lines.push(bytes.subarray(at, at + size)))
    const texts = new Map([
      ['type', 'MODIFIED'],
      ['object.metadata.name', 'grö"ße'],
      ['object.metadata.uid', 'u']
    ])
    t.strictSame(found, [{ bytes: bytes.length - '{"next":1}\n'.length - 1, texts }, '{"next":1}'], `in pieces of ${size} bytes`)
    t.equal(lines.pendingBytes, 0)
  }
})

const versions: [one: string, other: string, later: boolean | null][] = [
  ['10', '9', true],
  ['9', '10', false],
  ['123', '123', false],
  ['340282366920938463463374607431768211455', '340282366920938463463374607431768211454', true],
  ['9007199254740993', '9007199254740992', true],
  ['010', '9', null],
  ['', '9', null],
  ['abc', '9', null]
]

for (const [one, other, later] of versions) {
  t.test(`resourceVersion "${one}" is later than "${other}": ${later}`, async (t) => {
    t.equal(isLater(one, other), later)
  })
}

t.test('a retry waits a random share of a doubling delay, never less than the server asked for', async (t) => {
  const backoff = new Backoff(100, 1000, () => 1)
  t.strictSame(
    [1, 2, 3, 4, 5, 6].map(() => backoff.next()),
    [100, 200, 400, 800, 1000, 1000]
  )
  backoff.reset()
  t.equal(backoff.next(5000), 5100)
  t.equal(new Backoff(100, 1000, () => 0).next(7000), 7000)
})

t.test('equal values are shared', async (t) => {
  const interned = new Interned()
  t.equal(interned.share({ app: 'a' } as object), interned.share({ app: 'a' }))
  t.not(interned.share({ app: 'a' } as object), interned.share({ app: 'b' }))
  t.not(interned.share<unknown>('{}'), interned.share<unknown>({}), 'a string is not what it looks like')
})

t.test('a sleep ends with its time or with its signal, and leaves no timer', async (t) => {
  const clock = new VirtualClock()
  const controller = new AbortController()
  const slept = sleep(clock, 100, controller.signal)
  await clock.pass(100)
  await slept
  const woken = sleep(clock, 100, controller.signal)
  controller.abort()
  await woken
  t.equal(clock.waiting, 0)
  await sleep(clock, 100, controller.signal)
})

t.test('a watchdog ends when nobody tells it that all is well, and with its parent', async (t) => {
  const clock = new VirtualClock()
  const parent = new AbortController()
  const idle = new Error('idle')
  const watchdog = new Watchdog(clock, parent.signal)
  watchdog.arm(100, () => idle)
  await clock.pass(99)
  watchdog.arm(100, () => idle)
  await clock.pass(99)
  t.notOk(watchdog.signal.aborted)
  await clock.pass(1)
  t.equal(watchdog.signal.reason, idle)

  const other = new Watchdog(clock, parent.signal)
  other.arm(100, () => idle)
  parent.abort(new Error('over'))
  t.match(other.signal.reason, { message: 'over' })
  other.stop()
  t.equal(clock.waiting, 0)
})
