/** Each field of the schemas of the judged kinds is read, or is listed as unread with a reason. */
import { readFileSync } from 'node:fs'
import { loadAll } from 'js-yaml'
import t from 'tap'
import { JUDGED_KINDS, kindOf } from '../../src/kinds/index.ts'
import { installBinaries, installGatewayApi } from '../rig/binaries.ts'
import { leavesOf, readFields, type Schema } from './fields.ts'
import { covers, unread } from './unread.ts'

interface Definition {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly {
      readonly name: string
      readonly storage: boolean
      readonly schema: { readonly openAPIV3Schema: { readonly properties: { readonly spec: Schema } } }
    }[]
  }
}

const { istioDefinitions } = await installBinaries()
const definitions = [istioDefinitions, await installGatewayApi()].flatMap((path) => loadAll(readFileSync(path, 'utf8')) as Definition[])

const judged = definitions.flatMap(({ spec: { group, names, versions } }) => {
  const stored = versions.find(({ storage }) => storage)
  const apiVersion = `${group}/${stored?.name}`
  const kind = kindOf(apiVersion, names.kind)
  if (stored === undefined || kind === null || !JUDGED_KINDS.includes(kind)) return []
  const { spec } = stored.schema.openAPIV3Schema.properties
  return [{ kind, leaves: leavesOf(spec), read: readFields(apiVersion, names.kind, spec) }]
})

t.test('the list has every judged kind that has a definition', (t) => {
  t.strictSame(Object.keys(unread()).sort(), judged.map(({ kind }) => kind).sort())
  t.end()
})

for (const { kind, leaves, read } of judged) {
  t.test(kind, (t) => {
    const listed = unread()[kind] ?? []
    const fields = listed.flatMap((each) => each.fields)
    t.ok(leaves.some((path) => read.has(path)))
    t.strictSame(
      leaves.filter((path) => !read.has(path) && !fields.some((field) => covers(field, path))),
      [],
      'neither read nor listed'
    )
    t.strictSame(
      fields.filter((field) => leaves.some((path) => read.has(path) && covers(field, path))),
      [],
      'listed, and read'
    )
    t.strictSame(
      fields.filter((field) => !leaves.some((path) => covers(field, path))),
      [],
      'listed, and of no schema'
    )
    for (const { reason } of listed) t.ok(reason)
    t.end()
  })
}
