/** Scenario files: a start state and a list of writes with the verdicts that they should get (docs/architecture.md). */

import { dirname, isAbsolute, join } from 'node:path'
import { Ajv, type ErrorObject } from 'ajv'
import { policyOf, settingsOf, toConfig } from '../config.ts'
import { HitlessError } from '../errors.ts'
import { InvalidField } from '../kinds/fields.ts'
import {
  formatRef,
  isLookedAtAlone,
  type Kind,
  kindModule,
  kindOf,
  type MeshObject,
  type ObjectRef,
  parseObject,
  WORKLOAD_KINDS,
  type WorkloadKind
} from '../kinds/index.ts'
import { readYaml, type YamlDocument } from '../manifests/documents.ts'
import { readText } from '../manifests/files.ts'
import { asStored, readManifests } from '../manifests/manifests.ts'
import type { Path } from '../mesh/names/path.ts'
import type { Author, Change } from '../review/change.ts'
import type { Decision, Verdict } from '../review/decision.ts'
import { RULE_IDS } from '../rules/index.ts'
import { KUBECTL, Session, type View } from './session.ts'

interface AuthorText {
  readonly username?: string
  readonly manager?: string
  readonly groups?: readonly string[]
}

interface Named {
  readonly namespace?: string
  readonly name: string
}

interface Write {
  readonly apply?: unknown
  readonly delete?: Named & { readonly apiVersion: string; readonly kind: string }
  readonly scale?: Named & { readonly replicas: number; readonly kind?: WorkloadKind }
  readonly ready?: Named & { readonly kind?: WorkloadKind | 'Pod' }
  readonly set?: unknown
  readonly unset?: Named & { readonly apiVersion: string; readonly kind: string }
  readonly as?: AuthorText
  readonly dryRun?: boolean
  readonly expect?: Verdict
  readonly rules?: readonly string[]
}

export interface Scenario {
  readonly name: string
  readonly file: string
  readonly state?: readonly unknown[]
  /** As in the configuration file, which it need not name as such. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly as?: AuthorText
  readonly writes: readonly Write[]
  readonly document: YamlDocument
}

/** A scenario of which some writes may be malformed. */
export type ReadScenario = Omit<Scenario, 'writes'> & { readonly writes: readonly (Write | HitlessError)[] }

interface Judged {
  readonly change: Change
  readonly decision: Decision
}

/** Where a scenario is played. What cannot be done there rejects with HitlessError. */
export interface Stage {
  readonly domain: string
  /** `raw` is the manifest. */
  apply(object: MeshObject, author: Author, dryRun: boolean, raw: unknown): Promise<Judged>
  /** null where there is nothing of that name. */
  delete(ref: ObjectRef, author: Author, dryRun: boolean): Promise<Judged | null>
  /** null where there is no such workload, of any kind where none is named. */
  scale(namespace: string, name: string, replicas: number, author: Author, dryRun: boolean, kind?: Kind): Promise<Judged | null>
  /** False where there is no such workload or Pod. */
  ready(namespace: string, name: string, kind?: Kind): boolean | Promise<boolean>
  load(object: MeshObject): void
  unload(ref: ObjectRef): void
}

/** What came of a scenario: what could be played, and what could not. */
export interface Played {
  readonly steps: readonly PlayedStep[]
  readonly errors: readonly HitlessError[]
}

/** One write as it went; `failure` says how it differs from what was expected. */
export interface PlayedStep {
  readonly object: string
  readonly operation: string
  readonly verdict: Verdict
  readonly findings: Decision['findings']
  readonly message: string
  readonly warnings: readonly string[]
  readonly file: string
  readonly line: number
  readonly column: number
  readonly failure: string | null
}

const NAMED = { type: 'object', required: ['name'], properties: { namespace: { type: 'string' }, name: { type: 'string' } } }
const REF = { ...NAMED, required: ['apiVersion', 'kind', 'name'] }
const AUTHOR = {
  type: 'object',
  additionalProperties: false,
  properties: { username: { type: 'string' }, manager: { type: 'string' }, groups: { type: 'array', items: { type: 'string' } } }
}
/** A DaemonSet has as many Pods as there are nodes. */
const SCALED = WORKLOAD_KINDS.filter((kind) => kind !== 'DaemonSet')
const OBJECT = { type: 'object', required: ['apiVersion', 'kind', 'metadata'] }
const ACTIONS = ['apply', 'delete', 'scale', 'ready', 'set', 'unset'] as const

const AJV = new Ajv({ strict: false, allErrors: false })

const isWrite = AJV.compile<Write>({
  type: 'object',
  additionalProperties: false,
  properties: {
    apply: OBJECT,
    delete: REF,
    scale: {
      ...NAMED,
      required: ['name', 'replicas'],
      properties: { ...NAMED.properties, kind: { enum: SCALED }, replicas: { type: 'integer', minimum: 0 } }
    },
    ready: { ...NAMED, properties: { ...NAMED.properties, kind: { enum: [...WORKLOAD_KINDS, 'Pod'] } } },
    set: OBJECT,
    unset: REF,
    as: AUTHOR,
    dryRun: { type: 'boolean' },
    expect: { enum: ['allow', 'warn', 'deny'] },
    rules: { type: 'array', items: { type: 'string' } }
  },
  oneOf: ACTIONS.map((action) => ({ required: [action] }))
})

const isScenario = AJV.compile<Omit<Scenario, 'file' | 'document' | 'writes'> & { readonly writes: readonly unknown[] }>({
  type: 'object',
  required: ['name', 'writes'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    state: { type: 'array', items: { anyOf: [{ type: 'string' }, OBJECT] } },
    config: { type: 'object' },
    as: AUTHOR,
    writes: { type: 'array', minItems: 1 }
  }
})

/** The scenarios of a file; a document that is none is an error in its place. Throws where the file cannot be read. */
export function scenariosIn(file: string): (ReadScenario | HitlessError)[] {
  const documents = readYaml(readText(file), file)
  if (documents.length === 0) return [new HitlessError('HITLESS_SCENARIO', `${file}: no scenario in it`)]
  return documents.map((document) => {
    if (document instanceof HitlessError) return document
    const { value } = document
    if (!isScenario(value)) return malformed(file, document, [], isScenario.errors ?? [])
    const writes = value.writes.map((write, at) =>
      isWrite(write) ? write : malformed(file, document, ['writes', at], isWrite.errors ?? [])
    )
    return { ...value, writes, file, document }
  })
}

/** The scenarios of a file. Throws HITLESS_SCENARIO or HITLESS_YAML, naming file and line, for the first thing that is malformed. */
export function readScenarios(file: string): Scenario[] {
  return scenariosIn(file).map((scenario) => {
    const { writes, ...rest } = orThrow(scenario)
    return { ...rest, writes: writes.map(orThrow) }
  })
}

function orThrow<T>(read: T | HitlessError): T {
  if (read instanceof HitlessError) throw read
  return read
}

function malformed(file: string, document: YamlDocument, within: Path, errors: readonly ErrorObject[]): HitlessError {
  const noAction = errors.find(({ keyword }) => keyword === 'oneOf')
  const error = noAction ?? errors[0]
  const steps = (error?.instancePath ?? '').split('/').slice(1)
  const path = [...within, ...steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step))]
  const unknown = error?.keyword === 'additionalProperties' ? ` "${String(error.params['additionalProperty'])}"` : ''
  const what = noAction === undefined ? error?.message : `must have one of ${ACTIONS.join(', ')}`
  return new HitlessError('HITLESS_SCENARIO', `${place(file, document, path)}: ${path.join('.') || 'scenario'} ${what}${unknown}`)
}

/** Plays a scenario on the embedded cluster. Throws HitlessError for the first step that cannot be played. */
export async function play(scenario: ReadScenario, nowMs: () => number, view?: View): Promise<readonly PlayedStep[]> {
  const { steps, errors } = await playAll(scenario, nowMs, view)
  if (errors[0] !== undefined) throw errors[0]
  return steps
}

/** Plays what can be played of a scenario: a step that cannot is an error, and the next one follows. */
export async function playAll(scenario: ReadScenario, nowMs: () => number, view?: View): Promise<Played> {
  const errors: HitlessError[] = []
  const session = orError(() => sessionOf(scenario, nowMs, view), errors)
  return session === null ? { steps: [], errors } : playOn(session, scenario)
}

/** Plays the writes on what is there, and no more of them once one is over. */
export async function playOn(stage: Stage, scenario: ReadScenario, isOver = (_: PlayedStep | HitlessError) => false): Promise<Played> {
  const steps: PlayedStep[] = []
  const errors: HitlessError[] = []
  for (const [at, write] of scenario.writes.entries()) {
    try {
      const step = await playOne(scenario, orThrow(write), ['writes', at], stage)
      if (step === null) continue
      steps.push(step)
      if (isOver(step)) break
    } catch (error) {
      if (!(error instanceof HitlessError)) throw error
      errors.push(error)
      if (isOver(error)) break
    }
  }
  return { steps, errors }
}

function orError<T>(make: () => T, errors: HitlessError[]): T | null {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof HitlessError)) throw error
    errors.push(error)
    return null
  }
}

/** The cluster as the scenario finds it. */
function sessionOf(scenario: ReadScenario, nowMs: () => number, view: View | undefined): Session {
  const { config = {}, file, document } = scenario
  const named = { apiVersion: 'hitless.io/v1', kind: 'Config', ...config }
  const configured = toConfig(named, `${place(file, document, ['config'])}: config`, RULE_IDS)
  const session = new Session(policyOf(configured), nowMs, view, settingsOf(configured))
  for (const object of startState(scenario, session.domain)) session.sandbox.load(object)
  return session
}

function startState({ state = [], file, document }: ReadScenario, domain: string): MeshObject[] {
  return state.flatMap((entry, at) => {
    if (typeof entry !== 'string') return [asStored(parsed(entry, { file, document, path: ['state', at] }, domain), entry)]
    const { manifests, errors } = readManifests([isAbsolute(entry) ? entry : join(dirname(file), entry)], () => '', { domain })
    if (errors[0] !== undefined) throw errors[0]
    return manifests.flatMap(({ object }) => (object === null ? [] : [object]))
  })
}

async function playOne(scenario: ReadScenario, write: Write, path: Path, stage: Stage): Promise<PlayedStep | null> {
  const { file, document } = scenario
  const author = authorOf({ ...scenario.as, ...write.as })
  const dryRun = write.dryRun ?? false
  const fail = (text: string) => new HitlessError('HITLESS_SCENARIO', `${place(file, document, path)}: ${text}`)
  if (write.set !== undefined) {
    stage.load(parsed(write.set, { file, document, path: [...path, 'set'] }, stage.domain))
    return null
  }
  if (write.unset !== undefined) {
    stage.unload(refOf(write.unset, fail))
    return null
  }
  if (write.ready !== undefined) {
    const { namespace = 'default', name, kind } = write.ready
    if (!(await stage.ready(namespace, name, kind))) throw fail(`there is no ${kind ?? 'workload'} ${name}`)
    return null
  }
  const played = await judged(write, author, dryRun, stage, { file, document, path, fail })
  const { line, column } = document.position(path)
  const { change, decision } = played
  return {
    object: formatRef(change.ref),
    operation: change.operation,
    verdict: decision.verdict,
    findings: decision.findings,
    message: decision.message,
    warnings: decision.warnings,
    file,
    line,
    column,
    failure: failureOf(write, decision)
  }
}

interface Place {
  readonly file: string
  readonly document: YamlDocument
  readonly path: Path
}

interface At extends Place {
  readonly fail: (text: string) => HitlessError
}

async function judged(write: Write, author: Author, dryRun: boolean, stage: Stage, { file, document, path, fail }: At) {
  if (write.apply !== undefined)
    return stage.apply(parsed(write.apply, { file, document, path: [...path, 'apply'] }, stage.domain), author, dryRun, write.apply)
  if (write.scale !== undefined) {
    const { namespace = 'default', name, replicas, kind } = write.scale
    const scaled = await stage.scale(namespace, name, replicas, author, dryRun, kind)
    if (scaled === null) throw fail(`there is no ${kind ?? 'workload'} ${namespace}/${name} to scale`)
    return scaled
  }
  if (write.delete === undefined) throw fail('one of apply, delete, scale, ready, set, unset is needed')
  const ref = refOf(write.delete, fail)
  const deleted = await stage.delete(ref, author, dryRun)
  if (deleted === null) throw fail(`there is no ${formatRef(ref)} to delete`)
  return deleted
}

function failureOf({ expect, rules }: Write, { verdict, findings }: Decision): string | null {
  const found = [...new Set(findings.map(({ rule }) => rule))].sort()
  if (expect !== undefined && expect !== verdict)
    return `expected ${expect}, got ${verdict}${found.length > 0 ? ` (${found.join(', ')})` : ''}`
  if (rules !== undefined && [...rules].sort().join() !== found.join())
    return `expected rules ${rules.join(', ') || 'none'}, got ${found.join(', ') || 'none'}`
  return null
}

function authorOf({ username, manager, groups }: AuthorText): Author {
  return { username: username ?? 'alice', manager: manager ?? KUBECTL.manager, groups: groups ?? [] }
}

function refOf({ apiVersion, kind, namespace, name }: Named & { apiVersion: string; kind: string }, fail: At['fail']): ObjectRef {
  const known = kindOf(apiVersion, kind)
  if (known === null || isLookedAtAlone(known)) throw fail(`${apiVersion} ${kind} is no kind that hitless judges`)
  return { kind: known, namespace: kindModule(known).api.namespaced ? (namespace ?? 'default') : '', name }
}

function parsed(raw: unknown, { file, document, path }: Place, domain: string): MeshObject {
  try {
    const object = parseObject(raw, domain)
    if (object !== null) return object
  } catch (cause) {
    if (!(cause instanceof InvalidField)) throw cause
    throw new HitlessError('HITLESS_SCENARIO', `${place(file, document, [...path, ...cause.path])}: ${cause.message}`, { cause })
  }
  throw new HitlessError('HITLESS_SCENARIO', `${place(file, document, path)}: no kind that hitless reads`)
}

function place(file: string, document: YamlDocument, path: Path): string {
  const { line, column } = document.position(path)
  return `${file}:${line}:${column}`
}
