/** The command line: every command, its options, and how its errors are said. */
import { Command, CommanderError, Option } from 'commander'
import { type Config, defaultConfig, parseConfig } from '../config.ts'
import { HitlessError } from '../errors.ts'
import { readText } from '../manifests/files.ts'
import { TOOLS, type Tool } from '../manifests/tool-order.ts'
import type { State } from '../mesh/snapshot/state.ts'
import { EXIT, type Io, type OutputFormat } from '../output/io.ts'
import { REPORT_FORMATS, type ReportFormat } from '../output/report.ts'
import { line, oneLine } from '../output/text.ts'
import { RULE_IDS } from '../rules/index.ts'
import { type CertificateFlags, firstPair, keepCertificates, pairFiles } from '../webhook/certificates.ts'
import { prove, withdraw } from '../webhook/registration.ts'
import type { LiveFeed } from '../webhook/report-gaps.ts'
import { configured, liveState, loadSandbox, serve, type Telling, telling } from '../webhook/serve.ts'
import { type Settle, settleOf } from '../webhook/settle.ts'
import { type AuditOptions, auditState } from './audit.ts'
import { check } from './check.ts'
import { type ClusterFlags, type SourceFlags, sourceOf } from './cluster-state.ts'
import { demo } from './demo.ts'
import { explain } from './explain.ts'
import { type PlanOptions, plan } from './plan.ts'
import { replay } from './replay.ts'
import { printRoutes, type RoutesOptions } from './routes.ts'

/** Runs a command line (without `node` and the script) and gives its exit code. Never throws. */
export async function run(args: readonly string[], given: Io, examples: string): Promise<number> {
  const io: Io = { ...given, err: (text) => given.err(`${oneLine(text.trimEnd())}\n`) }
  let exit: number = EXIT.ok
  const program = build(io, examples, (code) => {
    exit = code
  })
  // Help has many lines, all of them ours.
  program.configureOutput({ writeErr: given.err })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    return failed(error, io)
  }
}

function failed(error: unknown, io: Io): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof HitlessError) {
    io.err(line(['hitless: ', error.message, ` [${error.code}]`], false))
    return error.exit
  }
  const message = error instanceof Error ? error.message : String(error)
  io.err(line(['hitless: ', message, '. This is a defect of hitless; please report it.'], false))
  return EXIT.usage
}

function build(io: Io, examples: string, done: (exit: number) => void): Command {
  const program = new Command('hitless')
    .description('Refuses the write to an Istio mesh that would leave requests unanswered.')
    .version(io.version)
    .exitOverride()
    .configureOutput({ writeOut: io.out, outputError: (text) => io.err(line([text.trim()], false)) })
    .showSuggestionAfterError()
  const output = (more: readonly string[] = []) =>
    new Option('-o, --output <format>', 'form of the result').choices(['text', 'json', 'yaml', ...more]).default('text')

  const ofCluster = (command: Command) =>
    command
      .option('--kubeconfig <file>', "the cluster; as kubectl finds it, or this Pod's own, where absent")
      .option('--context <name>', 'a context of the kubeconfig')
  const onCluster = (command: Command, description: string) => ofCluster(command.option('--cluster', description, false))

  onCluster(program.command('check'), 'what the cluster holds already is read from it')
    .description('judge manifests as writes; Deployments count as Ready once applied')
    .argument('<paths...>', 'files or folders; - is standard input')
    .option('--base <path>', 'what the cluster holds already; may be given more than once', collect, [])
    .option('--base-git <commit>', 'it holds what this commit has at the same paths')
    .option('--prune', 'delete what the commit has and the paths have no more', false)
    .addOption(new Option('--as <tool>', 'write in the order of this tool').choices(TOOLS).default('kubectl'))
    .addOption(new Option('--fail-on <severity>', 'what makes the exit code 1').choices(['deny', 'warn']).default('deny'))
    .option('--strict-ready', 'applied Deployments have no Ready Pod, as right after a real apply', false)
    .addOption(output(REPORT_FORMATS))
    .action(async (paths: string[], options: CheckFlags) => {
      done(await check(paths, { ...options, as: options.as, strictReady: options.strictReady }, io))
    })

  program
    .command('replay')
    .description('play scenario files step by step, with the verdict of each write')
    .argument('<files...>', 'scenario files')
    .addOption(output())
    .action(async (files: string[], options: { output: OutputFormat }) => done(await replay(files, options.output, io)))

  onCluster(program.command('routes'), 'look at a cluster instead of files')
    .description('the route tables that Istio would build of these manifests, or of a cluster')
    .argument('[paths...]', 'files or folders; - is standard input')
    .option('--client <namespace{label=value}>', 'as this mesh client sees them; may be given more than once', collect, [])
    .option('--gateway-proxy <namespace{label=value}>', "as this gateway's Pods see them; may be given more than once", collect, [])
    .option('--host <host>', 'only this host; may be given more than once', collect, [])
    .addOption(output())
    .action(async (paths: string[], options: RoutesOptions) => done(await printRoutes(paths, options, io)))

  onCluster(program.command('audit'), 'look at a cluster instead of files')
    .description('every gap and hygiene finding of a state; exit code 1 where requests go unanswered')
    .argument('[paths...]', 'files or folders; - is standard input')
    .addOption(new Option('--fail-on <severity>', 'which findings make the exit code 1').choices(['deny', 'warn']).default('deny'))
    .addOption(output(REPORT_FORMATS))
    .action(async (paths: string[], options: AuditOptions) => done(await auditState(paths, options, io)))

  program
    .command('plan')
    .description('the shortest safe sequence of writes from one state to another')
    .option('--from <path>', 'what is there; may be given more than once', collect, [])
    .option('--to <path>', 'what is to be there; may be given more than once', collect, [])
    .option('--write <folder>', 'where to write the manifests, one numbered folder for each step')
    .option('--sync-waves', "with --write: all of the target in one folder, with Argo CD's waves", false)
    .addOption(output())
    .action((options: PlanOptions) => done(plan(options, io)))

  program
    .command('explain')
    .description('the page of a rule, or the list of all')
    .argument('[rule]')
    .action((rule: string | undefined) => {
      io.out(explain(rule))
    })

  ofCluster(program.command('serve'))
    .description('the webhook: on the cluster of a kubeconfig or of this Pod, or on an embedded one')
    .option('--sandbox <paths...>', 'an embedded cluster from these manifests; admitted writes change it')
    .option('--sandbox-ready-after <seconds>', 'when Pods of an admitted Deployment become Ready', '5')
    .option('--tls-cert <file>', 'certificate of the webhook; self-signed where absent')
    .option('--tls-key <file>', 'its key')
    .option(
      '--webhook-configuration <name>',
      'the ValidatingWebhookConfiguration to keep in order; makes and renews certificates where no file holds one'
    )
    .option('--service <name>', 'the Service by which that configuration reaches this webhook', 'hitless')
    .option('--write-ca <file>', 'where to write the certificate that clients must trust')
    .option('--config <file>', 'the configuration; the options below come before it')
    .option('--host <address>', 'address of the webhook')
    .option('--port <number>', 'port of the webhook')
    .option('--health-host <address>', 'address of probes and metrics')
    .option('--health-port <number>', 'port of probes and metrics')
    .option('--drain <seconds>', 'how long to go on answering after a signal to stop')
    .option('--settle <milliseconds>', 'how long a write is held behind a change that it relies on; 0 holds nothing, "exact" asks istiod')
    .option('--log-level <level>', 'fatal, error, warn, info, debug')
    .action(async (options: ServeFlags) => {
      await serveUntilStopped(options, io)
    })

  ofCluster(program.command('prove'))
    .description('see that refusals arrive: a dry run that hitless must refuse, by way of the API server')
    .action(async (flags: SourceFlags) => done(await prove(sourceOf(flags, io.env), io)))

  ofCluster(program.command('withdraw'))
    .description('delete the webhook configuration, so that the API server asks hitless no more')
    .requiredOption('--webhook-configuration <name>', 'its name')
    .action(async (flags: SourceFlags & { webhookConfiguration: string }) =>
      done(await withdraw(sourceOf(flags, io.env), flags.webhookConfiguration, io))
    )

  program
    .command('demo')
    .description("the webhook on the guide's world, and the guide's release played against it")
    .option('--once', 'end after the release', false)
    .option('--port <number>', 'port of the webhook; 0 takes a free one', '0')
    .action(async (options: { once: boolean; port: string }) => {
      done(await demo({ examples, once: options.once, port: portOf(options.port) }, io))
    })
  return program
}

interface CheckFlags extends ClusterFlags {
  readonly base: string[]
  readonly baseGit?: string
  readonly prune: boolean
  readonly as: Tool
  readonly failOn: 'deny' | 'warn'
  readonly strictReady: boolean
  readonly output: OutputFormat | ReportFormat
}

interface ServeFlags extends CertificateFlags, SourceFlags {
  readonly sandbox?: string[]
  readonly sandboxReadyAfter: string
  readonly writeCa?: string
  readonly config?: string
  readonly host?: string
  readonly port?: string
  readonly healthHost?: string
  readonly healthPort?: string
  readonly drain?: string
  readonly settle?: string
  readonly logLevel?: string
}

async function serveUntilStopped(flags: ServeFlags, io: Io): Promise<void> {
  const content = flags.config === undefined ? '' : readText(flags.config)
  const config = configOf(flags, content)
  const files = pairFiles(flags)
  const tls = await firstPair(files, io.nowMs())
  if (flags.writeCa !== undefined) io.writeFile(flags.writeCa, tls.authority)
  // The cluster is followed until the last review is answered, which is after the signal to stop.
  const following = new AbortController()
  const told = telling(config, io)
  const configFile = flags.config === undefined ? null : { file: flags.config, content, parse: (text: string) => configOf(flags, text) }
  const current = configured(config, configFile, told, io)
  const settle = settleOf(current, told, io)
  const { state, failed, live } = stateOf(flags, config, settle, told, { ...io, signal: following.signal })
  const registered = registrationOf(flags, live)
  try {
    let problem: () => string | null = () => (registered === null ? null : 'certificate: none was looked at yet')
    const server = await serve({ ...told, config: current, state, settle, tls, problem: () => problem(), live }, io)
    const until = { ...io, signal: AbortSignal.any([io.signal, following.signal]) }
    const keeping = keepCertificates({ ...told, files, pair: tls, server, config, registered }, until).then((found) => {
      problem = found
      return stopped(io.signal)
    })
    const { host, healthHost } = config.server
    io.out(`hitless answers on https://${host}:${server.port}/validate, probes on http://${healthHost}:${server.healthPort}\n`)
    await Promise.race([keeping, failed]).finally(() => server.close())
  } finally {
    following.abort()
  }
}

function registrationOf({ webhookConfiguration, service }: ServeFlags, live: LiveFeed | null) {
  if (webhookConfiguration === undefined) return null
  if (live === null) throw new HitlessError('HITLESS_USAGE', '--webhook-configuration is one of a cluster, and --sandbox follows none')
  return { configuration: webhookConfiguration, service, cluster: live.cluster }
}

function stateOf(
  flags: ServeFlags,
  config: Config,
  settle: Settle,
  told: Telling,
  io: Io
): { state: State; failed: Promise<never>; live: LiveFeed | null } {
  if (flags.sandbox === undefined) {
    return liveState(sourceOf(flags, io.env), config, settle, told, io)
  }
  const state = loadSandbox(flags.sandbox, secondsOf(flags.sandboxReadyAfter) * 1000, io)
  return { state, failed: new Promise<never>(() => undefined), live: null }
}

/** The configuration file, with what the command line says in place of it. */
function configOf(flags: ServeFlags, content: string): Config {
  const config = flags.config === undefined ? defaultConfig(RULE_IDS) : parseConfig(content, flags.config, RULE_IDS)
  const { server, settle, log } = config
  return {
    ...config,
    server: {
      ...server,
      host: flags.host ?? server.host,
      port: flags.port === undefined ? server.port : portOf(flags.port),
      healthHost: flags.healthHost ?? server.healthHost,
      healthPort: flags.healthPort === undefined ? server.healthPort : portOf(flags.healthPort),
      drainSeconds: flags.drain === undefined ? server.drainSeconds : secondsOf(flags.drain)
    },
    settle: { ...settle, ...settleFlag(flags.settle) },
    log: { level: flags.logLevel ?? log.level }
  }
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** An option with several values would swallow the paths that follow it. */
function collect(path: string, paths: readonly string[]): string[] {
  return [...paths, path]
}

function portOf(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new HitlessError('HITLESS_USAGE', `${text} is no port`)
  return port
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 0 && seconds <= 3600)) throw new HitlessError('HITLESS_USAGE', `${text} is no number of seconds from 0 to 3600`)
  return seconds
}

/** A length is the fixed time: nobody is asked then. */
function settleFlag(flag: string | undefined): Partial<Config['settle']> {
  if (flag === undefined) return {}
  return flag === 'exact' ? { mode: 'exact' } : { mode: 'fixed', milliseconds: millisecondsOf(flag) }
}

function millisecondsOf(text: string): number {
  const milliseconds = Number(text)
  if (!(milliseconds >= 0 && milliseconds <= 10_000))
    throw new HitlessError('HITLESS_USAGE', `${text} is no number of milliseconds from 0 to 10000`)
  return milliseconds
}
