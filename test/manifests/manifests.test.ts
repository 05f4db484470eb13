import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { HitlessError } from '../../src/errors.ts'
import { readManifests, readManifestText } from '../../src/manifests/manifests.ts'
import type { Path } from '../../src/mesh/names/path.ts'

const VIRTUAL_SERVICE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: helloworld # the guide's
spec:
  hosts: [helloworld]
  "http":
    - match:
        - headers:
            my-header: {regex: '.*debug.*'}
      route:
        - destination: {host: helloworld, subset: v1}
          weight: 90
        -
          destination:
            host: helloworld
            subset: v2
          weight: 10
`

const SERVICE = `apiVersion: v1
kind: Service
metadata:
  name: helloworld
`

/** What came of each document: the object's name, or the error's message. */
function outcomes(text: string): string[] {
  return readManifestText(text, 'file.yaml').map((read) =>
    read instanceof HitlessError ? `${read.code} ${read.message}` : (read.object?.name ?? 'unread')
  )
}

function placeOf(text: string, path: Path): string {
  const [read] = readManifestText(text, 'file.yaml')
  if (read === undefined || read instanceof HitlessError) throw new Error(read?.message ?? 'nothing was read')
  const { line, column } = read.position(path)
  return `${line}:${column}`
}

const PLACES: readonly { path: Path; place: string; why: string }[] = [
  { path: [], place: '1:1', why: 'the object' },
  { path: ['metadata', 'name'], place: '4:3', why: 'a field' },
  { path: ['spec', 'http'], place: '7:3', why: 'a quoted key' },
  { path: ['spec', 'http', 0], place: '8:7', why: 'an item' },
  { path: ['spec', 'http', 0, 'match', 0, 'headers', 'my-header', 'regex'], place: '10:25', why: 'a field in braces' },
  { path: ['spec', 'http', 0, 'route', 0, 'destination', 'subset'], place: '12:43', why: 'a later field in braces' },
  { path: ['spec', 'http', 0, 'route', 1], place: '15:11', why: 'an item below its dash' },
  { path: ['spec', 'http', 0, 'route', 1, 'destination'], place: '15:11', why: 'the first field of an item' },
  { path: ['spec', 'http', 0, 'route', 1, 'destination', 'subset'], place: '17:13', why: 'a field of a later item' },
  { path: ['spec', 'http', 0, 'route', 1, 'destination', 'port', 'number'], place: '15:11', why: 'nothing: the nearest field around it' },
  { path: ['spec', 'http', 5, 'route'], place: '7:3', why: 'no item: the list' },
  { path: ['spec', 'gateways'], place: '5:1', why: 'a defaulted field: the object around it' },
  { path: ['status'], place: '1:1', why: 'a missing field of the object: the object' }
]
for (const { path, place, why } of PLACES) {
  t.test(`${JSON.stringify(path)} stands at ${place} (${why})`, async (t) => {
    t.equal(placeOf(VIRTUAL_SERVICE, path), place)
    t.equal(placeOf(VIRTUAL_SERVICE.replaceAll('\n', '\r\n'), path), place, 'with the line ends of Windows')
    t.equal(placeOf(`\uFEFF${VIRTUAL_SERVICE}`, ['metadata', 'name']), '4:3', 'with a byte order mark')
  })
}

t.test('JSON has places too', async (t) => {
  t.equal(placeOf('{\n\t"apiVersion": "v1",\n\t"kind": "Service",\n\t"metadata": {"name": "a"}\n}', ['metadata', 'name']), '4:15')
})

t.test('a field behind an alias stands where the alias is used', async (t) => {
  const text = `${SERVICE}  labels: &labels {app: helloworld}\nspec:\n  selector: *labels\n`
  t.equal(placeOf(text, ['spec', 'selector', 'app']), '7:3')
})

t.test('places are those of the file, whichever document they are in', async (t) => {
  const [, second] = readManifestText(`${SERVICE}--- # the next\n${SERVICE}`, 'file.yaml')
  t.notOk(second instanceof HitlessError)
  if (second instanceof HitlessError) return
  t.same(second?.position(['metadata', 'name']), { line: 9, column: 3 })
})

t.test('what `helm template` made has the place in its template', async (t) => {
  const text = `---\n# Source: chart/templates/a.yaml\n${SERVICE}---\n# Source: chart/templates/b.yaml\n${SERVICE}---\n${SERVICE}`
  const found = readManifestText(text, '<stdin>').map((read) =>
    read instanceof HitlessError ? read.message : { source: read.source, line: read.position(['metadata']).line }
  )
  t.same(found, [
    { source: 'chart/templates/a.yaml', line: 3 },
    { source: 'chart/templates/b.yaml', line: 3 },
    { source: null, line: 16 }
  ])
  const [kept] = readManifestText(text, 'rendered.yaml')
  t.match(kept, { source: null }, 'what was kept in a file is found there')
})

/** Texts that kubectl reads too, and the names of what is in them. */
const READ: Readonly<Record<string, { text: string; names: string[] }>> = {
  'several documents': { text: `${SERVICE}---\n${SERVICE}`, names: ['helloworld', 'helloworld'] },
  'empty documents among them': { text: `---\n---\n# nothing\n---\n${SERVICE}---\n...\n`, names: ['helloworld'] },
  'a marker with a comment and one with spaces': { text: `--- # one\n${SERVICE}---  \n${SERVICE}`, names: ['helloworld', 'helloworld'] },
  'an end marker': { text: `${SERVICE}...\n${SERVICE}`, names: ['helloworld', 'helloworld'] },
  'a directive': { text: `%YAML 1.1\n# why not\n---\n${SERVICE}`, names: ['helloworld'] },
  'a marker inside a text': { text: `${SERVICE}  annotations:\n    note: |\n      ---\n      x\n`, names: ['helloworld'] },
  'nothing at all': { text: '', names: [] },
  'only comments': { text: '# one\n---\n# two\n', names: [] },
  'a List': {
    text: 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n- {apiVersion: v1, kind: Service, metadata: {name: b}}\n',
    names: ['a', 'b']
  },
  'a list of one kind, whose items do not name it': {
    text: 'apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n',
    names: ['a']
  },
  'an empty List': { text: 'apiVersion: v1\nkind: List\nitems: []\n', names: [] },
  'a kind that hitless does not read': { text: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n', names: ['unread'] },
  'a name that is made later': { text: 'apiVersion: v1\nkind: Service\nmetadata: {generateName: a-}\n', names: [''] },
  'keys that mean something to JavaScript': { text: `${SERVICE}__proto__: {x: 1}\nconstructor: {prototype: {}}\n`, names: ['helloworld'] }
}
for (const [what, { text, names }] of Object.entries(READ)) {
  t.test(`reads ${what}`, async (t) => {
    t.same(outcomes(text), names)
  })
}

t.test('reads numbers and truth as kubectl does', async (t) => {
  const [read] = readManifestText(
    `${SERVICE}spec: {a: yes, b: off, c: 0777, d: 0o17, e: 1_000, f: 1e3, g: 2024-05-01, h: 12:30:45, i: ~, j: 0x1F, k: -010}\n`,
    'f'
  )
  if (read === undefined || read instanceof HitlessError) throw new Error('not read')
  t.same(read.raw['spec'], { a: true, b: false, c: 511, d: 15, e: 1000, f: 1000, g: '2024-05-01', h: '12:30:45', i: null, j: 31, k: -8 })
})

const tenOf = (level: number) => Array.from({ length: 10 }, () => `*l${level}`).join(', ')
const BOMB = [
  'l0: &l0 [x, x, x, x, x, x, x, x, x, x]',
  ...Array.from({ length: 8 }, (_, at) => `l${at + 1}: &l${at + 1} [${tenOf(at)}]`)
].join('\n')

/** Texts that nobody could apply, and what is said of them. */
const REFUSED: Readonly<Record<string, { text: string; says: string[] }>> = {
  'what is no YAML': { text: `${SERVICE}spec: a: b\n`, says: ['HITLESS_YAML file.yaml:5:8: bad indentation of a mapping entry'] },
  'one broken document, and the others come': {
    text: `${SERVICE}---\n[\n---\n${SERVICE}`,
    says: ['helloworld', 'HITLESS_YAML file.yaml:7:1: unexpected end of the stream within a flow collection', 'helloworld']
  },
  'a Helm template': {
    text: '{{ if .Values.x }}\n',
    says: [
      'HITLESS_YAML file.yaml:1:1: a template, not rendered: judge what `helm template` prints (object-based map does not support complex keys)'
    ]
  },
  'a key given twice': { text: `${SERVICE}kind: Pod\n`, says: ['HITLESS_YAML file.yaml:5:1: duplicated mapping key'] },
  'a document that is no manifest': {
    text: 'a: 1\n',
    says: ['HITLESS_MANIFEST file.yaml:1:1: no manifest: apiVersion or kind is missing']
  },
  'a bare word': { text: 'hello\n', says: ['HITLESS_MANIFEST file.yaml:1:1: no manifest: apiVersion or kind is missing'] },
  'a field of the wrong type, at its place': {
    text: `${SERVICE}spec:\n  ports:\n    - port: "80"\n`,
    says: ['HITLESS_MANIFEST file.yaml:7:7: spec.ports[0].port must be a number, not string "80"']
  },
  'a name that YAML takes for a truth': {
    text: 'apiVersion: v1\nkind: Service\nmetadata: {name: y}\n',
    says: ['HITLESS_MANIFEST file.yaml:3:12: metadata.name must be a string, not boolean true']
  },
  'an object without a name': {
    text: 'apiVersion: v1\nkind: Service\nmetadata: {}\n',
    says: ['HITLESS_MANIFEST file.yaml:3:1: metadata.name is missing']
  },
  'aliases that make a thousand million values': {
    text: `apiVersion: v1\nkind: List\n${BOMB}\nitems: *l8\n`,
    says: ['HITLESS_YAML file.yaml:1:1: aliases make more than 1000000 values of this document']
  },
  'a List that holds itself': {
    text: '&list {apiVersion: v1, kind: List, items: [*list]}\n',
    says: ['HITLESS_YAML file.yaml:1:1: aliases make more than 1000000 values of this document']
  },
  'more aliases than anybody writes': {
    text: `${SERVICE}a: &a [x]\nb: [${Array(101).fill('*a').join(', ')}]\n`,
    says: ['HITLESS_YAML file.yaml:6:406: aliases exceeded maxAliases (100)']
  },
  'a nesting without end': { text: '['.repeat(100_000), says: ['HITLESS_YAML file.yaml:1:100: nesting exceeded maxDepth (100)'] },
  'a null byte': { text: 'a: \0\n', says: ['HITLESS_YAML file.yaml:1:4: null byte is not allowed in input'] },
  'tabs as indentation': { text: 'a:\n\tb: 1\n', says: ['HITLESS_YAML file.yaml:2:1: tab characters must not be used in indentation'] }
}
for (const [what, { text, says }] of Object.entries(REFUSED)) {
  t.test(`refuses ${what}`, async (t) => {
    t.same(outcomes(text), says)
  })
}

t.test('a folder is read with its folders, in the order of names, manifests only', async (t) => {
  const folder = t.testdir({})
  for (const name of ['b.yaml', 'a/z.yml', 'a/b.json', 'c.txt', '10.yaml', '9.yaml']) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "${name}"}}`)
  }
  const { manifests, errors } = readManifests([folder], () => '')
  t.same(errors, [])
  t.same(
    manifests.map(({ object }) => object?.name),
    ['10.yaml', '9.yaml', 'a/b.json', 'a/z.yml', 'b.yaml']
  )
})

t.test('a file named by itself is read whatever its ending', async (t) => {
  const folder = t.testdir({ manifest: SERVICE })
  t.equal(readManifests([join(folder, 'manifest')], () => '').manifests.length, 1)
})

t.test('a path that is not there is an error, and the others are read', async (t) => {
  const folder = t.testdir({ 'a.yaml': SERVICE })
  const { manifests, errors } = readManifests(['nowhere', folder], () => '')
  t.equal(manifests.length, 1)
  t.same(
    errors.map(({ code, message }) => `${code} ${message}`),
    ['HITLESS_UNREADABLE nowhere: cannot be read (no such file or directory)']
  )
})

t.test('what stands in a folder and is no manifest is no error, but for what is half of one', async (t) => {
  const folder = t.testdir({
    'a.yaml': SERVICE,
    'half.yaml': 'kind: Service\n',
    'package.json': '{"name": "shop"}',
    'words.yaml': '- a\n',
    'empty.yaml': '# nothing\n---\n',
    chart: {
      'Chart.yaml': 'apiVersion: v2\nname: shop\n',
      'values.yaml': 'replicas: 1\n',
      charts: { sub: { 'Chart.yaml': 'apiVersion: v2\n', templates: { 'a.yaml': '{{ .Values.a }}\n' } } },
      templates: {
        'a.yaml': SERVICE,
        'b.yaml': `${SERVICE}spec:\n  {{ .Values.b }}\n---\n{{ .Values.c }}\n`,
        'c.yaml': '{{ .Values.a }}\n'
      }
    }
  })
  const { manifests, errors, others } = readManifests([folder], () => '')
  const short = (text: string) => text.replaceAll(`${folder}/`, '')
  t.strictSame(
    manifests.map(({ file }) => short(file)),
    ['a.yaml', 'chart/templates/a.yaml']
  )
  t.match(
    errors.map(({ message }) => short(message)),
    [/^chart\/charts\/sub\/templates\/a\.yaml:1:1: a template, not rendered/, 'half.yaml:1:1: no manifest: apiVersion or kind is missing'],
    'of one chart the first template is told'
  )
  t.equal(errors.length, 2)
  t.strictSame(others.map(short), ['chart/Chart.yaml', 'chart/charts/sub/Chart.yaml', 'chart/values.yaml', 'package.json', 'words.yaml'])
  t.match(readManifests([join(folder, 'words.yaml')], () => '').errors, [{ code: 'HITLESS_MANIFEST' }], 'what is named is meant')
})

t.test('a dash is standard input', async (t) => {
  const { manifests } = readManifests(['-'], () => SERVICE)
  t.same(
    manifests.map(({ file }) => file),
    ['<stdin>']
  )
})
