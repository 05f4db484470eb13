/** The look for gaps goes on, whatever one host or object does to it. */
import t from 'tap'
import { AuditLoop } from '../../src/cluster/audit-loop.ts'
import { GapBook, type OpenGap } from '../../src/cluster/gap-book.ts'
import type { TellUnjudged } from '../../src/mesh/gaps/allowance.ts'
import type { Target } from '../../src/mesh/gaps/gaps.ts'
import { TooMuchWork } from '../../src/mesh/snapshot/metered.ts'
import { apply, worldOf } from '../changes.ts'
import { guide, type Manifest, rule, service, to, virtualService } from '../manifests.ts'
import { VirtualClock } from '../virtual-clock.ts'

const named = (name: string, subset = 'v1'): Manifest =>
  virtualService([rule([to(subset)])], { hosts: [`${name}.default.svc.cluster.local`] }, { name })
const OTHER = service({}, { name: 'other' })

/** A loop on a world of two hosts; each host is looked at as the test says. */
function rig(find: (target: Target, tell: TellUnjudged) => readonly OpenGap[]) {
  const clock = new VirtualClock()
  const world = worldOf([...guide(), OTHER, named('other')])
  const told: string[] = []
  const end = new AbortController()
  t.teardown(() => end.abort())
  const loop = new AuditLoop({
    clock,
    snapshot: () => world,
    find: (_snapshot, target, tell) => find(target, tell),
    opened: ({ key }) => told.push(`opened ${key}`),
    closed: ({ key }) => told.push(`closed ${key}`),
    failed: (error, what) => told.push(`failed ${what}: ${(error as Error).message}`),
    unjudged: ({ host }) => told.push(`unjudged ${host}`),
    settled: () => told.push('settled')
  })
  const write = (manifest: Manifest) => {
    const { before, after } = apply(world, manifest)
    if (after !== null) world.set(after)
    loop.changed(before, after)
  }
  return { clock, loop, told, write, signal: end.signal }
}

const gapOf = (host: string): OpenGap => ({ key: host, rule: 'undefined-subset', host, object: null, message: '' })
const isOther = ({ host }: Target) => host.startsWith('other.')
const HOST = 'helloworld.default.svc.cluster.local'
const OTHER_HOST = 'other.default.svc.cluster.local'

t.test(
  'of the thousands of gaps of one object a hundred are kept, others again as soon as these have closed, and those of others beside',
  async (t) => {
    const book = new GapBook()
    const target = (host: string): Target => ({ context: { kind: 'mesh', namespace: 'default', labels: {} }, host, namespace: 'default' })
    const gaps = (count: number, name: string, from = 0): OpenGap[] =>
      Array.from({ length: count }, (_, at) => ({
        ...gapOf(`${name} ${from + at}`),
        object: { kind: 'VirtualService', namespace: 'default', name }
      }))
    for (let at = 0; at < 50; at++) book.record(target(`s${at}.com`), gaps(60, 'large', 60 * at), 0)
    book.record(target('small.com'), gaps(1, 'small'), 0)
    t.equal(book.opened(0).length, 101)
    for (let at = 0; at < 50; at++) book.record(target(`s${at}.com`), gaps(60, 'large', 10_000 + 60 * at), 1)
    t.equal(book.closed().length, 100)
    t.equal(book.opened(1).length, 100)
    for (let at = 0; at < 50; at++) book.record(target(`s${at}.com`), [], 2)
    t.equal(book.closed().length, 100)
    t.strictSame(
      [...book.targets()].map(({ host }) => host),
      ['small.com']
    )
  }
)

t.test('a host that cannot be looked at is told and counted, and the others are looked at, from the start on', async (t) => {
  const { clock, loop, told, write, signal } = rig((target) => {
    if (isOther(target)) throw new Error('stack')
    return [gapOf(target.host)]
  })
  t.same(await loop.start(signal), [gapOf(HOST)])
  t.ok(told.includes(`failed ${OTHER_HOST}: stack`))
  told.length = 0
  loop.run(signal)
  write(named('other', 'v2'))
  await clock.pass(1_000)
  t.strictSame([...new Set(told)], [`failed ${OTHER_HOST}: stack`, 'settled'])
  t.same(loop.open(), [gapOf(HOST)])
})

t.test('what was known of a host stays while it cannot be looked at', async (t) => {
  let fails = false
  const { clock, loop, told, write, signal } = rig((target) => {
    if (fails) throw new Error('stack')
    return isOther(target) ? [gapOf(target.host)] : []
  })
  await loop.start(signal)
  loop.run(signal)
  fails = true
  write(named('other', 'v2'))
  await clock.pass(5_000)
  t.same(loop.open(), [gapOf(OTHER_HOST)])
  t.notOk(told.some((line) => line.startsWith('closed')))
})

t.test('a host that takes too much work is told once, and as long as it does', async (t) => {
  let isDear = true
  const { clock, loop, told, write, signal } = rig((target, tell) => {
    if (isOther(target) && isDear) tell({ host: target.host, clients: 'all', error: new TooMuchWork(1, new Map()) })
    return []
  })
  await loop.start(signal)
  t.equal(loop.unjudged, 1)
  loop.run(signal)
  write(named('other', 'v2'))
  await clock.pass(1_000)
  t.equal(told.filter((line) => line === `unjudged ${OTHER_HOST}`).length, 1)
  isDear = false
  write(named('other'))
  await clock.pass(1_000)
  t.equal(loop.unjudged, 0)
})

t.test('a gap is told once it has stayed open, and when it closes', async (t) => {
  let isOpen = false
  const { clock, loop, told, write, signal } = rig((target) => (isOther(target) && isOpen ? [gapOf(target.host)] : []))
  await loop.start(signal)
  loop.run(signal)
  const heard = () => told.filter((line) => line !== 'settled')
  isOpen = true
  write(named('other', 'v2'))
  await clock.pass(1_500)
  t.strictSame(heard(), [])
  await clock.pass(1_500)
  t.strictSame(heard(), [`opened ${OTHER_HOST}`])
  isOpen = false
  write(named('other'))
  await clock.pass(500)
  t.strictSame(heard(), [`opened ${OTHER_HOST}`, `closed ${OTHER_HOST}`])
})

t.test('it shows that it runs where nothing changes', async (t) => {
  const { clock, loop, told, signal } = rig(() => [])
  await loop.start(signal)
  loop.run(signal)
  told.length = 0
  await clock.pass(61_000)
  t.strictSame(told, ['settled', 'settled'])
})
