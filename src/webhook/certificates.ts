/** Where the webhook's certificate comes from, and who keeps it good while the webhook runs. */
import { randomUUID } from 'node:crypto'
import { Rotation } from '../certificates/rotation.ts'
import { createAuthority, issue, type KeyPair } from '../certificates/self-signed.ts'
import type { Config } from '../config.ts'
import { HitlessError } from '../errors.ts'
import { systemClock } from '../kubernetes/clock.ts'
import { NamedSecret } from '../kubernetes/secret.ts'
import { WebhookConfiguration } from '../kubernetes/webhook-configuration.ts'
import type { Io } from '../output/io.ts'
import type { Server } from '../server/server.ts'
import { followPair, type PairFiles, readPair } from './follow-pair.ts'
import { WebhookKeeper } from './keep-webhook.ts'
import type { LiveFeed } from './report-gaps.ts'
import type { Telling } from './telling.ts'

export interface CertificateFlags {
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly webhookConfiguration?: string
  readonly service: string
}

/** What a webhook that nobody registered in a cluster is called by. */
const LOCAL_NAMES = ['localhost', '127.0.0.1', 'hitless.hitless-system.svc']

/** The files that hold the pair; null where it is made here. */
export function pairFiles({ tlsCert, tlsKey }: CertificateFlags): PairFiles | null {
  if (tlsCert === undefined && tlsKey === undefined) return null
  if (tlsCert === undefined || tlsKey === undefined) throw new HitlessError('HITLESS_USAGE', '--tls-cert and --tls-key go together')
  return { certFile: tlsCert, keyFile: tlsKey }
}

/** The pair to start with: that of the files, or a self-signed one, with the certificate that clients must trust. */
export async function firstPair(files: PairFiles | null, nowMs: number): Promise<KeyPair & { readonly authority: string }> {
  if (files !== null) {
    const pair = readPair(files)
    return { ...pair, authority: pair.certificate }
  }
  const authority = await createAuthority({ nowMs, days: 365 })
  return { ...(await issue(authority, LOCAL_NAMES, { nowMs, days: 90 })), authority: authority.certificate }
}

export interface KeepOptions extends Telling {
  readonly files: PairFiles | null
  /** What is served now. */
  readonly pair: KeyPair
  readonly server: Server
  readonly config: Config
  /** The webhook configuration to look after, in the cluster that is followed; null where there is none. */
  readonly registered: { readonly configuration: string; readonly service: string; readonly live: LiveFeed } | null
}

/** Keeps certificates, and the API server's trust in them, until the signal ends. What it resolves with says what is wrong with that trust. */
export async function keepCertificates(options: KeepOptions, io: Io): Promise<() => string | null> {
  const { files, pair, server, config, registered, log, metrics } = options
  const following = { pair, nowMs: io.nowMs, serve: server.setCertificate, log, metrics }
  const ended = files === null ? () => null : followPair({ ...files, ...following }, io.signal)
  if (registered === null) return ended
  const { configuration, service, live } = registered
  const { cluster } = live
  const { connection } = cluster
  const namespace = await connection.namespace()
  const servername = `${service}.${namespace}.svc`
  const trust = new WebhookConfiguration(connection, configuration)
  const store = new NamedSecret(connection, `${service}-authority`, randomUUID())
  const keeper = new WebhookKeeper({
    connection,
    configuration: trust,
    rotation: files !== null ? null : new Rotation({ store, trust, names: [servername], nowMs: io.nowMs, serve: server.setCertificate }),
    address: { host: reachable(config.server.host), port: server.port, servername },
    isFresh: () => cluster.health().fresh,
    namespace,
    leaving: leavingOf(live, namespace),
    clock: systemClock,
    nowMs: io.nowMs,
    random: Math.random,
    log,
    metrics
  })
  cluster.keepOpen(keeper.run(io.signal))
  return () => keeper.problem
}

/** Resolves when the namespace begins to end. */
function leavingOf({ follow }: LiveFeed, namespace: string): Promise<void> {
  return new Promise((resolve) => {
    follow((_, after) => {
      if (after?.kind === 'Namespace' && after.name === namespace && after.deleting) resolve()
    })
  })
}

/** An address of this host, where it listens on all of them. */
function reachable(host: string): string {
  return host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
}
