import t from 'tap'
import type { Kind } from '../../../src/kinds/index.ts'
import { type ControlPlane, startControlPlane } from '../../rig/control-plane.ts'
import { FaultProxy, type Stream } from './fault-proxy.ts'
import {
  call,
  collection,
  Followed,
  held,
  verdictOnRemoval,
  writeKubeconfig,
  writeServedApp,
  writeService,
  writeVirtualService
} from './fixtures.ts'
import { errorEvent, STREAM_FAULTS } from './stream-faults.ts'

const KINDS: readonly Kind[] = ['Namespace', 'Service', 'VirtualService', 'DestinationRule', 'ServiceEntry', 'Pod']
/** Of these one is written by each `write`. */
const WRITTEN: readonly Kind[] = ['Service', 'VirtualService']
const CRD = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

type Test = Pick<typeof t, 'equal' | 'ok' | 'notOk' | 'strictSame' | 'match'>

let plane: ControlPlane
let proxy: FaultProxy
let url: string
let written = 0

t.setTimeout(600_000)

t.before(async () => {
  plane = await startControlPlane({ controllers: false })
  proxy = new FaultProxy(plane)
  url = await proxy.listen()
  await writeServedApp(plane, 'served')
  await write()
})

t.after(async () => {
  await proxy.close()
  await plane.stop()
})

t.beforeEach(() => {
  proxy.answer = () => null
  proxy.requests.length = 0
})

/** Writes one object of each kind but Namespace. */
async function write(): Promise<void> {
  written += 1
  await writeService(plane, `service-${written}`)
  await writeVirtualService(plane, `route-${written}`)
}

function follow(token: string = 'token', timings = {}): Followed {
  return new Followed(writeKubeconfig(plane.directory, url, token), timings, KINDS)
}

function streams(): Stream[] {
  return [...proxy.streams('services'), ...proxy.streams('virtualservices')]
}

/**
 * Follows the cluster through `harm` and sees that all is as the server has it, and never was empty or unknown on the way: a careless write
 * was refused after every single event.
 */
async function survives(t: Test, harm: (followed: Followed) => Promise<void>, timings = {}): Promise<Followed> {
  const followed = follow('token', timings)
  await followed.start()
  const verdicts = new Set<string>()
  followed.each(() => verdicts.add(verdictOnRemoval(followed.cluster.snapshot(), 'served')))
  await harm(followed)
  await write()
  for (const kind of KINDS) await sameAs(t, followed, kind)
  t.ok(Math.min(...WRITTEN.map((kind) => followed.fewest.get(kind) ?? 0)) > 0, `never empty: ${JSON.stringify([...followed.fewest])}`)
  t.strictSame([...verdicts], ['deny'], 'no review was answered from an empty store')
  t.notOk(followed.forgot, 'never unknown')
  await followed.stop()
  return followed
}

/** The server's state is awaited, and then compared object by object. */
async function sameAs(t: Test, followed: Followed, kind: Kind): Promise<void> {
  const expected = await held(plane, kind)
  await followed.until(`${kind} is as the server has it`, () => JSON.stringify(followed.objects(kind)) === JSON.stringify(expected))
  t.strictSame(followed.objects(kind), expected, `${kind} is as the server has it`)
}

for (const { name, why, harm } of STREAM_FAULTS) {
  t.test(`${name} is survived`, async (t) => {
    const followed = await survives(t, async (followed) => {
      for (const stream of streams()) harm(stream)
      // While nobody listens.
      await write()
      await followed.until('both were interrupted', () => WRITTEN.every((kind) => followed.interruptions(kind, why) > 0))
    })
    if (why !== 'idle') t.equal(followed.interruptions('Namespace', why), 0, 'other kinds go on')
    const lists = why === 'malformed' || why === 'expired' ? 2 : 1
    t.equal(followed.count('synced', 'Service'), lists, `listed ${lists} times`)
  })
}

t.test('a server that asks to wait is left alone as long', async (t) => {
  const askedAtMs: number[] = []
  await survives(t, async (followed) => {
    proxy.answer = (path) => {
      if (!path.includes('/services?')) return null
      askedAtMs.push(performance.now())
      if (askedAtMs.length > 2) return null
      return { status: 429, headers: { 'retry-after': '1' }, body: { code: 429, reason: 'TooManyRequests' } }
    }
    for (const stream of streams()) stream.reset()
    await write()
    await followed.until('refused twice', () => followed.interruptions('Service', 'refused') === 2)
  })
  const [first = 0, second = 0, third = 0] = askedAtMs
  t.ok(second - first >= 1000, `waited ${second - first} ms`)
  t.ok(third - second >= 1000, `waited ${third - second} ms`)
})

t.test('a storm of refusals at the start is waited out', async (t) => {
  let refused = 0
  proxy.answer = () => {
    refused += 1
    return refused > 12 ? null : { status: 429, headers: { 'retry-after': '1' }, body: { code: 429, reason: 'TooManyRequests' } }
  }
  const followed = await survives(t, async () => undefined)
  t.ok(KINDS.every((kind) => followed.count('synced', kind) === 1))
  t.ok(refused > 12)
})

t.test('a storm of errors is survived', async (t) => {
  let answers = 0
  await survives(t, async (followed) => {
    proxy.answer = () => (answers++ < 20 ? { status: 500 + (answers % 4), body: 'not even a Status' } : null)
    for (const stream of streams()) stream.reset()
    await write()
    await followed.until('all errors were seen', () => followed.interruptions('Service', 'refused') > 1)
  })
})

t.test('a server without streaming lists is listed in pages', async (t) => {
  proxy.answer = (path) => (path.includes('sendInitialEvents') ? { status: 422, body: { code: 422, reason: 'Invalid' } } : null)
  await survives(t, async (followed) => {
    await write()
    for (const stream of streams()) stream.inject(errorEvent(410, 'Expired'))
    await followed.until('listed again', () => followed.count('synced', 'Service') === 2)
  })
  t.ok(proxy.requests.some((path) => path.includes('limit=500')))
})

t.test('a streaming list that never comes to its end gives way to pages', async (t) => {
  proxy.answer = (path) => (path.includes('sendInitialEvents') ? 'hang' : null)
  await survives(t, async () => undefined)
})

t.test('a list that trickles shows nothing before it is whole', async (t) => {
  await survives(t, async (followed) => {
    proxy.trickleMs = 100
    for (const stream of streams()) stream.inject(errorEvent(410, 'Expired'))
    await followed.until('listed again', () => followed.count('synced', 'Service') === 2)
    proxy.trickleMs = 0
  })
})

t.test('a list that is cut shows nothing of it', async (t) => {
  const followed = await survives(t, async (followed) => {
    // What comes after the request for a list waits in the proxy, so that the list is cut within.
    proxy.trickleMs = 500
    const known = proxy.streams('services')
    for (const stream of known) stream.inject(errorEvent(410, 'Expired'))
    const list = await proxy.opened('services', known)
    list.end()
    proxy.trickleMs = 0
    await followed.until('it is listed in pages', () => followed.count('synced', 'Service') === 2)
  })
  t.equal(followed.interruptions('Service', 'unsupported'), 1)
})

t.test('pages that are cut, or whose history is gone, are asked for again', async (t) => {
  const broken = [
    { status: 200, text: '{"items":[{"metadata":{"name":' },
    { status: 410, body: { code: 410, reason: 'Expired' } }
  ]
  await survives(t, async (followed) => {
    proxy.answer = (path) => {
      if (!path.includes('/services?')) return null
      if (path.includes('sendInitialEvents')) return { status: 422, body: { code: 422, reason: 'Invalid' } }
      return path.includes('limit=') ? (broken.shift() ?? null) : null
    }
    for (const stream of proxy.streams('services')) stream.inject(errorEvent(410, 'Expired'))
    await followed.until('listed again', () => followed.count('synced', 'Service') === 2)
  })
  t.equal(broken.length, 0)
})

t.test('events that come in pieces are put together', async (t) => {
  await survives(t, async (followed) => {
    proxy.pieceBytes = 7
    for (const stream of streams()) stream.reset()
    await write()
    await followed.until('interrupted', () => WRITTEN.every((kind) => followed.interruptions(kind, 'broken') > 0))
  })
  proxy.pieceBytes = 0
})

t.test('history that a restarted API server really does not have is listed anew', async (t) => {
  const followed = await survives(t, async (followed) => {
    proxy.answer = () => ({ status: 503 })
    for (const stream of proxy.streams()) stream.reset()
    await write()
    await plane.restart('kube-apiserver')
    proxy.answer = () => null
    await followed.until('its history is gone', () => followed.interruptions('Service', 'expired') > 0)
  })
  t.equal(followed.count('synced', 'Service'), 2)
})

t.test('a watch that ends in time is followed by the next, from where it was', async (t) => {
  const followed = await survives(t, async () => {
    for (const stream of streams()) stream.end()
    await write()
  })
  t.equal(followed.count('synced', 'Service'), 1)
})

t.test('a new token is read once the old one is refused', async (t) => {
  const followed = follow('old')
  await followed.start()
  proxy.answer = (_path, authorization) => (authorization === 'Bearer new' ? null : { status: 401, body: { code: 401 } })
  writeKubeconfig(plane.directory, url, 'new')
  for (const stream of streams()) stream.reset()
  await write()
  await sameAs(t, followed, 'Service')
  await followed.stop()
})

t.test('an event that comes late changes nothing', async (t) => {
  const followed = await survives(t, async (followed) => {
    const path = `${collection('Service', 'default')}/service-1`
    const old = await call(plane, 'GET', path)
    await call(plane, 'PATCH', path, { metadata: { labels: { changed: 'yes' } } })
    await followed.until('the change shows', () => followed.objects('Service').some(({ labels }) => labels['changed'] === 'yes'))
    for (const stream of proxy.streams('services')) stream.inject(`${JSON.stringify({ type: 'MODIFIED', object: old })}\n`)
    await followed.until('it was skipped', () => followed.count('skipped', 'Service') === 1)
  })
  t.equal(followed.count('synced', 'Service'), 1)
})

t.test('a difference that does not go away by itself is found and repaired', async (t) => {
  const followed = await survives(
    t,
    async (followed) => {
      const victim = await call(plane, 'GET', `${collection('Service', 'default')}/service-1`)
      for (const stream of proxy.streams('services')) stream.inject(`${JSON.stringify({ type: 'DELETED', object: victim })}\n`)
      await followed.until('listed again', () => followed.count('synced', 'Service') === 2)
    },
    { compareMs: 800 }
  )
  const drifted = followed.events.filter((event) => event.type === 'compared' && event.drifted > 0)
  t.match(drifted, [{ kind: 'Service', drifted: 1 }])
})

t.test('a kind of which there is no object is known to be empty', async (t) => {
  const followed = new Followed(plane.kubeconfig, {}, ['Sidecar', 'Service'])
  await followed.start()
  t.ok(followed.cluster.snapshot().knows('Sidecar'))
  t.strictSame(followed.objects('Sidecar'), [])
  await followed.stop()
})

for (const component of ['kube-apiserver', 'etcd'] as const) {
  t.test(`a restart of ${component} is survived`, async (t) => {
    await survives(t, async () => {
      await plane.restart(component)
      await write()
    })
  })
}

// Last, since every object of the kind goes with its definition.
t.test('a kind whose definition is removed is empty and unknown, and noticed when it is back', async (t) => {
  const followed = follow()
  await followed.start()
  const path = `${CRD}/virtualservices.networking.istio.io`
  const { spec } = await call<{ spec: unknown }>(plane, 'GET', path)
  await call(plane, 'DELETE', path)
  await followed.until('it is unserved', () => followed.count('unserved', 'VirtualService') === 1)
  t.strictSame(followed.objects('VirtualService'), [])
  t.notOk(followed.cluster.snapshot().knows('VirtualService'))
  t.ok(followed.cluster.health().fresh, 'nothing else suffers')

  const definition = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', spec }
  await call(plane, 'POST', CRD, { ...definition, metadata: { name: 'virtualservices.networking.istio.io' } })
  await followed.until('it is back', () => followed.cluster.snapshot().knows('VirtualService'))
  await write()
  await sameAs(t, followed, 'VirtualService')
  await followed.stop()
})

// The control plane's processes would keep this one alive, and with it the end of the tests.
t.end()
