/** charts/hitless/README.md, made from the comments and defaults of values.yaml and from the schemas. `npm run docs` writes it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { load } from 'js-yaml'

const CHART = join(import.meta.dirname, '../../charts/hitless')

export const VALUES_PAGE = 'charts/hitless/README.md'

interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
}

interface Row {
  readonly key: string
  readonly kind: string
  readonly value: string
  readonly text: string
}

export function valuesPage(): string {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema
  const values = readFileSync(join(CHART, 'values.yaml'), 'utf8')
  const { config, ...others } = schema.properties ?? {}
  return [
    '# The chart hitless',
    'How to install it, and what happens then: [docs/operations.md](../../docs/operations.md). Made by `npm run docs` from `values.yaml` and `values.schema.json`, which refuses any other value.',
    '## Values',
    table(rowsOfValues(values, others)),
    '## The configuration, under `config`',
    'The file of `hitless serve --config`. Quote the mode `"off"`: YAML takes the bare word for false.',
    table(rowsOfSchema(config ?? {}, 'config'))
  ]
    .join('\n\n')
    .concat('\n')
}

/** A row for each key that the file has, with the comment above it; keys that hold others have one where there is a comment. */
function rowsOfValues(text: string, schemas: Readonly<Record<string, Schema>>): Row[] {
  const values = load(text)
  const rows: Row[] = []
  let path: string[] = []
  let comment: string[] = []
  for (const line of text.split('\n')) {
    const said = /^\s*# (.*)$/.exec(line)?.[1]
    if (said !== undefined) {
      comment.push(said)
      continue
    }
    const [, indent = '', key] = /^( *)([A-Za-z]+):/.exec(line) ?? []
    if (key === undefined) continue
    path = [...path.slice(0, indent.length / 2), key]
    const value = at(values, path)
    const schema = path.reduce<Schema | undefined>((found, each) => found?.properties?.[each], { properties: schemas })
    const isSection = schema?.properties !== undefined
    // What stands below a value without named fields is the value itself; `config` has a table of its own.
    if (schema !== undefined && (!isSection || comment.length > 0)) {
      rows.push({
        key: path.join('.'),
        kind: isSection ? '' : kindOf(schema),
        value: isSection ? '' : `\`${JSON.stringify(value)}\``,
        text: comment.join(' ')
      })
    }
    comment = []
  }
  return rows
}

function rowsOfSchema(schema: Schema, path: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const key = `${path}.${name}`
    const text = field.description ?? ''
    if (name === 'rules') return [{ key: `${key}.<rule>`, kind: '`deny`, `warn`, `off`', value: '', text }]
    if (field.properties === undefined) {
      return [{ key, kind: kindOf(field), value: field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``, text }]
    }
    return [...(text === '' ? [] : [{ key, kind: '', value: '', text }]), ...rowsOfSchema(field, key)]
  })
}

function kindOf({ type, enum: allowed, const: only }: Schema): string {
  if (only !== undefined) return `\`${only}\``
  if (allowed !== undefined) return allowed.map((value) => `\`${value}\``).join(', ')
  return [type ?? 'any'].flat().join(' or ')
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, key) => Object(found)[key], value)
}

function table(rows: readonly Row[]): string {
  const cells = rows.map(({ key, kind, value, text }) => `| \`${key}\` | ${kind} | ${value} | ${text.replaceAll('|', '\\|')} |`)
  return ['| Key | Type | Default | |', '| --- | --- | --- | --- |', ...cells].join('\n')
}
