/** Where the API server is and how to prove who asks: kubeconfig files and service accounts, as `@kubernetes/client-node` reads them. */
import type { KubeConfig } from '@kubernetes/client-node'
import { readServiceAccount, type ServiceAccount } from './service-account.ts'

export interface ClusterSource {
  /** A kubeconfig file; null: as kubectl finds one ($KUBECONFIG, ~/.kube/config), else the service account of this Pod. */
  readonly kubeconfig: string | null
  /** A context of it; null: the current one. */
  readonly context: string | null
  /** Of the Pod that this runs in, in place of both. */
  readonly serviceAccount?: ServiceAccount
}

export interface Credentials {
  readonly server: string
  readonly proxy: string | null
  readonly namespace: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Readonly<Tls>
}

interface Tls {
  ca?: Buffer | string
  cert?: Buffer | string
  key?: Buffer | string
  servername?: string
  rejectUnauthorized?: boolean
}

/** The configuration names no cluster that could be asked. Trying again does not help. */
class UnusableConfiguration extends Error {
  override readonly name = 'UnusableConfiguration'
}

/** What `applyToHTTPSOptions` fills in; its own type is that of node:https with an agent of its own, which is left unused. */
interface Applied extends Tls {
  headers?: Record<string, string>
  auth?: string
}

/** Reads a source once; `current` then gives credentials as they are now, `reload` starts over from the files. */
export class CredentialReader {
  readonly #source: ClusterSource
  #config: KubeConfig | null = null

  constructor(source: ClusterSource) {
    this.#source = source
  }

  /** Token and certificate files are read again, and a plugin is run again once its token has expired. */
  async current(): Promise<Credentials> {
    if (this.#source.serviceAccount !== undefined) return this.#ofPod(this.#source.serviceAccount)
    this.#config ??= await load(this.#source)
    const cluster = this.#config.getCurrentCluster()
    if (cluster === null) throw new UnusableConfiguration('the kubeconfig has no current context with a cluster')
    const applied: Applied = {}
    await this.#config.applyToHTTPSOptions(applied)
    const { headers = {}, auth, ca, cert, key, servername, rejectUnauthorized } = applied
    return {
      server: cluster.server.replace(/\/+$/, ''),
      proxy: cluster.proxyUrl ?? null,
      namespace: this.#config.getContextObject(this.#config.getCurrentContext())?.namespace ?? 'default',
      headers: { ...trimmed(headers), ...(auth === undefined ? {} : { authorization: `Basic ${Buffer.from(auth).toString('base64')}` }) },
      tls: defined({ ca, cert, key, servername, rejectUnauthorized })
    }
  }

  async #ofPod(serviceAccount: ServiceAccount): Promise<Credentials> {
    try {
      return await readServiceAccount(serviceAccount)
    } catch (cause) {
      throw new UnusableConfiguration(`the service account cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause })
    }
  }

  reload(): void {
    this.#config = null
  }
}

/** Imported here and not above: it takes 90 MB and 0.4 s, its config module alone no less, and the sandbox needs none of it. */
async function load({ kubeconfig, context }: ClusterSource): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if (kubeconfig === null) config.loadFromDefault()
    else config.loadFromFile(kubeconfig)
  } catch (cause) {
    throw new UnusableConfiguration(`cannot read the kubeconfig: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  if (context !== null) config.setCurrentContext(context)
  const cluster = config.getCurrentCluster()
  if (cluster === null) {
    const named = config.getCurrentContext()
    throw new UnusableConfiguration(`the kubeconfig has no ${named ? `context "${named}"` : 'current context'} with a cluster`)
  }
  if (!URL.canParse(cluster.server)) throw new UnusableConfiguration(`the kubeconfig's server "${cluster.server}" is no URL`)
  // What client-node makes up where it finds neither a kubeconfig nor a service account.
  const madeUp = kubeconfig === null && cluster.server === 'http://localhost:8080' && config.getCurrentContext() === 'loaded-context'
  if (madeUp) throw new UnusableConfiguration('no kubeconfig and no service account found')
  if (cluster.proxyUrl?.startsWith('socks')) throw new UnusableConfiguration('a SOCKS proxy-url is not supported')
  return config
}

/** A token file may end with a newline, which no header may hold. */
function trimmed(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value.trim()]))
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}
