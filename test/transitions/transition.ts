/** Transitions: a world, one write onto it, and what Istio's own code answers to concrete requests before and after it (worlds/*.jsonl). */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { kindOf, type MeshObject, type ObjectRef, parseObject } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import type { HttpRequest, Request } from '../../src/mesh/requests/request.ts'
import { serve } from '../../src/mesh/requests/serve.ts'
import { gatewayAfter } from '../../src/mesh/routing/proxies.ts'
import type { Context } from '../../src/mesh/routing/table.ts'
import type { Snapshot } from '../../src/mesh/snapshot/snapshot.ts'
import type { Verdict } from '../../src/review/decision.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import { type PlayedStep, play, readScenarios } from '../../src/sandbox/scenario.ts'
import { endState } from './end-state.ts'

export interface Transition {
  readonly case: string
  readonly write: {
    readonly operation: string
    readonly kind: string
    readonly namespace: string
    readonly name: string
    readonly what: string
  }
  readonly rejected: boolean
  readonly opens: boolean
  readonly probes: readonly Probe[]
  readonly doubt?: readonly string[]
  readonly plain?: boolean
}

interface Probe {
  readonly context: Omit<Context, 'labels'> & { readonly labels?: Context['labels'] }
  readonly host: string
  readonly port: number
  readonly request: RequestText
  readonly before: Got
  readonly after: Got
}

/** How much of the requests is answered; null where nobody can know. */
interface Got {
  readonly answered: number | null
  readonly status: number | string
}

interface RequestText {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly sni?: string
  readonly tcp?: boolean
}

export interface Played {
  readonly transition: Transition
  readonly verdict: Verdict
  readonly rules: readonly string[]
  readonly message: string
  /** Answers of ours that are not Istio's, in words, and how many were compared. */
  readonly differences: readonly string[]
  readonly answers: number
}

export function readTransitions(file: string): Transition[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** Our verdict on the write, and our answers to its probes beside Istio's. */
export async function playTransition(directory: string, transition: Transition): Promise<Played> {
  const file = join(directory, `${transition.case}.yaml`)
  const step = await verdictOf(file)
  const { before, after } = endsOf(file)
  const differences = transition.probes.flatMap((probe) => differencesOf(probe, before, after))
  return {
    transition,
    verdict: step.verdict,
    rules: step.findings.map(({ rule }) => rule),
    message: step.message,
    differences,
    answers: 2 * transition.probes.length
  }
}

async function verdictOf(file: string): Promise<PlayedStep> {
  const [scenario] = readScenarios(file)
  if (scenario === undefined) throw new Error(`${file} holds no scenario`)
  const [step] = await play(scenario, Date.now)
  if (step === undefined) throw new Error(`${file} writes nothing`)
  return step
}

interface Text {
  readonly state: readonly unknown[]
  readonly writes: readonly [
    {
      readonly apply?: unknown
      readonly delete?: { readonly apiVersion: string; readonly kind: string; readonly namespace?: string; readonly name: string }
    }
  ]
}

/** The two worlds that the write leads from and to, both at rest. */
function endsOf(file: string): { before: Snapshot; after: Snapshot } {
  const { state, writes } = load(readFileSync(file, 'utf8')) as Text
  const sandbox = new Sandbox()
  for (const raw of state) {
    const object = parseObject(raw, DEFAULT_DOMAIN)
    if (object !== null) sandbox.load(object)
  }
  const before = sandbox.snapshot()
  const [{ apply, delete: named }] = writes
  if (named !== undefined) {
    const kind = kindOf(named.apiVersion, named.kind)
    if (kind === null) return { before, after: before }
    const ref: ObjectRef = { kind, namespace: kind === 'Namespace' ? '' : (named.namespace ?? 'default'), name: named.name }
    return { before, after: endState(before, { ref, after: null }) }
  }
  const object = parseObject(apply, DEFAULT_DOMAIN)
  if (object === null) return { before, after: before }
  return { before, after: endState(before, { ref: object, after: aged(before, object) }) }
}

/** What is created is the youngest. */
function aged(before: Snapshot, object: MeshObject): MeshObject {
  return { ...object, createdMs: before.find(object.kind, object.namespace, object.name)?.createdMs ?? 0 }
}

function differencesOf(probe: Probe, before: Snapshot, after: Snapshot): string[] {
  const { kind, namespace, labels = {} } = probe.context
  const context: Context = { kind, namespace, labels }
  const later = kind === 'mesh' ? context : gatewayAfter(before, after, context)
  return [
    ...differenceOf(probe, 'before', answerOf(before, context, probe)),
    ...differenceOf(probe, 'after', later === null ? { answered: 0, status: 'no-listener' } : answerOf(after, later, probe))
  ]
}

function answerOf(snapshot: Snapshot, context: Context, { host, port, request }: Probe): Got {
  const { unserved, status } = serve(snapshot, context, host, port, requestOf(request))
  return { answered: unserved === null ? null : 1 - unserved, status }
}

export function requestOf({ path, method = 'GET', headers = {}, query = {}, sni, tcp }: RequestText): Request {
  if (tcp === true) return { kind: 'tcp' }
  if (path === undefined) return { kind: 'tls', sni: sni ?? '' }
  const http: HttpRequest = {
    kind: 'http',
    path,
    method,
    headers: new Map(Object.entries(headers)),
    query: new Map(Object.entries(query)),
    sni: sni ?? null
  }
  return http
}

function differenceOf(probe: Probe, when: 'before' | 'after', ours: Got): string[] {
  const theirs = probe[when]
  if (sameShare(ours.answered, theirs.answered) && ours.status === theirs.status) return []
  const { context, host, port, request } = probe
  const who = `${context.kind} ${context.namespace}${context.labels === undefined ? '' : JSON.stringify(context.labels)}`
  return [`${when}: ${who} ${host}:${port} ${JSON.stringify(request)}: ${text(ours)}, by Istio ${text(theirs)}`]
}

function sameShare(one: number | null, other: number | null): boolean {
  return one === null || other === null ? one === other : Math.abs(one - other) < 1e-4
}

function text({ answered, status }: Got): string {
  return `${status} (${answered === null ? 'unknown' : Math.round(answered * 1000) / 1000})`
}
