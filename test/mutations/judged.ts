/** Verdicts on mutants of a world's objects beside what they cost its requests. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { load } from 'js-yaml'
import { JUDGED_KINDS, type MeshObject, parseObject, refusalOf } from '../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../src/mesh/names/hosts.ts'
import { formatContext } from '../../src/output/route-table.ts'
import type { Change } from '../../src/review/change.ts'
import { decide } from '../../src/review/decide.ts'
import type { Decision } from '../../src/review/decision.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { Sandbox } from '../../src/sandbox/sandbox.ts'
import type { Manifest } from '../manifests.ts'
import { endState } from '../transitions/end-state.ts'
import { mutantsOf } from './mutants.ts'
import { isArguable, type Loss, losses } from './probes.ts'
import { isWellFormed } from './well-formed.ts'

interface JudgedMutant {
  readonly kind: string
  readonly object: string
  readonly what: string
  readonly decision: Decision
  readonly losses: readonly Loss[]
  /** Lost on hosts without any VirtualService alone, at gateways that nobody shows, or with what is retired: a warning will do. */
  readonly arguable: boolean
}

const ALICE = { username: 'alice', groups: [], manager: 'kubectl' }

/** Every mutant of every object of a judged kind, and each of these objects deleted. */
function* judgedMutants(file: string): Iterable<JudgedMutant> {
  const { state } = load(readFileSync(file, 'utf8')) as { state: readonly Manifest[] }
  const sandbox = new Sandbox()
  for (const raw of state) {
    const object = parseObject(raw, DEFAULT_DOMAIN)
    if (object !== null) sandbox.load(object)
  }
  const snapshot = sandbox.snapshot()
  for (const raw of state) {
    const object = parseObject(raw, DEFAULT_DOMAIN)
    if (object === null || !JUDGED_KINDS.includes(object.kind)) continue
    const before = snapshot.find(object.kind, object.namespace, object.name) ?? null
    const judged = (what: string, after: MeshObject | null): JudgedMutant => {
      const change: Change = { operation: after === null ? 'DELETE' : 'UPDATE', ref: object, before, after, dryRun: false, author: ALICE }
      const rest = endState(snapshot, { ref: object, after })
      const lost = losses(snapshot, rest, object)
      return {
        kind: object.kind,
        object: `${object.namespace}/${object.name}`,
        what,
        decision: decide(change, snapshot, DEFAULT_POLICY, 0),
        losses: lost,
        arguable: lost.every((loss) => isArguable(snapshot, rest, loss)) || (after === null && isRetired(object, lost))
      }
    }
    yield judged('deleted', null)
    for (const { what, manifest } of mutantsOf(raw)) {
      const after = isWellFormed(raw, manifest) ? valid(manifest) : null
      if (after !== null) yield judged(what, { ...after, createdMs: before?.createdMs ?? 0 })
    }
  }
}

/** People delete Services, and one of several VirtualServices of a public host, to retire an app: a warning will do. */
function isRetired({ kind }: MeshObject, lost: readonly Loss[]): boolean {
  return kind === 'Service' || (kind === 'VirtualService' && lost.every(({ context }) => context.kind === 'gateway'))
}

/** null for what the schema or Istio refuses. */
function valid(manifest: Manifest): MeshObject | null {
  try {
    return refusalOf(manifest) === null ? parseObject(manifest, DEFAULT_DOMAIN) : null
  } catch {
    return null
  }
}

/** Denials that may rest on a definition though nothing is lost. */
const DEFINITIONS = ['missing-fallback', 'undefined-subset', 'version-in-selector', 'unversioned-workload']

/** How the verdict differs from what the requests lose; '' where it does not. */
function differenceOf({ decision, losses: lost, arguable }: JudgedMutant): string {
  const { verdict, findings } = decision
  if (lost.length === 0) {
    const isDefinition = findings.some(({ rule }) => DEFINITIONS.includes(rule))
    return verdict === 'deny' && !isDefinition ? 'denied for nothing' : ''
  }
  if (verdict === 'deny' || (arguable && verdict === 'warn')) return ''
  return 'not denied'
}

const WORLDS = [join(import.meta.dirname, '..', 'transitions', 'worlds', 'named'), join(import.meta.dirname, 'worlds')]

/** The named worlds and those of mutants alone, or of all these the ones whose names begin so. */
export function worlds(chosen: readonly string[] = []): string[] {
  const files = WORLDS.flatMap((folder) =>
    readdirSync(folder)
      .sort()
      .map((name) => join(folder, name))
  )
  return files.filter((file) => chosen.length === 0 || chosen.some((each) => basename(file).startsWith(each)))
}

/** Which mutants are judged otherwise than their losses, by the difference; and how many there are in all. */
export function differences(files: readonly string[]): { count: number; found: Map<string, string[]> } {
  const found = new Map<string, string[]>()
  let count = 0
  for (const file of files) {
    for (const mutant of judgedMutants(file)) {
      count += 1
      const difference = differenceOf(mutant)
      if (difference === '') continue
      const key = `${mutant.kind}: ${difference}: ${mutant.what}`
      found.set(key, [
        ...(found.get(key) ?? []),
        `${basename(file, '.yaml')} ${mutant.object}${mutant.losses.slice(0, 1).map(textOf).join('')}${verdictText(mutant.decision)}`
      ])
    }
  }
  return { count, found }
}

function verdictText({ verdict, findings }: Decision): string {
  return `: ${verdict} ${[...new Set(findings.map(({ rule }) => rule))].join(', ')}`
}

function textOf({ context, host, port, request, before, after }: Loss): string {
  const http = request.kind === 'http' ? `${request.method} ${request.path} ${JSON.stringify([...request.headers])}` : request.kind
  const tls = request.kind === 'http' && request.sni !== null ? ' by TLS' : ''
  return `: ${formatContext(context)} ${host}:${port} ${http}${tls}: ${before.status} to ${after.status}`
}
