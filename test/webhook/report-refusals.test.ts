/** Events about refusals: which are written, with what in them, and how many at most. */
import { Readable } from 'node:stream'
import { pino } from 'pino'
import t from 'tap'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Connection } from '../../src/kubernetes/connection.ts'
import type { Change } from '../../src/review/change.ts'
import { decide } from '../../src/review/decide.ts'
import type { Decision } from '../../src/review/decision.ts'
import { observed } from '../../src/review/observe.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { reportRefusals } from '../../src/webhook/report-refusals.ts'
import { EventSender } from '../../src/webhook/send-events.ts'
import { apply, worldOf } from '../changes.ts'
import { destinationRule, guide } from '../manifests.ts'

const MINUTE_MS = 60_000
const change = apply(worldOf(guide()), destinationRule(['v2']))
const denial = decide(change, worldOf(guide()), DEFAULT_POLICY, 0)
const observation = observed(denial, { ...DEFAULT_POLICY, mode: 'observe' })

interface Written {
  readonly reason: string
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> }
}

/** What an API server would get, by a clock that the test moves. */
function rig() {
  let now = 0
  const written: Written[] = []
  const credentials = { server: 'https://server', proxy: null, namespace: 'hitless-system', headers: {}, tls: {} }
  const connection = new Connection({ current: async () => credentials, reload: () => undefined }, systemClock, () => ({
    request: async ({ body }) => {
      written.push(JSON.parse(String(body)))
      return { statusCode: 201, headers: {}, body: Readable.from(['{}']) }
    },
    close: async () => undefined,
    destroy: async () => undefined
  }))
  const { signal } = new AbortController()
  const sender = new EventSender({ connection, instance: 'one', log: pino({ level: 'silent' }), nowMs: () => now, signal })
  const report = reportRefusals(sender, () => now)
  const refused = async (by: Partial<Change> = {}, decision: Decision = denial) => {
    report({ ...change, ...by }, decision)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const pass = (ms: number) => {
    now += ms
  }
  return { written, refused, pass }
}

const by = (username: string) => ({ author: { username, groups: [], manager: 'kubectl' } })

t.test('an Event names the object, the writer and the rule, and says whether it was refused', async (t) => {
  const { written, refused } = rig()
  await refused(by('alice'))
  await refused(by('alice'), observation)
  t.match(written, [
    {
      reason: 'Refused',
      type: 'Warning',
      action: 'UPDATE',
      note: /^hitless: 100% of requests .*\[subset-in-use\]$/,
      regarding: { kind: 'DestinationRule', namespace: 'default', name: 'helloworld' },
      metadata: { namespace: 'default', annotations: { 'hitless.io/user': 'alice', 'hitless.io/rules': 'subset-in-use' } }
    },
    { reason: 'WouldBeRefused', note: /^hitless: 100% of requests / }
  ])
})

t.test('one who tries again and again makes one in five minutes, another one his own, and a dry run none', async (t) => {
  const { written, refused, pass } = rig()
  for (let times = 0; times < 10; times++) {
    await refused(by('argo'))
    pass(29_000)
  }
  t.equal(written.length, 1)
  await refused(by('alice'))
  await refused({ ...by('bob'), dryRun: true })
  t.equal(written.length, 2)
  pass(MINUTE_MS)
  await refused(by('argo'))
  t.equal(written.length, 3)
})

t.test('whoever asks, there are sixty a minute at most', async (t) => {
  const { written, refused, pass } = rig()
  for (let stranger = 0; stranger < 200; stranger++) await refused(by(`stranger-${stranger}`))
  t.equal(written.length, 60)
  pass(MINUTE_MS)
  await refused(by('alice'))
  t.equal(written.length, 61)
})

t.test("what a writer's name holds is one line of a bounded length", async (t) => {
  const { written, refused } = rig()
  await refused(by(`a\n\u001b[2K${'x'.repeat(100_000)}`))
  const user = written[0]?.metadata.annotations['hitless.io/user'] ?? ''
  t.notMatch(user, /\p{Cc}/u)
  t.ok(Buffer.byteLength(user) <= 1024)
})
