/** An istiod that is broken, or none: what it says costs a bounded amount of memory and time, and the token stays where it is sent. */
import t from 'tap'
import type { Sight } from '../../src/proxies/expectation.ts'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { cluster, response, startIstiod, synczResponse } from './istiod.ts'

// Too long for the group `local`.
// Measures memory: that of this process.
t.setTimeout(300_000)

const ALL = 'outbound|80||reviews.default.svc.cluster.local'
const SIGHT: Sight = { type: 'cluster', name: ALL, isThere: true }

t.test('what it shows is acknowledged, and syncz is read from the same stream', async (t) => {
  const asked: string[] = []
  let token = ''
  const replica = await startIstiod(
    t,
    ({ type, names, nonce }, stream) => {
      asked.push(`${type.split('.').at(-1)} ${names} ${nonce === '' ? '' : 'ack'}`)
      if (type === TYPES.debug) stream.write(synczResponse(3, '[]'))
      else if (nonce === '') stream.write(response(type, 3, [cluster(ALL)]))
    },
    (sent) => {
      token = sent
    }
  )
  replica.watch([SIGHT])
  while (replica.view.needs([SIGHT]) === null) await replica.changed()
  t.equal(replica.view.needs([SIGHT])?.cluster, 3)
  t.strictSame(await replica.proxies(), [])
  t.strictSame(asked, [`Cluster ${ALL} `, `Cluster ${ALL} ack`, 'io/debug syncz '])
  t.equal(token, 'Bearer secret')
})

t.test('those who ask at the same time share an answer', async (t) => {
  let asked = 0
  const replica = await startIstiod(t, (_, stream) => {
    asked += 1
    stream.write(synczResponse(3, '[]'))
  })
  await Promise.all([replica.proxies(), replica.proxies()])
  t.equal(asked, 1)
})

const ANSWERS: Record<string, (write: (bytes: Buffer) => void, end: (error?: Error) => void) => void> = {
  'an answer larger than 64 MiB': (write) => write(synczResponse(3, ' '.repeat(65 << 20))),
  'bytes that are no message': (write) => write(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])),
  'groups without an end': (write) => write(Buffer.alloc(1 << 20, 0x0b)),
  'resources without number': (write) => write(Buffer.alloc(32 << 20, Buffer.from([0x12, 0]))),
  'resources with fields without number': (write) => write(response(TYPES.cluster, 3, [Buffer.alloc(32 << 20, Buffer.from([0x12, 0]))])),
  'a version of another form': (write) => write(Buffer.concat([synczResponse(3, '[]'), Buffer.from([0x0a, 1, 0x78])])),
  'syncz of another form': (write) => write(synczResponse(3, '{}')),
  'the end of the stream': (_, end) => end(),
  'an error': (_, end) => end(Object.assign(new Error('authentication required'), { code: 16, details: 'authentication required' }))
}
for (const [name, answer] of Object.entries(ANSWERS)) {
  t.test(`${name} is a failure`, async (t) => {
    const replica = await startIstiod(t, (_, stream) =>
      answer(
        (bytes) => stream.write(bytes),
        (error) => (error === undefined ? stream.end() : stream.emit('error', error))
      )
    )
    const before = process.memoryUsage().rss
    const error = await replica.proxies().then(
      () => null,
      (reason: unknown) => reason
    )
    t.ok(error instanceof Error)
    const grownMb = (process.memoryUsage().rss - before) >> 20
    t.ok(grownMb < 400, `${grownMb} MiB, of an answer of 64 MiB at most, in this process that both sends and reads it`)
    t.notMatch(`${error} ${JSON.stringify(error)} ${(error as Error).stack}`, 'secret')
  })
}

t.test('answers without an end are taken one by one', async (t) => {
  const replica = await startIstiod(t, (_, stream) => {
    const flood = () => {
      while (!stream.destroyed && stream.write(response(TYPES.cluster, 3, [Buffer.alloc(1 << 20)])));
      stream.once('drain', flood)
    }
    flood()
  })
  replica.watch([SIGHT])
  const before = process.memoryUsage().rss
  for (let told = 0; told < 200; told += 1) await replica.changed()
  t.ok(process.memoryUsage().rss - before < 300 << 20, `${(process.memoryUsage().rss - before) >> 20} MiB`)
})

t.test('another authority is not istiod', async (t) => {
  const replica = await startIstiod(t, (_, stream) => stream.write(synczResponse(3, '[]')))
  const { openReplica } = await import('../../src/proxies/replica.ts')
  const { createAuthority } = await import('../../src/certificates/self-signed.ts')
  const { certificate } = await createAuthority({ nowMs: Date.now(), days: 1 })
  const other = openReplica({
    target: replica.target,
    serverName: 'istiod.istio-system.svc',
    ca: certificate,
    token: 'secret',
    node: { id: 'x', metadata: {} },
    nowMs: Date.now
  })
  t.teardown(() => other.close())
  await t.rejects(other.proxies())
})
