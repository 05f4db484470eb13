/** The requests of the public conformance suite of the Gateway API get from hitless the answers that the suite wants (README.md). */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dump, load, loadAll } from 'js-yaml'
import t from 'tap'
import { hitless } from '../../../cli/commands.ts'
import type { Table } from './tables.ts'

t.setTimeout(3 * 60_000)

interface Argued {
  readonly test: string
  /** Absent: none of the test's requests applies. */
  readonly requests?: readonly string[]
  readonly reason: string
}

const here = import.meta.dirname
const read = (...path: string[]) => readFileSync(join(here, ...path), 'utf8')
const argued = load(read('not-applicable.yaml')) as Argued[]
const tests = load(read('tests.yaml')) as { test: string; requests: number }[]
const tables = readdirSync(join(here, 'tables')).sort()
const scratch = mkdtempSync(join(tmpdir(), 'hitless-public-suite-'))
const BASE = ['base/manifests.yaml', 'mesh/manifests.yaml']

/** A manifest of the suite as it is applied: what it leaves to the implementation is filled in, and what the test took away is gone. */
function applied(file: string, without: readonly string[] = []): string {
  const path = join(scratch, [file, ...without].join('+').replaceAll('/', '-'))
  const text = read('manifests', file)
    .replaceAll('{GATEWAY_CLASS_NAME}', 'istio')
    .replaceAll('{GATEWAY_CONTROLLER_NAME}', 'istio.io/gateway-controller')
  const isGone = ({ kind, metadata }: { kind: string; metadata: { namespace?: string; name: string } }) =>
    kind === 'ReferenceGrant' && without.includes(`${metadata.namespace}/${metadata.name}`)
  const documents = (loadAll(text) as (Parameters<typeof isGone>[0] | null)[]).filter((each) => each !== null && !isGone(each))
  writeFileSync(path, documents.map((each) => dump(each)).join('---\n'))
  return path
}

interface Answered {
  readonly requests: readonly { readonly name: string; readonly differences: readonly string[] }[]
}

const base = BASE.map((file) => applied(file))
for (const file of tables) {
  const { test, description, manifests, without = [] } = load(read('tables', file)) as Table
  t.test(`${test}: ${description}`, async (t) => {
    const paths = [...base, ...manifests.map((each) => applied(each, without))]
    const { out, err, exit } = await hitless(['ask', ...paths, '--expect', join(here, 'tables', file), '-o', 'json'])
    t.ok(exit < 2, err)
    const { requests } = JSON.parse(out) as Answered
    const listed = argued.filter((each) => each.test === test)
    const isArgued = ({ name }: Answered['requests'][number]) => listed.some((each) => each.requests?.includes(name) ?? true)
    for (const request of requests.filter((each) => !isArgued(each))) t.same(request.differences, [], request.name)
    for (const { requests: names, reason } of listed) {
      const meant = requests.filter(({ name }) => names?.includes(name) ?? true)
      t.ok(meant.length === 0 || meant.some(({ differences }) => differences.length > 0), `agrees, though it is listed: ${reason}`)
      for (const name of names ?? []) if (!requests.some((each) => each.name === name)) t.fail(`no request is called ${name}`)
    }
    t.ok(requests.length > 0)
  })
}

t.test('each test that asks something is played or listed', async (t) => {
  const played = new Set(tables.map((file) => (load(read('tables', file)) as Table).test))
  const names = new Set(tests.map(({ test }) => test))
  for (const { test, requests } of tests) t.ok(requests === 0 || played.has(test) || argued.some((each) => each.test === test), test)
  for (const { test } of argued) t.ok(names.has(test), `${test} is one of the suite`)
})
