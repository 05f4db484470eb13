/** Writes and files after public reports (reports/): what a tool that understands Istio says of each, and the words it says it in. The comments name the reports. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HitlessError } from '../../src/errors.ts'
import { type PlayedStep, playAll, scenariosIn } from '../../src/sandbox/scenario.ts'
import { hitless } from '../cli/commands.ts'

export const REPORTS = join(import.meta.dirname, 'reports')
/** What every case is told, word for word: `npm run -s cases -- --write` writes it, and it is read before it is committed. */
export const TEXTS = join(import.meta.dirname, 'texts.txt')

export interface Case {
  readonly name: string
  readonly steps: readonly PlayedStep[]
  /** What could not be played. */
  readonly errors: readonly HitlessError[]
}

/** A command about files, its exit code, and what its output must have. */
export interface FileCase {
  readonly args: readonly string[]
  readonly exit: number
  readonly says: RegExp
}

const NONE = /^\d+ writes?: 0 would be denied, 0 with warnings\n/
const NOTHING = /^0 gaps, 0 findings\n$/

/** Of samples/ of istio/istio, as they are: Apache-2.0. */
const sample = (name: string) => `files/istio-samples/${name}.yaml`
const BOOKINFO = sample('bookinfo')

export const FILES: readonly FileCase[] = [
  { args: ['check', '-n', 'default', BOOKINFO, sample('bookinfo-gateway')], exit: 0, says: NONE },
  {
    args: ['check', '-n', 'default', '--base', BOOKINFO, sample('destination-rule-all'), sample('virtual-service-all-v1')],
    exit: 0,
    says: NONE
  },
  ...['virtual-service-reviews-50-v3', 'virtual-service-reviews-test-v2', 'virtual-service-ratings-test-abort'].map((name) => ({
    args: ['check', '-n', 'default', '--base', BOOKINFO, sample('destination-rule-all'), sample('virtual-service-all-v1'), sample(name)],
    exit: 0,
    says: NONE
  })),
  { args: ['check', '-n', 'default', sample('helloworld'), sample('helloworld-gateway')], exit: 0, says: NONE },
  { args: ['check', '-n', 'default', sample('httpbin'), sample('httpbin-gateway')], exit: 0, says: NONE },
  { args: ['check', 'files/03-egress-gateway-of-istios-docs.yaml'], exit: 0, says: NONE },
  { args: ['check', 'files/04-flow-collection-closing-bracket.yaml'], exit: 0, says: /^3 writes: 0 would be denied/ },
  { args: ['check', 'files/05-statefulset-canary.yaml'], exit: 0, says: NONE },
  { args: ['audit', 'files/05-statefulset-canary.yaml'], exit: 0, says: NOTHING },
  {
    args: ['check', '-n', 'prod', '--base', 'files/06-release-namespace.old.yaml', 'files/06-release-namespace.new.yaml'],
    exit: 1,
    says: /deny \[undefined-subset\]/
  },
  { args: ['audit', '-n', 'prod', 'files/06-release-namespace.old.yaml'], exit: 0, says: NOTHING },
  { args: ['check', 'files/07-app-label-taken-for-a-version.yaml'], exit: 0, says: NONE },
  { args: ['check', '--as', 'flux', 'files/08-flux-order.yaml'], exit: 0, says: NONE },
  { args: ['check', 'files/09-all-weights-zero.yaml'], exit: 2, says: /Istio refuses it: total destination weight = 0/ },
  { args: ['audit', 'files/09-all-weights-zero.yaml'], exit: 2, says: /Istio refuses it: total destination weight = 0/ },
  { args: ['audit', 'files/b17/rollout-base.yaml'], exit: 0, says: NOTHING },
  { args: ['check', '--base', 'files/b17/rollout-base.yaml', 'files/b17/rollout-change.yaml'], exit: 1, says: /deny \[subset-in-use\]/ },
  { args: ['audit', 'files/b17/statefulset-base.yaml'], exit: 0, says: NOTHING },
  {
    args: ['check', '--base', 'files/b17/statefulset-base.yaml', 'files/b17/statefulset-change.yaml'],
    exit: 1,
    says: /deny \[selector-in-use\]/
  },
  {
    args: ['check', '--base', 'files/b17/deployment-base.yaml', 'files/b17/statefulset-change.yaml'],
    exit: 1,
    says: /deny \[selector-in-use\]/
  }
]

export function caseFiles(): string[] {
  return globSync(['b*.yaml', 'files/*.scenario.yaml'], { cwd: REPORTS }).sort()
}

export async function playFile(file: string): Promise<Case[]> {
  const played: Case[] = []
  for (const scenario of scenariosIn(join(REPORTS, file))) {
    if (scenario instanceof HitlessError) played.push({ name: '', steps: [], errors: [scenario] })
    else played.push({ name: scenario.name, ...(await playAll(scenario, Date.now)) })
  }
  return played
}

/** What the command says on both streams, with paths below the reports. */
export async function runFile({ args }: FileCase): Promise<{ exit: number; text: string }> {
  const { exit, out, err } = await hitless(args.map((arg) => (arg.startsWith('files/') ? join(REPORTS, arg) : arg)))
  return { exit, text: `${err}${out}`.replaceAll(`${REPORTS}/`, '') }
}

/** Every message and warning. */
export async function texts(): Promise<string> {
  const lines: string[] = []
  for (const file of caseFiles()) {
    for (const { name, steps } of await playFile(file)) {
      lines.push(`## ${file}: ${name}`)
      for (const { verdict, operation, object, message, warnings } of steps) {
        lines.push(`${verdict} ${operation} ${object}`, ...[message, ...warnings].filter(Boolean).map((text) => `    ${text}`))
      }
    }
  }
  for (const each of FILES) {
    const { exit, text } = await runFile(each)
    lines.push(`## ${each.args.join(' ')}: exit code ${exit}`, text.trimEnd())
  }
  return `${lines.join('\n')}\n`
}

export function textsSoFar(): string {
  return readFileSync(TEXTS, 'utf8')
}
