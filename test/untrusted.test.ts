/** What the source never does with names and lists that strangers wrote, however long or strange they are. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..', 'src')

/** Names of variables that count: a look-up by one is a place in a list. */
const NUMBERS = 'number|at|place|index|start|end|endNow|first|node|middle|low|row|column|line'

interface Ban {
  readonly name: string
  readonly pattern: RegExp
  /** Paths below src to which it applies; all where absent. */
  readonly where?: RegExp
  readonly insteadOf: string
  /** Texts that are right all the same: the name comes from our own code, as the type says. */
  readonly except?: readonly string[]
}

const BANS: readonly Ban[] = [
  {
    name: 'a table of ours that any name may be looked up in',
    pattern: /\bconst [A-Z_]+: (?:Readonly<)?Record<string,/,
    insteadOf: 'a Map'
  },
  {
    name: 'a look-up by a variable',
    pattern: new RegExp(String.raw`(?:\b[a-z#]\w*|[)\]]\)?)(?:\?\.)?\[(?!(?:${NUMBERS})(?: [-+] 1)?\])[a-z][\w.]*\]`),
    where: /^(?:kinds|mesh|rules|review|admission|sandbox|manifests|cluster)\//,
    insteadOf: 'own(map, name), or a Map',
    except: [
      'indexes[name]',
      'match[where]',
      'condition[field]',
      // Each of its own names.
      'found[name]',
      'spec[protocol]',
      'request[field]',
      'ageMs[kind]',
      'one[key]',
      'other[key]',
      'others[key]',
      'selector[key]',
      'subset[key]',
      'map[name]',
      'values[key]',
      'value[key]'
    ]
  },
  {
    name: 'the operator in, which sees what every object inherits',
    // A name of ours that tells two types of ours apart is right.
    pattern: /(?:=>|[(!?:=]|&&|\|\||return) ?\(?(?:[\w.#]+ in [\w(]|'[^']*' in [(\w.]*(?:labels|annotations|selector|headers)\b)/i,
    insteadOf: 'Object.hasOwn'
  },
  {
    name: 'a list spread into the arguments of a call, of which there may be as many as fit on the stack',
    pattern: /[\w\])>]\((?:[^()[\]{}]*, ?)?\.\.\.(?!\w+(?:: [^=]*)?\) ?=>|\w+: )(?!asked\b)/,
    where: /^(?:kinds|mesh|rules|review|admission|sandbox|manifests|cluster)\//,
    insteadOf: 'a loop, reduce, or a list as one argument'
  },
  {
    name: 'Object.assign, for which __proto__ is no name',
    pattern: /\bObject\.assign\(/,
    where: /^(?:kinds|mesh|rules|review|admission|sandbox|manifests|cluster)\//,
    insteadOf: 'Object.fromEntries'
  }
]

function violations(path: string, text: string): string[] {
  return withoutComments(text)
    .split('\n')
    .flatMap((line, at) =>
      BANS.filter(({ where }) => where?.test(path) !== false).flatMap((ban) =>
        isBanned(line, ban) ? [`${path}:${at + 1}: ${ban.name}, instead of ${ban.insteadOf}: ${line.trim()}`] : []
      )
    )
}

function isBanned(line: string, { pattern, except = [] }: Ban): boolean {
  const rest = except.reduce((text, allowed) => text.replaceAll(allowed, ''), line)
  return pattern.test(rest)
}

/** Lines stay where they are. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ''))
}

t.test('the source does none of it', async (t) => {
  const files = globSync('**/*.ts', { cwd: ROOT })
  t.ok(files.length > 0, 'there are files to read')
  t.strictSame(
    files.sort().flatMap((path) => violations(path, readFileSync(join(ROOT, path), 'utf8'))),
    []
  )
})

const forbidden: Readonly<Record<string, string>> = {
  'a look-up in a table': 'const KINDS: Readonly<Record<string, Kind>> = { a: 1 }',
  'a look-up of a label': 'if (labels[key] !== undefined) return',
  'a look-up behind a call': 'const known = KINDS.get(kind)?.labels[name]',
  'a look-up with a member': 'const resolution = table[entry.resolution]',
  'the operator in': 'keys.filter((key) => !(key in labels))',
  'the operator in of a fixed name': "return 'app' in labels ? 1 : 2",
  'a spread list to push': 'routes.push(...own)',
  'a spread list behind a number': 'return Math.max(0, ...ages)',
  'Object.assign': 'const labels = Object.assign({}, one, other)'
}

for (const [name, line] of Object.entries(forbidden)) {
  t.test(`${name} is refused`, async (t) => t.equal(violations('mesh/a.ts', line).length, 1))
}

for (const line of [
  'const part = parts[at]',
  'for (const key in labels) count++',
  '// labels[key] in words',
  'const x = TABLE[kind]',
  'const all = [...one, ...other]',
  'const f = (...asked: Asked) => g(...asked)'
]) {
  t.test(`${line} is allowed`, async (t) => t.strictSame(violations('mesh/a.ts', line), []))
}
