/** Texts of megabytes, wherever a review has text: what is shown of them is short, and nothing walks the rest again and again. */
import t from 'tap'
import { createReviewer } from '../../src/admission/judge.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { create, stored, update } from '../admission/reviews.ts'
import { parsed } from '../changes.ts'
import { guide, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { type Webhook, webhook } from './client.ts'

// Too long for the group `fast`.
// Measures time.
t.setTimeout(300_000)

const LENGTH = 1_000_000
/** Each is escaped, replaced or encoded in one way or another. */
const MARKS = ['x', '/', '~', '\n', '\u202e']
const plain = create(stored('VirtualService'))

/** The review with a text at a path of its request. */
function withText(path: readonly string[], text: string): unknown {
  return { ...plain, request: withValue(plain.request, path, text) }
}

function withValue(object: unknown, [key = '', ...rest]: readonly string[], value: string): unknown {
  const fields = object as Readonly<Record<string, unknown>>
  return { ...fields, [key]: rest.length === 0 ? value : withValue(fields[key], rest, value) }
}

/** Refused, with the text in the reason. */
function refused(text: string): unknown {
  const route = { ...rule([to('v3')]), match: [{ uri: { prefix: `/${text}` } }] }
  return update(stored('VirtualService'), virtualService([route, rule([to('v1')])]) as Manifest)
}

const unread = (text: string) => withText(['object', 'metadata', 'annotations', 'filler'], text)

const places: Record<string, (text: string) => unknown> = {
  'a key of extra': (text) => create(stored('VirtualService'), { userInfo: { username: 'alice', extra: { [text]: 'blue' } } }),
  'a key of extra, with a list': (text) => create(stored('VirtualService'), { userInfo: { username: 'alice', extra: { [text]: [text] } } }),
  'a key of the review': (text) => ({ ...plain, [text]: 1 }),
  'the kind of the review': (text) => ({ ...plain, kind: text }),
  'the path of a refused route': refused,
  ...Object.fromEntries(
    ['uid', 'operation', 'namespace', 'userInfo.username', 'kind.kind', 'object.metadata.name'].map((path) => [
      path,
      (text: string) => withText(path.split('.'), text)
    ])
  )
}

/** Seconds of CPU time to answer reviews with such texts, those of the client included. */
async function cpuOf({ post }: Webhook, review: (text: string) => unknown): Promise<number> {
  const bodies = MARKS.map((mark) => JSON.stringify(review(mark.repeat(LENGTH / Buffer.byteLength(mark)))))
  const before = process.cpuUsage()
  for (const body of bodies) {
    const { json, body: answer } = await post(body)
    if (typeof json !== 'object' || answer.length > 2000) throw new Error(`answered with ${answer.slice(0, 200)}`)
  }
  return process.cpuUsage(before).user / 1e6
}

t.test('wherever a text is shown, it costs about as much as where nobody reads it', async (t) => {
  const state = new Sandbox()
  for (const manifest of guide()) state.load(parsed(manifest))
  const reviewer = createReviewer({ state, policy: () => DEFAULT_POLICY, nowMs: () => 0 })
  const server = await webhook(t, { reviewer, snapshot: () => state.snapshot() })
  await cpuOf(server, unread)
  const plain = await cpuOf(server, unread)
  for (const [place, review] of Object.entries(places)) {
    const times = (await cpuOf(server, review)) / plain
    t.ok(times < 20, `${place}: ${times.toFixed(1)} times as much`)
  }
  t.ok(JSON.stringify(server.log).length < 200_000, 'nor does the log show more of it')
})
