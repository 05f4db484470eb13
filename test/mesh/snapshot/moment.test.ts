import fc from 'fast-check'
import t from 'tap'
import { indexesOf, KINDS, keysOf, type MeshObject } from '../../../src/kinds/index.ts'
import { Moment } from '../../../src/mesh/snapshot/moment.ts'
import type { Snapshot, World } from '../../../src/mesh/snapshot/snapshot.ts'
import { parsed, worldOf } from '../../changes.ts'
import {
  backend,
  backends,
  deployment,
  destinationRule,
  guide,
  guideAtGateway,
  httpRoute,
  type Manifest,
  rule,
  service,
  to,
  virtualService
} from '../../manifests.ts'
import { copyOf } from '../../scenarios/behind.ts'

const WRITTEN: readonly Manifest[] = [
  service(),
  service({ ports: [{ name: 'http', port: 4000 }] }),
  service({}, { name: 'other' }),
  destinationRule(['v1']),
  virtualService([rule([to('v2')])]),
  virtualService([rule([to('v2')])], { hosts: ['other'] }, { name: 'other' }),
  httpRoute([backends([backend('v2')])]),
  httpRoute([backends([backend('v1')])], {}, { name: 'other' }),
  deployment('v3')
]

/** All that can be asked of a snapshot, with the keys that any of these objects has. */
function answers(snapshot: Snapshot, objects: readonly MeshObject[]): unknown {
  const byName = (found: Iterable<MeshObject>) =>
    [...found].map(({ kind, namespace, name, ...rest }) => [kind, namespace, name, rest]).sort()
  return {
    all: KINDS.map((kind) => byName(snapshot.all(kind))),
    found: objects.map(({ kind, namespace, name }) => snapshot.find(kind, namespace, name) ?? null),
    lookedUp: objects.flatMap((object) =>
      indexesOf(object.kind).flatMap((index) =>
        keysOf(index, object).map((key) => [index, key, snapshot.has(index, key), byName(snapshot.lookup(index, key))])
      )
    ),
    pods: byName(snapshot.podsAnywhere({ app: 'helloworld' }))
  }
}

function everything(world: World): MeshObject[] {
  return KINDS.flatMap((kind) => [...world.all(kind)])
}

t.test('a moment shows what was there, whatever comes and goes', async (t) => {
  const write = fc.record({ at: fc.nat(WRITTEN.length - 1), removes: fc.boolean() })
  const property = fc.property(
    fc.boolean(),
    fc.array(write, { maxLength: 8 }),
    fc.array(write, { maxLength: 12 }),
    (isRouted, earlier, later) => {
      const world = worldOf(isRouted ? guideAtGateway() : guide())
      const make = ({ at, removes }: { at: number; removes: boolean }) => {
        const object = parsed(WRITTEN[at] ?? service())
        if (removes) world.delete(object)
        else world.set(object)
      }
      earlier.forEach(make)
      const copy = copyOf(world)
      const moment = new Moment(world)
      later.forEach(make)
      const objects = [...everything(copy), ...everything(world), ...WRITTEN.map(parsed)]
      t.strictSame(answers(moment, objects), answers(copy, objects))
      moment.end()
    }
  )
  fc.assert(property, { numRuns: 60 })
})

t.test('only what its reader came across makes it outdated', async (t) => {
  const read: readonly (readonly [string, (moment: Moment) => unknown])[] = [
    ['found by name', (moment) => moment.find('Service', 'default', 'helloworld')],
    ['looked up', (moment) => moment.lookup('destinationRuleByHost', 'helloworld.default.svc.cluster.local')],
    ['walked over', (moment) => [...moment.all('VirtualService')]],
    ['Pods by a selector', (moment) => [...moment.podsAnywhere({ app: 'helloworld' })]]
  ]
  const changes: readonly (readonly [string, (world: World) => void])[] = [
    ['found by name', (world) => world.set(parsed(service({ ports: [{ name: 'http', port: 4000 }] })))],
    ['looked up', (world) => world.set(parsed(destinationRule(['v1'])))],
    ['walked over', (world) => world.set(parsed(virtualService([], {}, { name: 'other' })))],
    ['Pods by a selector', (world) => world.delete([...world.all('Pod')][0] ?? parsed(service()))]
  ]
  for (const [asked, ask] of read) {
    for (const [changed, change] of changes) {
      const world = worldOf(guide())
      const moment = new Moment(world)
      ask(moment)
      t.notOk(moment.isOutdated(world))
      change(world)
      t.equal(moment.isOutdated(world), asked === changed, `${asked}, and ${changed} changes`)
      moment.end()
    }
  }
})

t.test('an object written again as it was changes nothing', async (t) => {
  const world = worldOf(guide())
  const moment = new Moment(world)
  const stored = moment.find('Service', 'default', 'helloworld')
  if (stored === undefined) throw new Error('the guide has a Service')
  world.set({ ...stored, resourceVersion: '8' })
  t.notOk(moment.isOutdated(world))
  t.ok(moment.isOutdated(copyOf(world)), 'another snapshot stands in its place')
})

t.test('what is written again keeps its place among those of its host', async (t) => {
  const names = ['first', 'second', 'third']
  const world = worldOf(names.map((name) => virtualService([rule([to('v1')])], {}, { name })))
  const moment = new Moment(world)
  const [first] = [...world.all('VirtualService')]
  if (first === undefined) throw new Error('there are three')
  world.set({ ...first, resourceVersion: '8' })
  const found = [...moment.lookup('virtualServiceByHost', 'helloworld.default.svc.cluster.local')]
  t.strictSame(
    found.map(({ name }) => name),
    names
  )
  moment.end()
})
