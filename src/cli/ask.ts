/** `hitless ask`: what requests get, which route takes them and why no earlier one does; before and after a write; against a table of wanted answers. */
import { Command } from 'commander'
import { HitlessError } from '../errors.ts'
import type { RouteObject } from '../kinds/http-rule.ts'
import { formatRef } from '../kinds/index.ts'
import type { ExpectedAnswer, ExpectedRequest, RequestFields } from '../manifests/expected-requests.ts'
import { readManifests, refusedByIstio } from '../manifests/manifests.ts'
import { gatewayContexts, listenerContexts } from '../mesh/gaps/contexts.ts'
import { formatTarget, type Request } from '../mesh/requests/request.ts'
import { type Answer, noListener, serve } from '../mesh/requests/serve.ts'
import { GATEWAY_NAME } from '../mesh/routing/gateway-api/deployed.ts'
import { gatewayAfter } from '../mesh/routing/proxies.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { answerLines, headline, type PlaceOf, percent, styleOf } from '../output/answer.ts'
import { answerJson } from '../output/answer-json.ts'
import { EXIT, type Io, type OutputFormat, printData, printErrors, printText } from '../output/io.ts'
import { formatContext } from '../output/route-table.ts'
import { line, plainLines } from '../output/text.ts'
import { Sandbox } from '../sandbox/sandbox.ts'
import type { ClusterFlags } from './cluster-source.ts'
import { type Cli, collect, examples, namespaceOption, onCluster, outputOption } from './command.ts'
import { contextNamed } from './contexts.ts'
import { meant, tellUnknownHost, tellUnknownNamespace, tellUnknownSubset } from './known-names.ts'
import { type LookedAt, placesIn, stateOf } from './looked-at.ts'
import { printUnknowns } from './not-known.ts'

interface AskOptions extends ClusterFlags {
  readonly namespace?: string
  readonly client?: string
  readonly gateway?: string
  readonly host?: string
  readonly port?: string
  readonly path?: string
  readonly method?: string
  readonly header: readonly string[]
  readonly sni?: string
  readonly tcp: boolean
  /** Manifests: the answers before and after they are applied. */
  readonly write: readonly string[]
  /** Tables of requests and wanted answers. */
  readonly expect: readonly string[]
  readonly output: OutputFormat
}

export function askCommand({ io, done }: Cli): Command {
  return onCluster(new Command('ask'), 'ask a cluster instead of files')
    .description('what a request gets: which route takes it, and why no earlier one does')
    .argument('[paths...]', 'files or folders; - is standard input')
    .option('--client <namespace{label=value}>', 'as this mesh client asks; one of --namespace, or of default, where absent')
    .option('--gateway <namespace/name>', 'through the Pods of this Gateway')
    .option('--host <host>', 'whom it calls')
    .option('--port <number>', '80, or 443 with --sni, where absent')
    .option('--path <path>', '/ where absent; the query may follow')
    .option('--method <method>', 'GET where absent')
    .option('-H, --header <name:value>', 'a header; may be given more than once', collect, [])
    .option('--sni <name>', 'by TLS, for this server name')
    .option('--tcp', 'a connection that is no HTTP', false)
    .option('--write <path>', 'before and after these manifests are applied; may be given more than once', collect, [])
    .option('--expect <file>', 'a table of requests and the answers that they should get; may be given more than once', collect, [])
    .addOption(namespaceOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples(
        'hitless ask mesh/ --host reviews.prod --path /api -H end-user:jason',
        'hitless ask --cluster --gateway ingress/edge --host shop.example.com --write new.yaml',
        'hitless ask mesh/ --expect requests.yaml'
      )
    )
    .action(async (paths: string[], options: AskOptions) => done(await ask(paths, options, io)))
}

/** Gives 0; 1 where an answer is not the wanted one, or a request is answered less after the write; 2 where something could not be read. */
async function ask(paths: readonly string[], options: AskOptions, io: Io): Promise<number> {
  if (!options.host === (options.expect.length === 0)) throw usage('give --host, or a table of requests with --expect')
  const { errors, unknowns, ...before } = await stateOf(paths, options, io)
  // A Service that is not known is told with its answer.
  printUnknowns(
    unknowns.filter(({ missing }) => missing !== 'Service'),
    'warn',
    io.err
  )
  const written = options.write.length === 0 ? null : applied(before, options, io)
  const states: States = { before, after: written === null ? null : written.state }
  const unread = [...errors, ...(written?.errors ?? [])]
  const exit = !options.host ? await expectAnswers(states, options, unread, io) : askOne(states, { ...options, host: options.host }, io)
  return unread.length > 0 ? EXIT.usage : exit
}

type State = Pick<LookedAt, 'snapshot' | 'placeOf'>

interface States {
  readonly before: State
  readonly after: State | null
}

interface Asked {
  readonly context: Context
  readonly host: string
  readonly port: number
  readonly request: Request
  readonly before: Answer
  /** null where nothing is written. */
  readonly after: Answer | null
}

/** Workloads of applied manifests have all their Pods, Ready, as `check` has it. */
function applied(
  { snapshot, placeOf }: State,
  options: Pick<AskOptions, 'write' | 'namespace'>,
  io: Io
): { state: State; errors: readonly HitlessError[] } {
  const { manifests, errors } = readManifests(options.write, io.stdin, options)
  printErrors(errors, io)
  const sandbox = Sandbox.of(snapshot)
  for (const manifest of manifests) {
    const refusal = refusedByIstio(manifest)
    if (refusal !== null) throw refusal
    if (manifest.object !== null) sandbox.load(manifest.object)
  }
  return { state: { snapshot: sandbox.snapshot(), placeOf: placesIn(manifests, placeOf) }, errors }
}

function askOne(states: States, options: AskOptions & { readonly host: string }, io: Io): number {
  const { gateway, host, port, path, method, header, sni, tcp } = options
  const client = options.client ?? (gateway === undefined ? options.namespace : undefined)
  const given = {
    host,
    tcp,
    headers: Object.fromEntries(header.map(headerNamed)),
    ...(client === undefined ? {} : { client }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(port === undefined ? {} : { port: portNamed(port) }),
    ...(path === undefined ? {} : { path }),
    ...(method === undefined ? {} : { method }),
    ...(sni === undefined ? {} : { sni })
  }
  const asked = answersTo(states, given)
  tellUnknown(states, asked, io)
  if (options.output === 'text') printText(asked.map((each) => textOf(states, each, io.colour)).join('\n'), io)
  else printData({ answers: asked.map((each) => askedJson(states, each)) }, options.output, io)
  return asked.some(isWorse) ? EXIT.denied : EXIT.ok
}

/** Tables are asked of the state that is written, where one is. */
async function expectAnswers(states: States, { expect, output }: AskOptions, unread: HitlessError[], io: Io): Promise<number> {
  const { readExpectedRequests } = await import('../manifests/expected-requests.ts')
  const tables = expect.map(readExpectedRequests)
  const errors = tables.flatMap((table) => table.errors)
  printErrors(errors, io)
  for (const error of errors) unread.push(error)
  const results = tables.flatMap(({ requests }) => requests).map((wanted) => compared(states, wanted))
  for (const { asked, wanted } of results) {
    tellUnknown(states, asked, io)
    for (const { host, subset } of wanted.expect.to ?? [])
      if (subset !== undefined) {
        const to = asked.flatMap(({ before, after }) => (after ?? before).destinations)[0]?.host
        tellUnknownSubset((states.after ?? states.before).snapshot, host ?? to ?? '', subset, io)
      }
  }
  const failed = results.filter(({ differences }) => differences.length > 0)
  if (output === 'text') {
    for (const { wanted, differences } of failed) {
      printText(plainLines(differences.map((text) => `${wanted.file}:${wanted.line}:${wanted.column}: ${wanted.name}: ${text}`)), io)
    }
    printText(plainLines([`${results.length} requests, ${failed.length} not answered as wanted`]), io)
  } else printData({ requests: results.map((result) => resultJson(states, result)) }, output, io)
  return failed.length === 0 ? EXIT.ok : EXIT.denied
}

/** Names in what was asked that nobody knows. */
function tellUnknown({ before, after }: States, asked: readonly Asked[], io: Io): void {
  const { snapshot } = after ?? before
  for (const { context, host, before: first, after: last } of asked) {
    const { table, chain } = last ?? first
    if (context.kind === 'mesh') tellUnknownNamespace(snapshot, context.namespace, io)
    if (table === null && chain === null) tellUnknownHost(snapshot, [context], host, context.namespace, io)
  }
}

interface Result {
  readonly wanted: ExpectedRequest
  readonly asked: readonly Asked[]
  readonly differences: readonly string[]
}

function compared(states: States, wanted: ExpectedRequest): Result {
  const asked = placed(wanted, () => answersTo(states, wanted))
  const differences = asked.flatMap((each) => {
    const who = asked.length === 1 ? '' : `${formatContext(each.context)}: `
    return differencesFrom(wanted.expect, each.after ?? each.before).map((text) => `${who}${text}`)
  })
  return { wanted, asked, differences }
}

/** What is wrong with the command line is wrong at a place where a table says it. */
function placed<T>({ file, line: row, column }: ExpectedRequest, ask: () => T): T {
  try {
    return ask()
  } catch (cause) {
    if (!(cause instanceof HitlessError)) throw cause
    throw new HitlessError('HITLESS_REQUESTS', `${file}:${row}:${column}: ${cause.message}`, { cause })
  }
}

function differencesFrom(expect: ExpectedAnswer, answer: Answer): string[] {
  const differences: string[] = []
  const { status, unserved, route, chain, destinations } = answer
  if (expect.status !== undefined && String(expect.status) !== String(status)) differences.push(`status ${status}, not ${expect.status}`)
  if (expect.answered !== undefined && (unserved === null || Math.abs(1 - unserved - expect.answered) > 1e-6)) {
    differences.push(
      `${unserved === null ? 'nobody knows how many are' : `${percent(1 - unserved)} are`} answered, not ${percent(expect.answered)}`
    )
  }
  const way = route ?? chain
  const taker = way === null ? 'nothing' : way.source === null ? 'default' : nameOfTaker(way.source)
  if (expect.virtualService !== undefined && expect.virtualService !== taker)
    differences.push(`taken by ${taker}, not ${expect.virtualService}`)
  for (const { host, subset, port, share } of expect.to ?? []) {
    const found = destinations.filter(
      (each) =>
        each.host === (host ?? each.host) && (each.subset ?? '') === (subset ?? each.subset ?? '') && each.port === (port ?? each.port)
    )
    const total = found.reduce((sum, each) => sum + each.share, 0)
    const target = [host, subset === undefined ? undefined : `subset "${subset}"`, port === undefined ? undefined : `port ${port}`]
    const text = target.filter((part) => part !== undefined).join(' ') || 'any destination'
    if (share === undefined ? found.length === 0 : Math.abs(total - share) > 1e-3) {
      differences.push(`${percent(total)} go to ${text}${share === undefined ? '' : `, not ${percent(share)}`}`)
    }
  }
  return differences
}

function answersTo(states: States, fields: RequestFields): Asked[] {
  const { host, sni } = fields
  const port = fields.port ?? (sni === undefined ? 80 : 443)
  const request = requestOf(fields)
  return contextsFor(states.before.snapshot, fields).map((context) => {
    const before = serve(states.before.snapshot, context, host, port, request)
    return {
      context,
      host,
      port,
      request,
      before,
      after: states.after === null ? null : answerAfter(states.before.snapshot, states.after.snapshot, { context, host, port, request })
    }
  })
}

function answerAfter(
  before: Snapshot,
  after: Snapshot,
  { context, host, port, request }: Pick<Asked, 'context' | 'host' | 'port' | 'request'>
): Answer {
  const now = context.kind === 'gateway' ? gatewayAfter(before, after, context) : context
  return now === null ? noListener() : serve(after, now, host, port, request)
}

/** A gateway's Pods may see different things by their labels: each is asked. */
function contextsFor(snapshot: Snapshot, { client, gateway }: RequestFields): Context[] {
  if (client !== undefined && gateway !== undefined) throw usage('give --client or --gateway, not both')
  if (gateway === undefined) {
    return [contextNamed('mesh', client ?? 'default')]
  }
  const found = [...gatewayContexts(snapshot, gateway), ...listenerContexts(snapshot, gateway)]
  const [namespace = '', name = ''] = gateway.split('/')
  // One of which no listener serves.
  if (found.length === 0 && snapshot.find('KubernetesGateway', namespace, name) !== undefined) {
    return [{ kind: 'gateway', namespace, labels: { [GATEWAY_NAME]: name } }]
  }
  if (found.length === 0) {
    const known = (['Gateway', 'KubernetesGateway'] as const).flatMap((kind) =>
      [...snapshot.all(kind)].map(({ namespace, name }) => `${namespace}/${name}`)
    )
    throw usage(`there is no Gateway ${gateway}${meant(gateway, [...new Set(known)]) || '; write namespace/name'}`)
  }
  return found
}

function requestOf({ path = '/', method = 'GET', headers = {}, sni, tcp }: RequestFields): Request {
  if (tcp === true) return sni === undefined ? { kind: 'tcp' } : { kind: 'tls', sni }
  const [bare = '/', query = ''] = path.split('?', 2)
  return {
    kind: 'http',
    path: bare,
    method: method.toUpperCase(),
    headers: new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    query: new Map(new URLSearchParams(query)),
    sni: sni ?? null
  }
}

function headerNamed(text: string): [string, string] {
  const colon = text.indexOf(':')
  if (colon < 1) throw usage(`${text} is no header; write name:value`)
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
}

function portNamed(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw usage(`${text} is no port`)
  return port
}

function usage(message: string): HitlessError {
  return new HitlessError('HITLESS_USAGE', message)
}

/** A VirtualService is told by its name alone. */
function nameOfTaker(source: RouteObject): string {
  return source.kind === 'VirtualService' ? `${source.namespace}/${source.name}` : formatRef(source)
}

/** Less is answered after the write than before it. */
function isWorse({ before, after }: Asked): boolean {
  return after !== null && before.unserved !== null && after.unserved !== null && after.unserved > before.unserved + 1e-9
}

function textOf(states: States, asked: Asked, colour: boolean): string {
  const { before, after } = asked
  const subject = `${describe(asked)}, as ${formatContext(asked.context)}`
  if (after === null || states.after === null) return answerText(states.before, before, subject, colour)
  return `${answerText(states.before, before, `before: ${subject}`, colour)}${answerText(states.after, after, 'after the write', colour)}`
}

function answerText({ snapshot, placeOf }: State, answer: Answer, subject: string, colour: boolean): string {
  const head = line([{ text: headline(answer), style: styleOf(answer) }, `  ${subject}`], colour)
  const written: PlaceOf = (way) => {
    const place = way.source === null ? null : placeOf(way.source, way.path)
    return place === null ? '' : `${place.file}:${place.line}`
  }
  return `${head}${answerLines(snapshot, answer, written, colour)}`
}

/** `GET http://reviews:8080/api`. */
function describe({ host, port, request }: Asked): string {
  if (request.kind === 'tcp') return `a connection to ${host}:${port}`
  if (request.kind === 'tls') return `a TLS connection to ${host}:${port} for ${request.sni}`
  const [scheme, usual] = request.sni === null ? ['http', 80] : ['https', 443]
  return `${request.method} ${scheme}://${host}${port === usual ? '' : `:${port}`}${formatTarget(request)}`
}

function askedJson(states: States, asked: Asked) {
  const { context, before, after } = asked
  const who = { context, request: describe(asked) }
  const first = answerJson(states.before.snapshot, before)
  if (after === null || states.after === null) return { ...who, answer: first }
  return { ...who, before: first, after: answerJson(states.after.snapshot, after) }
}

function resultJson(states: States, { wanted, asked, differences }: Result) {
  const { name, file, line: row, column } = wanted
  return { name, file, line: row, column, differences, answers: asked.map((each) => askedJson(states, each)) }
}
