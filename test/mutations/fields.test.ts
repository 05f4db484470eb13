/** Each field of the schemas of the judged kinds is read, or is listed as unread with a reason; each that is read is changed by a mutant, or listed too. */
import { readFileSync } from 'node:fs'
import { load, loadAll } from 'js-yaml'
import t, { type Test } from 'tap'
import { JUDGED_KINDS, kindOf } from '../../src/kinds/index.ts'
import type { Manifest } from '../manifests.ts'
import { installBinaries, installGatewayApi } from '../rig/binaries.ts'
import { hasField, leavesOf, readFields, type Schema } from './fields.ts'
import { worlds } from './judged.ts'
import { covers, type Listed, unchanged, unread } from './unread.ts'

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

const manifests = worlds().flatMap((file) => (load(readFileSync(file, 'utf8')) as { state: readonly Manifest[] }).state)

t.test('the list has every judged kind that has a definition', (t) => {
  t.strictSame(Object.keys(unread()).sort(), judged.map(({ kind }) => kind).sort())
  t.end()
})

for (const { kind, leaves, read } of judged) {
  t.test(`${kind}: fields that are not read`, (t) => {
    t.ok(leaves.some((path) => read.has(path)))
    isExactly(t, unread()[kind] ?? [], leaves, (path) => !read.has(path))
    t.end()
  })

  const objects = manifests.filter((each) => kindOf(each.apiVersion, each.kind) === kind)
  if (objects.length === 0) continue
  t.test(`${kind}: fields that no mutant changes`, (t) => {
    const isUnchanged = (path: string) => !objects.some((object) => hasField(object, path))
    isExactly(
      t,
      unchanged()[kind] ?? [],
      leaves.filter((path) => read.has(path)),
      isUnchanged
    )
    t.end()
  })
}

/** Every path that is so is listed, and no other is. */
function isExactly(t: Test, listed: readonly Listed[], paths: readonly string[], isSo: (path: string) => boolean): void {
  const fields = listed.flatMap((each) => each.fields)
  const missing = paths.filter((path) => isSo(path) && !fields.some((field) => covers(field, path)))
  const wrong = fields.filter((field) => paths.some((path) => !isSo(path) && covers(field, path)))
  const nowhere = fields.filter((field) => !paths.some((path) => covers(field, path)))
  t.strictSame({ missing, wrong, nowhere }, { missing: [], wrong: [], nowhere: [] })
  for (const { reason } of listed) t.ok(reason)
}
