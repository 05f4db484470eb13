/** Replicas of the webhook that keep their certificates together, on a clock that the test moves. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type AuthorityStore, type Kept, Rotation, type TrustStore } from '../../src/certificates/rotation.ts'
import type { KeyPair } from '../../src/certificates/self-signed.ts'
import { webhook } from '../server/client.ts'

export const MINUTE_MS = 60_000
export const DAY_MS = 86_400_000
export const HOST = 'hitless.hitless-system.svc'

/** One object that is replaced as a whole, as Kubernetes replaces it: only by who has seen it as it is. */
export class Stored<T> {
  value: T | null
  #version = 1

  constructor(value: T | null) {
    this.value = value
  }

  get version(): string {
    return String(this.#version)
  }

  set(value: T | null): void {
    this.value = value
    this.#version += 1
  }

  replace(value: T, version: string | null): boolean {
    if ((this.value === null) !== (version === null) || (version !== null && version !== this.version)) return false
    this.set(value)
    return true
  }
}

/** What the replicas share: the Secret, and the webhook configuration with what it had been before. */
export class SharedStores {
  readonly secret = new Stored<Readonly<Record<string, string>>>(null)
  readonly bundle = new Stored<string>('')
  readonly published: { readonly bundle: string; readonly atMs: number }[] = []

  readonly store: AuthorityStore = {
    read: async () => (this.secret.value === null ? null : { data: this.secret.value, version: this.secret.version }),
    write: async (data, version) => this.secret.replace(data, version)
  }

  trustAt(nowMs: () => number): TrustStore {
    return {
      read: async () => (this.bundle.value === null ? null : { bundles: [this.bundle.value], isOurs: true, version: this.bundle.version }),
      publish: async (bundle, version) => {
        const done = this.bundle.replace(bundle, version)
        if (done) this.published.push({ bundle, atMs: nowMs() })
        return done
      }
    }
  }

  /** What an API server trusts that follows so far behind. */
  bundleAt(atMs: number): string {
    return this.published.findLast((each) => each.atMs <= atMs)?.bundle ?? ''
  }
}

export interface Replica {
  readonly port: number
  /** The pairs it has served, one after the other. */
  readonly served: readonly KeyPair[]
  look(): Promise<Kept>
}

type Test = Parameters<typeof webhook>[0]

export async function startReplica(t: Test, shared: { store: AuthorityStore; trust: TrustStore }, nowMs: () => number): Promise<Replica> {
  const { port, setCertificate } = await webhook(t)
  const served: KeyPair[] = []
  const serve = (leaf: KeyPair) => {
    setCertificate(leaf)
    served.push(leaf)
  }
  const rotation = new Rotation({ ...shared, names: [HOST], nowMs, serve })
  const signal = new AbortController().signal
  const fail = (error: unknown) => {
    throw error
  }
  return { port, served, look: () => rotation.look(signal, fail) }
}

/** A real handshake as the API server makes it, by OpenSSL, at the time given. Resolves with what OpenSSL minds; '' is nothing. */
export async function handshake(folder: string, { port }: Replica, bundle: string, atMs: number): Promise<string> {
  const file = join(folder, `bundle-${port}.pem`)
  writeFileSync(file, bundle)
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', HOST, '-verify_hostname', HOST, '-CAfile', file]
  const time = ['-attime', String(Math.floor(atMs / 1000))]
  const child = promisify(execFile)('openssl', [...args, ...time, '-no-CApath', '-no-CAstore', '-verify_return_error', '-brief'])
  child.child.stdin?.end()
  return child.then(
    () => '',
    (error: Error & { stderr?: string }) => error.stderr || error.message
  )
}
