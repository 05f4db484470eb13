import { globSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..', 'src')

/** The layers that each layer may import, itself always included. A file directly under src is a layer of its own. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'mesh/names': [],
  kinds: ['mesh/names'],
  'mesh/snapshot': ['mesh/names', 'kinds'],
  'mesh/routing': ['mesh/names', 'mesh/snapshot', 'kinds'],
  'mesh/requests': ['mesh/names', 'mesh/snapshot', 'mesh/routing', 'kinds'],
  'mesh/gaps': ['mesh/names', 'mesh/snapshot', 'mesh/routing', 'mesh/requests', 'kinds'],
  rules: ['kinds', 'mesh'],
  review: ['kinds', 'mesh', 'rules'],
  kubernetes: ['kinds', 'mesh', 'errors'],
  cluster: ['kinds', 'mesh', 'kubernetes', 'errors'],
  proxies: ['kinds', 'mesh', 'kubernetes', 'errors'],
  admission: ['kinds', 'mesh', 'rules', 'review', 'errors'],
  output: ['kinds', 'mesh', 'rules', 'review', 'manifests', 'errors'],
  manifests: ['kinds', 'mesh', 'errors'],
  page: ['kinds', 'mesh', 'output'],
  sandbox: ['kinds', 'mesh', 'rules', 'review', 'admission', 'manifests', 'errors', 'config'],
  server: ['kinds', 'mesh', 'rules', 'review', 'admission', 'errors', 'config', 'watchdog'],
  certificates: ['errors'],
  webhook: [
    'kinds',
    'mesh',
    'rules',
    'review',
    'kubernetes',
    'cluster',
    'proxies',
    'sandbox',
    'admission',
    'server',
    'certificates',
    'manifests',
    'output',
    'page',
    'errors',
    'config'
  ],
  cli: [
    'kinds',
    'mesh',
    'rules',
    'review',
    'kubernetes',
    'cluster',
    'proxies',
    'sandbox',
    'admission',
    'webhook',
    'manifests',
    'output',
    'page',
    'errors',
    'config',
    'nearest'
  ],
  main: ['cli', 'manifests', 'errors'],
  errors: [],
  watchdog: [],
  nearest: [],
  // Its defaults are those of the mesh and of the policy, so a layer that must not see the policy must not see it either.
  config: ['mesh', 'review', 'errors', 'nearest']
}
// Pure: what they answer depends on their arguments alone. They need a regular-expression engine, and one reads YAML: a ConfigMap holds the mesh's.
const PURE = ['kinds', 'mesh/names', 'mesh/snapshot', 'mesh/routing', 'mesh/requests', 'mesh/gaps', 'rules', 'review']
/** Where a thread begins. */
const THREADS = ['main', 'watchdog']
const PURE_PACKAGES = ['re2js', 'js-yaml']
const IMPURE = /\b(?:Date\.now|new Date\(\)|performance\.|Math\.random|setTimeout|setInterval|setImmediate|fetch\(|console\.)/
/** Packages that one layer keeps to itself. */
const OWNED_PACKAGES: Readonly<Record<string, string>> = {
  '@kubernetes/client-node': 'kubernetes',
  undici: 'kubernetes',
  '@grpc/grpc-js': 'proxies',
  '@bufbuild/protobuf': 'proxies'
}

const IMPORT = /(?:^|\s)(?:import|export)\s(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

/** What is wrong with a file of src, by its path below src. */
function violations(path: string, text: string): string[] {
  const layer = layerOf(path)
  const allowed = LAYERS[layer]
  if (allowed === undefined) return [`${path} is in no known layer`]
  const found = [...text.matchAll(IMPORT)].flatMap(([, from = '', dynamic = from]) => importViolation(path, layer, dynamic) ?? [])
  if (!THREADS.includes(layer) && /\bprocess(?:\.[a-zA-Z]|\[)/.test(withoutComments(text))) found.push(`${path} reads process`)
  if (PURE.includes(layer) && IMPURE.test(withoutComments(text))) found.push(`${path} is not pure`)
  return found
}

function importViolation(path: string, layer: string, specifier: string): string | undefined {
  const refused = `${path} imports ${specifier}`
  if (!specifier.startsWith('.')) return mayUsePackage(layer, specifier) ? undefined : refused
  const target = layerOf(posix.join(posix.dirname(path), specifier))
  return target === layer || LAYERS[layer]?.some((each) => target === each || target.startsWith(`${each}/`)) ? undefined : refused
}

function mayUsePackage(layer: string, specifier: string): boolean {
  if (specifier === 'node:process' || specifier === 'process') return false
  if (PURE.includes(layer)) return PURE_PACKAGES.includes(specifier)
  const owner = Object.entries(OWNED_PACKAGES).find(([name]) => specifier === name || specifier.startsWith(`${name}/`))?.[1]
  return owner === undefined || owner === layer
}

/** The rooms of mesh are layers of their own. */
function layerOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return first === 'mesh' ? `mesh/${second}` : first.replace(/\.ts$/, '')
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

t.test('every import of src goes in the direction of the layers', async (t) => {
  const files = globSync('**/*.ts', { cwd: ROOT })
  t.ok(files.length > 0, 'there are files to read')
  const all = files.sort().flatMap((path) => violations(path.replaceAll('\\', '/'), readFileSync(join(ROOT, path), 'utf8')))
  t.strictSame(all, [])
})

/** Who still asks for the kind of an object: what follows is told by the snapshot, which `kinds` does not see. A kind that they do not name is none of their business. */
const ASK_FOR_KINDS = ['mesh/routing/gateway-api/pieces.ts', 'proxies/expectation.ts']

t.test('what is true of a kind stands in kinds: nobody else switches over them', async (t) => {
  const files = globSync('**/*.ts', { cwd: ROOT }).map((path) => path.replaceAll('\\', '/'))
  const asking = files.filter(
    (path) => !path.startsWith('kinds/') && /\bswitch \(.*\bkind\) \{/.test(readFileSync(join(ROOT, path), 'utf8'))
  )
  t.strictSame(asking.sort(), ASK_FOR_KINDS)
})

const forbidden: Record<string, [path: string, text: string]> = {
  'the mesh importing a rule': ['mesh/routing/table.ts', "import { RULES } from '../../rules/index.ts'"],
  'a type import against the direction': ['rules/rule.ts', "import type { Decision } from '../review/decision.ts'"],
  'an import over several lines': ['mesh/routing/table.ts', "import {\n  one,\n  two\n} from '../../review/change.ts'"],
  'a re-export': ['mesh/routing/table.ts', "export * from '../../cluster/mirror.ts'"],
  'an import made at run time': ['review/decide.ts', "const { x } = await import('../server/server.ts')"],
  'an import for its effects': ['rules/rule.ts', "import '../errors.ts'"],
  'a package in a pure layer': ['rules/rule.ts', "import fastify from 'fastify'"],
  'a built-in module in a pure layer': ['mesh/routing/table.ts', "import { readFileSync } from 'node:fs'"],
  'a clock in a pure layer': ['review/decide.ts', 'const now = Date.now()'],
  'the Kubernetes client outside kubernetes': ['cli/serve.ts', "import { KubeConfig } from '@kubernetes/client-node'"],
  'a part of undici outside kubernetes': ['server/server.ts', "import Agent from 'undici/lib/agent.js'"],
  'the cluster seeing a rule': ['cluster/live-cluster.ts', "import { rules } from '../rules/index.ts'"],
  'certificates seeing the mesh': ['certificates/self-signed.ts', "import { parse } from '../kinds/index.ts'"],
  'anything importing main': ['cli/program.ts', "import { stop } from '../main.ts'"],
  'the environment read outside main': ['cli/serve.ts', "const port = process.env['PORT']"],
  'process under another name': ['server/server.ts', "import { env } from 'node:process'"],
  'a folder that no layer is': ['utils/strings.ts', '']
}

for (const [name, [path, text]] of Object.entries(forbidden)) {
  t.test(`${name} is refused`, async (t) => t.equal(violations(path, text).length, 1))
}

const allowed: Record<string, [path: string, text: string]> = {
  'a rule importing the mesh and its neighbour': [
    'rules/a.ts',
    "import { x } from '../mesh/gaps/x.ts'\nimport type { Rule } from './rule.ts'"
  ],
  'the regular-expression engine in the mesh': ['mesh/names/regex.ts', "import { RE2JS } from 're2js'"],
  'kubernetes importing its client': [
    'kubernetes/connection.ts',
    "import { Agent } from 'undici'\nimport { CodedError } from '../errors.ts'"
  ],
  'a comment that mentions process.exit': ['server/server.ts', '// process.exit would cut answers short\n']
}

for (const [name, [path, text]] of Object.entries(allowed)) {
  t.test(`${name} is allowed`, async (t) => t.strictSame(violations(path, text), []))
}
