/** Manifest files as strangers write them, through the reader and the command line. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { dump } from 'js-yaml'
import { HitlessError } from '../../src/errors.ts'
import { isOfOtherVersion, refusalOf } from '../../src/kinds/index.ts'
import { readManifestText } from '../../src/manifests/manifests.ts'
import { EXAMPLES, hitless, WORLD } from '../cli/commands.ts'
import { guide, rule, to, virtualService } from '../manifests.ts'
import { mutants, mutantTexts } from './mutants.ts'

const CONTROL = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

/** What YAML can do and manifests rarely do. */
const ANCHORS = `# Source: chart/templates/routes.yaml
%YAML 1.1
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: &meta {name: helloworld, namespace: default}
spec:
  hosts: [helloworld]
  http:
  - &all
    route: [{destination: {host: helloworld, subset: v1, port: {number: 0xBB8}}}]
  - <<: *all
    match: [{uri: {prefix: "/a\\tb"}}]
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: *meta, spec: {selector: {app: yes}, ports: [{port: 0o5670}]}}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: text}
  data:
    literal: |2-
        deep
    folded: >+
      one
      two

    quoted: 'it''s'
...
`
const OBJECTS: readonly unknown[] = [
  ...guide(),
  virtualService([rule([to('v1', 50), to('v2', 50)])]),
  { apiVersion: 'v1', kind: 'List', items: guide() }
]
const TEXTS = [...OBJECTS.map((object) => dump(object)), ANCHORS, ...filesUnder(EXAMPLES)]
const TOKENS = [
  ...[
    '---\n',
    '...\n',
    '&a ',
    '*a ',
    '*all',
    '<<: ',
    '? ',
    ': ',
    '- ',
    '- - ',
    '[',
    ']',
    '{',
    '}',
    ',',
    '|\n',
    '>-\n',
    '!!binary ',
    '!!set '
  ],
  ...[
    '!x ',
    '%TAG ! x\n',
    '%YAML 9.9\n',
    '\t',
    '\r',
    '\n',
    '\u0000',
    '\ufeff',
    '\u2028',
    '\u001b[2J',
    '{{ .Values.x }}',
    '# Source: \u0007\n',
    '"',
    "'",
    '\\'
  ],
  ...['kind: ', 'items: ', '__proto__: ', 'name: ', '0x', '.inf', '.nan', '1e999', '-0', '~', '2026-11-25']
]

export const manifestTexts: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: mutantTexts(TEXTS, TOKENS, 4) },
  { weight: 2, arbitrary: fc.array(mutants(OBJECTS, 5), { minLength: 1, maxLength: 3 }).map(asStream) }
)

/** Throws where the reader or the command line breaks on `text`, or says what it should not. */
export async function assertRead(text: string): Promise<void> {
  const errors = assertPlaces(text)
  // What Istio's own webhook refuses is bad input; a plan is of what manifests say, and would delete what it cannot read.
  const unreadable = errors + refusedByIstio(text)
  const shown = await hitless(['check', '--base', WORLD, '-'], { stdin: text })
  const json = await hitless(['check', '--base', WORLD, '--as', 'helm', '-o', 'json', '-'], { stdin: text })
  const runs = [
    { ...shown, bad: unreadable },
    { ...json, bad: unreadable },
    { ...(await hitless(['audit', '-'], { stdin: text })), bad: unreadable },
    { ...(await hitless(['routes', '-'], { stdin: text })), bad: unreadable },
    { ...(await hitless(['plan', '--from', WORLD, '--to', '-'], { stdin: text })), bad: errors + ofOtherVersions(text) }
  ]
  for (const { exit, out, err, bad } of runs) {
    if (![0, 1, 2].includes(exit) || err.includes('defect of hitless')) throw new Error(`exit code ${exit}: ${err}`)
    if ((exit === 2) !== bad > 0) throw new Error(`exit code ${exit} where ${bad} documents cannot be read: ${err}`)
    for (const said of out === json.out ? [err] : [out, err])
      if (CONTROL.test(said)) throw new Error(`control characters: ${JSON.stringify(said)}`)
  }
  const github = await hitless(['check', '--base', WORLD, '-o', 'github', '-'], { stdin: text })
  if (!/^(::(error|warning) [^\r\n]+\n)*$/.test(github.out)) throw new Error(`not a workflow command each line: ${github.out}`)
  const { steps } = JSON.parse(json.out)
  if (!Array.isArray(steps)) throw new Error('no steps')
}

function refusedByIstio(text: string): number {
  const read = readManifestText(text, 'a.yaml')
  return read.filter((each) => !(each instanceof HitlessError) && each.object !== null && refusalOf(each.raw) !== null).length
}

function ofOtherVersions(text: string): number {
  const read = readManifestText(text, 'a.yaml')
  return read.filter(
    (each) => !(each instanceof HitlessError) && isOfOtherVersion(String(each.raw['apiVersion']), String(each.raw['kind']))
  ).length
}

/** Every manifest stands within the text; every error is one line with a code. */
function assertPlaces(text: string): number {
  const lines = text.split(/\r\n?|\n/).length
  let errors = 0
  for (const read of readManifestText(text, 'a.yaml')) {
    if (read instanceof HitlessError) {
      errors++
      if (!/^(HITLESS_YAML|HITLESS_MANIFEST)$/.test(read.code)) throw new Error(`code ${read.code}`)
      if (!/^a\.yaml:\d+:\d+: ./.test(read.message)) throw new Error(`an error without its place: ${read.message}`)
      continue
    }
    for (const path of [[], ['metadata', 'name'], ['spec', 'http', 0, 'route', 0, 'destination', 'subset']]) {
      const { line, column } = read.position(path)
      if (!(line >= 1 && line <= lines && column >= 1)) throw new Error(`${path} stands at ${line}:${column} of ${lines} lines`)
    }
  }
  return errors
}

function asStream(objects: readonly unknown[]): string {
  return objects.map((object) => dump(object, { noRefs: false })).join('---\n')
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => readFileSync(join(folder, file), 'utf8'))
}
