/** What `hitless serve` does: the webhook, until it is asked to stop. */
import { type Config, defaultConfig, parseConfig, withSettings } from '../config.ts'
import { HitlessError } from '../errors.ts'
import { readText } from '../manifests/files.ts'
import type { State } from '../mesh/snapshot/state.ts'
import type { Io } from '../output/io.ts'
import { RULE_IDS } from '../rules/index.ts'
import { type CertificateFlags, firstPair, keepCertificates, pairFiles } from '../webhook/certificates.ts'
import type { LiveFeed } from '../webhook/report-gaps.ts'
import { configured, liveState, loadSandbox, serve } from '../webhook/serve.ts'
import { type Settle, settleOf, tellMode } from '../webhook/settle.ts'
import { type Telling, telling } from '../webhook/telling.ts'
import { type SourceFlags, sourceOf } from './cluster-source.ts'

export interface ServeFlags extends CertificateFlags, SourceFlags {
  readonly sandbox?: string[]
  readonly sandboxReadyAfter: string
  readonly writeCa?: string
  readonly config?: string
  readonly host?: string
  readonly port?: string
  readonly healthHost?: string
  readonly healthPort?: string
  readonly page: boolean
  readonly drain?: string
  readonly settle?: string
  readonly logLevel?: string
}

/** Resolves once the last review is answered after `io.signal`. */
export async function serveUntilStopped(flags: ServeFlags, io: Io): Promise<void> {
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
  const settle = settleOf(current, tellMode(told), io)
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
    if (config.server.page) io.out(`A page to look at: http://${healthHost}:${server.healthPort}/look/\n`)
    await Promise.race([keeping, failed]).finally(() => server.close())
  } finally {
    following.abort()
  }
}

function registrationOf({ webhookConfiguration, service }: ServeFlags, live: LiveFeed | null) {
  if (webhookConfiguration === undefined) return null
  if (live === null) throw new HitlessError('HITLESS_USAGE', '--webhook-configuration is one of a cluster, and --sandbox follows none')
  return { configuration: webhookConfiguration, service, live }
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
  const state = loadSandbox(flags.sandbox, secondsOf(flags.sandboxReadyAfter) * 1000, settle, io)
  return { state, failed: new Promise<never>(() => undefined), live: null }
}

/** The configuration file, with what the command line says in place of it. */
function configOf(flags: ServeFlags, content: string): Config {
  const config = flags.config === undefined ? defaultConfig(RULE_IDS) : parseConfig(content, flags.config, RULE_IDS)
  return withSettings(
    flags.page ? { ...config, server: { ...config.server, page: true } } : config,
    [
      { flag: '--host', section: 'server', field: 'host', value: flags.host },
      { flag: '--port', section: 'server', field: 'port', value: flags.port },
      { flag: '--health-host', section: 'server', field: 'healthHost', value: flags.healthHost },
      { flag: '--health-port', section: 'server', field: 'healthPort', value: flags.healthPort },
      { flag: '--drain', section: 'server', field: 'drainSeconds', value: flags.drain },
      { flag: '--settle', section: 'settle', field: 'mode', value: settleMode(flags.settle) },
      { flag: '--settle', section: 'settle', field: 'milliseconds', value: flags.settle === 'exact' ? undefined : flags.settle },
      { flag: '--log-level', section: 'log', field: 'level', value: flags.logLevel }
    ],
    RULE_IDS
  )
}

/** A length is the fixed time: nobody is asked then. */
function settleMode(flag: string | undefined): string | undefined {
  return flag === undefined || flag === 'exact' ? flag : 'fixed'
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!(seconds >= 0 && seconds <= 3600)) throw new HitlessError('HITLESS_USAGE', `${text} is no number of seconds from 0 to 3600`)
  return seconds
}
