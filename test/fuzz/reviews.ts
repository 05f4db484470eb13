/** Whole reviews through a real TLS socket, the reviewer and the embedded cluster: whatever is sent, what comes back is well-formed. */

import fc from 'fast-check'
import { createReviewer } from '../../src/admission/judge.ts'
import { ERRORS } from '../../src/errors.ts'
import { parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { create, remove, scale, stored, UID, update } from '../admission/reviews.ts'
import { gateway, guide, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { type Answer, type Webhook, webhook } from '../server/client.ts'
import { mutants, mutantTexts } from './mutants.ts'

const LONGEST_MESSAGE = 1024
const LONGEST_WARNING = 120
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

/** Every field that the model reads of a VirtualService. */
const FULL = virtualService(
  [
    {
      match: [
        { uri: { prefix: '/a' }, ignoreUriCase: true, method: { exact: 'GET' }, headers: { 'end-user': { regex: 'j.*n' }, seen: {} } },
        { authority: { exact: 'helloworld' }, scheme: { exact: 'http' }, queryParams: { q: { prefix: 'x' } }, port: 3000 },
        { sourceLabels: { app: 'web' }, sourceNamespace: 'default', gateways: ['mesh'], withoutHeaders: { bot: { exact: 'yes' } } }
      ],
      route: [to('v1', 90), to('v2', 10)],
      mirrors: [{ destination: { host: 'helloworld', subset: 'v2' }, percentage: { value: 50 } }]
    },
    { match: [{ uri: { exact: '/old' } }], redirect: { uri: '/new', redirectCode: 302 } },
    { match: [{ uri: { regex: '/t.*' } }], directResponse: { status: 204 } },
    { match: [{ uri: { prefix: '/team' } }], delegate: { namespace: 'default', name: 'team' } },
    rule([to('v1')])
  ],
  {
    hosts: ['helloworld', '*.example.com'],
    gateways: ['mesh', 'gateway'],
    exportTo: ['.', '*'],
    tls: [{ match: [{ port: 3000, sniHosts: ['*.example.com'] }], route: [to(null)] }],
    tcp: [{ match: [{ port: 3000, destinationSubnets: ['10.0.0.0/8'], sourceLabels: { app: 'web' } }], route: [to(null)] }]
  }
)
export const WORLD: readonly Manifest[] = [...guide(), gateway()]
const KINDS = ['VirtualService', 'DestinationRule', 'Service', 'Deployment']
const ASKER = { username: 'alice', uid: '7', groups: ['developers'], extra: { 'example.com/team': ['blue'] } }
const EXEC = create(
  { apiVersion: 'v1', kind: 'PodExecOptions', metadata: { name: 'web', namespace: 'default' } },
  { operation: 'CONNECT', resource: { group: '', version: 'v1', resource: 'pods' }, subResource: 'exec' }
)
const REVIEWS: readonly unknown[] = [
  ...KINDS.flatMap((kind) => [create(stored(kind)), update(stored(kind), stored(kind)), remove(stored(kind))]),
  remove(stored('VirtualService'), { name: undefined, userInfo: ASKER }),
  ...[create(FULL), update(stored('VirtualService'), FULL), update(FULL, FULL), remove(FULL)],
  update(stored('VirtualService'), { ...FULL, apiVersion: 'networking.istio.io/v1beta1' }),
  ...[scale('helloworld-v1', 2, 0), scale('helloworld-v1', 0, 2), EXEC]
]
const TEXTS = REVIEWS.map((review) => JSON.stringify(review))
const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  '"',
  '\\',
  ',',
  ':',
  'null',
  '1e999',
  '-',
  '\u0000',
  '\\u0000',
  '\\ud800',
  '"__proto__":{},',
  ' '.repeat(999)
]

/** What the cluster holds, and what is asked of it, one after the other. */
export interface ReviewCase {
  readonly world: readonly unknown[]
  readonly bodies: readonly string[]
}

const body = fc.oneof(
  { weight: 5, arbitrary: mutants(REVIEWS, 5).map((review) => JSON.stringify(review)) },
  { weight: 1, arbitrary: mutantTexts(TEXTS, TOKENS, 3) }
)

export const reviewCases: fc.Arbitrary<ReviewCase> = fc.record({
  world: fc.oneof(
    fc.constant(WORLD),
    fc.array(mutants(WORLD, 3), { minLength: 1, maxLength: 8 }).map((more) => [...WORLD, ...more])
  ),
  bodies: fc.array(body, { minLength: 1, maxLength: 3 })
})

export interface ReviewTarget {
  /** Puts what can be read of these manifests in place of what the cluster held. */
  fill(world: readonly unknown[]): void
  post(body: unknown): Promise<Answer>
  /** Throws where an answer is not well-formed, or a following review gets none. */
  ask(asked: ReviewCase): Promise<void>
}

/** The webhook on the embedded cluster. */
export async function reviewTarget(t: Parameters<typeof webhook>[0]): Promise<ReviewTarget> {
  let sandbox = new Sandbox()
  let reviewer = createReviewer({ state: sandbox, policy: () => DEFAULT_POLICY, nowMs: Date.now })
  const { post } = await webhook(t, {
    reviewer: (change, signal, asker) => reviewer(change, signal, asker),
    snapshot: () => sandbox.snapshot()
  })
  const fill = (world: readonly unknown[]) => {
    sandbox = new Sandbox()
    reviewer = createReviewer({ state: sandbox, policy: () => DEFAULT_POLICY, nowMs: Date.now })
    for (const manifest of world) load(sandbox, manifest)
  }
  return {
    fill,
    post,
    async ask({ world, bodies }) {
      fill(world)
      for (const text of bodies) assertAnswer(text, await post(text))
      await assertServing(post)
    }
  }
}

/** As the watch does: what cannot be read is left out. */
function load(sandbox: Sandbox, manifest: unknown): void {
  try {
    const object = parseObject(manifest, DEFAULT_DOMAIN)
    if (object !== null) sandbox.load(object)
  } catch (error) {
    if (!(error instanceof Error && error.name === 'InvalidField')) throw error
  }
}

async function assertServing(post: Webhook['post']): Promise<void> {
  const { status, json } = await post(create(stored('VirtualService')))
  const { response } = Object(json)
  if (status !== 200 || response?.uid !== UID) throw new Error(`a following review got ${status} ${JSON.stringify(json)}`)
}

/** An AdmissionReview as the API server takes it, or a Status with a code of ours; never an error on our side. */
export function assertAnswer(text: string, { status, json, headers, body: raw }: Answer): void {
  const wrong = (what: string) => new Error(`${what}: ${status} ${raw.slice(0, 2000)}`)
  if (!/^application\/json/.test(headers['content-type'] ?? '')) throw wrong('the content type')
  if (status !== 200) {
    assertStatus(status, json, wrong)
    return
  }
  const { apiVersion, kind, response, ...others } = Object(json)
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview' || Object.keys(others).length > 0) throw wrong('the envelope')
  const { uid, allowed, status: refusal, warnings = [], auditAnnotations = {}, ...unknown } = response
  if (Object.keys(unknown).length > 0 || typeof allowed !== 'boolean') throw wrong('the response')
  // A lone surrogate cannot travel in UTF-8.
  if (uid !== String(JSON.parse(text).request.uid).toWellFormed()) throw wrong('the uid')
  if (allowed !== (refusal === undefined)) throw wrong('a status beside an admission, or none beside a refusal')
  if (!allowed && (refusal.code !== 403 || refusal.reason !== 'Forbidden')) throw wrong('the status')
  if (!allowed) assertLine(refusal.message, wrong)
  for (const warning of warnings) {
    if (typeof warning !== 'string' || [...warning].length > LONGEST_WARNING || CONTROL.test(warning)) throw wrong('a warning')
  }
  for (const [key, value] of Object.entries(auditAnnotations)) {
    if (!/^[a-z]([-a-z]{0,61}[a-z])?$/.test(key) || typeof value !== 'string' || CONTROL.test(value)) throw wrong('an audit annotation')
  }
}

function assertStatus(status: number, json: unknown, wrong: (what: string) => Error): void {
  const { kind, apiVersion, status: outcome, code, reason, message } = Object(json)
  if (kind !== 'Status' || apiVersion !== 'v1' || outcome !== 'Failure' || code !== status) throw wrong('the Status')
  const known = Object.entries(ERRORS).find(([each]) => each === reason)
  if (known === undefined || known[1].http !== status) throw wrong('the code')
  if (status >= 500) throw wrong('an error on our side')
  assertLine(message, wrong)
}

function assertLine(message: unknown, wrong: (what: string) => Error): void {
  if (typeof message !== 'string' || message === '') throw wrong('no message')
  if (Buffer.byteLength(message) > LONGEST_MESSAGE) throw wrong('a message of more than 1 KiB')
  if (CONTROL.test(message)) throw wrong('control characters in the message')
}
