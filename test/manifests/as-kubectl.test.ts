/** Texts that kubectl reads, as it reads them: each was given to `kubectl annotate --local -o json`, whose answer is what is asked for here. */
import t from 'tap'
import { HitlessError } from '../../src/errors.ts'
import { readManifestText } from '../../src/manifests/manifests.ts'

const HEAD = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n'
const OBJECT = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } }

function read(text: string): unknown[] {
  return readManifestText(text, 'file.yaml').map((each) => (each instanceof HitlessError ? each.message : each.raw))
}

const of = (spec: unknown) => [{ ...OBJECT, spec }]

const TEXTS: Readonly<Record<string, { text: string; gives: unknown[] }>> = {
  'a list whose bracket closes below its key': { text: `${HEAD}spec:\n  a: [\n    1,\n  ]\n`, gives: of({ a: [1] }) },
  'a mapping that closes there, in a list': { text: `${HEAD}spec:\n- a: {\n    b: c\n  }\n- d\n`, gives: of([{ a: { b: 'c' } }, 'd']) },
  'items before their key': { text: `${HEAD}spec:\n    a: [x,\nz\n]\n    b: {\nc: d }\n`, gives: of({ a: ['x', 'z'], b: { c: 'd' } }) },
  'a quoted text that goes on at the start of a line': {
    text: `${HEAD}spec:\n  a: "x\ny"\n  b: 'p\nq'\n`,
    gives: of({ a: 'x y', b: 'p q' })
  },
  'tabs within braces': { text: `${HEAD}spec: {\n\ta: 1,\n\tb: [\n\t1]\n}\n`, gives: of({ a: 1, b: [1] }) },
  'JSON, with tabs': { text: '{\n\t"apiVersion":"v1",\n\t"kind":"ConfigMap",\n\t"metadata":{"name":"a"}\n}', gives: [OBJECT] },
  'JSON, one object after another': {
    text: `${JSON.stringify(OBJECT)}${JSON.stringify({ ...OBJECT, x: '}"{\\' })}\n${JSON.stringify(OBJECT, null, 2)}\n`,
    gives: [OBJECT, { ...OBJECT, x: '}"{\\' }, OBJECT]
  },
  'lines that end as on Windows, and as on old Macs': {
    text: `${HEAD}---\n${HEAD}`.replaceAll('\n', '\r\n').concat('---\n', HEAD.replaceAll('\n', '\r')),
    gives: [OBJECT, OBJECT, OBJECT]
  },
  'a mark of byte order': { text: `\ufeff${HEAD}---\n${HEAD}`, gives: [OBJECT, OBJECT] },
  'the end of a document': { text: `${HEAD}...\n---\n# nothing\n---\n${HEAD}`, gives: [OBJECT, OBJECT] },
  'truths and numbers of YAML 1.1': {
    text: `${HEAD}spec: {a: y, b: NO, c: On, d: tRue, e: 0777, f: 0b11, g: 1_0, h: 08, i: 12:30, j: 2001-01-01, k: 1., l: "yes"}\n`,
    gives: of({ a: true, b: false, c: true, d: 'tRue', e: 511, f: 3, g: 10, h: 8, i: '12:30', j: '2001-01-01', k: 1, l: 'yes' })
  },
  'keys that are no texts': { text: `${HEAD}spec: {yes: 1, 80: 2, 1.5: 3, 010: 4}\n`, gives: of({ 8: 4, 80: 2, '1.5': 3, true: 1 }) },
  'anchors and merges': {
    text: `${HEAD}spec: {a: &a {x: 1, z: 2}, b: {<<: *a, z: 3}, c: {<<: [*a, {w: 1}]}}\n`,
    gives: of({ a: { x: 1, z: 2 }, b: { x: 1, z: 3 }, c: { x: 1, z: 2, w: 1 } })
  },
  'keys without a value': { text: `${HEAD}spec: {a: , b}\n`, gives: of({ a: null, b: null }) }
}
for (const [what, { text, gives }] of Object.entries(TEXTS)) {
  t.test(`reads ${what}`, async (t) => t.same(read(text), gives))
}

t.test('a place is that in the text as it was written, lines that were moved or not', async (t) => {
  const text = `${HEAD}spec:\n  a: [\n    1,\n  ]\n  b: {c: [\n  2\n  ]}\n  d: {\n    e: 1\n  }\n  f: g\n`
  const [found] = readManifestText(text, 'file.yaml')
  if (found === undefined || found instanceof HitlessError) throw new Error('not read')
  const place = (...path: (string | number)[]) => Object.values(found.position(path)).join(':')
  t.same(
    [place('spec', 'a', 0), place('spec', 'b'), place('spec', 'b', 'c', 0), place('spec', 'd', 'e'), place('spec', 'f')],
    ['6:5', '8:3', '9:3', '12:5', '14:3']
  )
  t.same(read(`${HEAD}spec:\n  a: [\n  ]\n  b: c: d\n`), ['file.yaml:7:7: bad indentation of a mapping entry'], 'of errors too')
})

t.test('what costs too much to mend, or looks like JSON and is none, ends as an error in time', async (t) => {
  const lists = Array.from({ length: 3000 }, (_, at) => `  k${at}: [\n    ${'1'.repeat(20)}\n  ]\n`).join('')
  t.match(read(`${HEAD}spec:\n${lists}`), [/deficient indentation/])
  for (const text of [`{${'"\\'.repeat(1e6)}`, `{${'"'.repeat(1e6)}`, '{}'.repeat(1000), `{${'{'.repeat(1e5)}`, "{a: '}'} x"]) {
    t.match(read(text).at(-1), /file\.yaml:\d+:\d+: /)
  }
})
