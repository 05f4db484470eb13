/** Structure-aware mutations: what was real, with a few of its parts taken away, doubled, moved or made strange. */
import fc from 'fast-check'

type Path = readonly string[]

interface Mutation {
  readonly type: 'replace' | 'remove' | 'repeat' | 'move' | 'rename'
  /** Which of the value's paths, counted round and round, so that the mutation fits whatever came before it. */
  readonly at: number
  readonly from: number
  readonly times: number
  readonly key: string
  readonly value: unknown
}

/** Texts that readers, terminals, JavaScript or Istio give a meaning to. */
const STRANGE_TEXTS = [
  ...['', '*', '.', '..', '*.', '.*', '/', '**', '0', '-1', 'null', 'true', 'off', 'mesh', '~', 'x/y', 'x/*', '*/*', './*', '~/*'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', 'then'],
  ...['v1', 'v2', 'helloworld', 'HelloWorld', 'helloworld.', 'helloworld.default', 'helloworld.default.svc.cluster.local', '*.local'],
  ...['\u0000', 'a\nb', '\u001b[31mred', '\u202egnp', '\u2028', '\ufeff', '\ud800', '\udfff\ud800', '😀'.repeat(300), 'é'.repeat(1000)],
  ...['x'.repeat(253), 'x'.repeat(70_000), 'a.'.repeat(2_000), '('.repeat(1_000), '(a*)*'.repeat(50), '[', '\\', '(?=a)', 'a{1000}{1000}']
]
const STRANGE_NUMBERS = [0, -0, -1, 1, 0.5, 80, 100, 101, 3000, 65_535, 65_536, 2 ** 31, 2 ** 53, 1e308, -1e308]

const strange = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...STRANGE_TEXTS) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(...STRANGE_NUMBERS) },
  { weight: 3, arbitrary: fc.constantFrom<unknown>(null, true, false, {}, [], [null], [[]], { '': '' }, ['']) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) }
)

const mutation: fc.Arbitrary<Mutation> = fc.record({
  type: fc.constantFrom('replace', 'remove', 'repeat', 'move', 'rename'),
  at: fc.nat(10_000),
  from: fc.nat(10_000),
  times: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 2, max: 4 }) }, { weight: 1, arbitrary: fc.constant(40) }),
  key: fc.constantFrom(...STRANGE_TEXTS.filter((text) => text.length < 300)),
  value: strange
})

/** One of `originals`, mutated up to `most` times. */
export function mutants<T>(originals: readonly T[], most: number): fc.Arbitrary<unknown> {
  return fc
    .tuple(fc.constantFrom(...originals), fc.array(mutation, { maxLength: most }))
    .map(([original, mutations]) => mutations.reduce<unknown>(mutate, original))
}

/** A text of which a few places are cut out, doubled, or filled with one of `tokens`. */
export function mutantTexts(originals: readonly string[], tokens: readonly string[], most: number): fc.Arbitrary<string> {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.oneof(fc.nat(3), fc.nat(200)),
    times: fc.oneof({ weight: 5, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(50) }),
    token: fc.oneof({ weight: 4, arbitrary: fc.constantFrom('', ...tokens) }, { weight: 1, arbitrary: fc.string({ maxLength: 5 }) })
  })
  return fc.tuple(fc.constantFrom(...originals), fc.array(edit, { minLength: 1, maxLength: most })).map(([original, edits]) =>
    edits.reduce((text, { at, length, times, token }) => {
      const start = Math.floor(at * text.length)
      return text.slice(0, start) + token + text.slice(start, start + length).repeat(times) + text.slice(start + length)
    }, original)
  )
}

function mutate(value: unknown, { type, at, from, times, key, value: other }: Mutation): unknown {
  const paths = [...pathsOf(value)]
  const path = paths[at % paths.length] ?? []
  switch (type) {
    case 'replace':
      return edited(value, path, () => [other])
    case 'remove':
      return path.length === 0 ? {} : edited(value, path, () => [])
    case 'repeat':
      return edited(value, path, (part) => Array(times).fill(part))
    case 'move':
      return edited(value, path, () => [partAt(value, paths[from % paths.length] ?? [])])
    case 'rename':
      return edited(value, path, (part) => [part], key)
  }
}

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, part] of Object.entries(value)) yield* pathsOf(part, [...path, key])
}

function partAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((part, key) => Object(part)[key], value)
}

/** `value` with what `edit` makes of the part at `path`: more than one in a list, the first in an object, which also takes a new `key`. */
function edited(value: unknown, [step, ...rest]: Path, edit: (part: unknown) => unknown[], key = step): unknown {
  if (step === undefined) return edit(value)[0] ?? null
  const parts = (part: unknown) => (rest.length === 0 ? edit(part) : [edited(part, rest, edit, key)])
  if (Array.isArray(value)) return value.flatMap((part, at) => (String(at) === step ? parts(part) : [part]))
  const entries = Object.entries(Object(value)).flatMap(([name, part]) => {
    if (name !== step) return [[name, part]]
    const [first] = parts(part)
    return first === undefined ? [] : [[rest.length === 0 ? key : name, first]]
  })
  // A key such as `__proto__` becomes a field of its own here, as JSON.parse makes it.
  return Object.fromEntries(entries)
}
