/** One replica's part in keeping the webhook's certificates: it looks now and then, does what is due, and leaves the rest as it is. */
import { X509Certificate } from 'node:crypto'
import { type Authorities, advance, bundleOf, certificatesOf, formatAuthorities, LEAF_DAYS, parseAuthorities } from './authorities.ts'
import { issue, type KeyPair, renewAtMs } from './self-signed.ts'

const DAY_MS = 86_400_000
/** Replicas that look at the same moment get in each other's way once each. */
const ATTEMPTS = 5

/** Where all replicas keep the authorities. `version` makes a write fail where another came before it. */
export interface AuthorityStore {
  read(signal: AbortSignal): Promise<{ readonly data: Readonly<Record<string, string>>; readonly version: string } | null>
  /** Null as version creates. False where another write came before. */
  write(data: Readonly<Record<string, string>>, version: string | null, signal: AbortSignal): Promise<boolean>
}

/** Where API servers learn whom to trust. */
export interface TrustStore {
  /** PEM of what each of the webhooks trusts; null where there is nothing to tell. Where it is not ours, somebody else publishes. */
  read(signal: AbortSignal): Promise<{ readonly bundles: readonly string[]; readonly isOurs: boolean; readonly version: string } | null>
  /** False where another write came before. */
  publish(bundle: string, version: string, signal: AbortSignal): Promise<boolean>
}

export interface RotationOptions {
  readonly store: AuthorityStore
  readonly trust: TrustStore
  /** DNS names that the API server calls the webhook by. */
  readonly names: readonly string[]
  readonly nowMs: () => number
  /** Takes a new pair into use. */
  readonly serve: (leaf: KeyPair) => void
}

/** What is served and trusted after a look. */
export interface Kept {
  readonly leaf: KeyPair
  readonly authority: string
  /** PEM of all that API servers are to trust. */
  readonly bundle: string
  /** Whether they are told so; null where there is nothing to tell. */
  readonly published: boolean | null
}

type Trusted = Awaited<ReturnType<TrustStore['read']>>

export class Rotation {
  readonly #options: RotationOptions
  #remembered: Authorities | null = null
  #leaf: KeyPair | null = null
  /** Since when this replica has seen the next authority published. */
  #next = { certificate: '', sinceMs: 0 }

  constructor(options: RotationOptions) {
    this.#options = options
  }

  /**
   * Does what is due. A leaf is signed only by what was read in the same look: an authority that ceased to sign signs nothing more.
   * Where publishing fails, leaves are renewed all the same, and `unpublished` is told why.
   */
  async look(signal: AbortSignal, unpublished: (error: unknown) => void): Promise<Kept> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const kept = await this.#attempt(signal, unpublished)
      if (kept !== null) return kept
    }
    throw new Error('other replicas changed the certificates each time this one was about to')
  }

  /** Null where another replica was quicker. What is trusted is read first: a bundle made of an older read than another's is then refused. */
  async #attempt(signal: AbortSignal, unpublished: (error: unknown) => void): Promise<Kept | null> {
    const { store, trust, nowMs } = this.#options
    let untold: unknown = null
    const trusted = await trust.read(signal).catch((error: unknown) => {
      untold = error
      return null
    })
    const found = await store.read(signal)
    const stored = found === null ? null : parseAuthorities(found.data, nowMs())
    const authorities = await advance(stored, this.#circumstances(stored, trusted))
    if (authorities !== stored && !(await store.write(formatAuthorities(authorities), found?.version ?? null, signal))) return null
    this.#remembered = authorities
    const bundle = bundleOf(authorities)
    let published = trusted === null ? null : trusted.bundles.every((each) => each === bundle)
    if (trusted?.isOurs && published === false) {
      try {
        if (!(await trust.publish(bundle, trusted.version, signal))) return null
        published = true
      } catch (error) {
        untold = error
      }
    }
    const leaf = await this.#renewed(authorities)
    if (untold !== null) unpublished(untold)
    return { leaf, authority: authorities.signer.certificate, bundle, published: untold === null ? published : false }
  }

  #circumstances(stored: Authorities | null, trusted: Trusted) {
    const nowMs = this.#options.nowMs()
    const bundles = (trusted?.bundles ?? []).map((bundle) => certificatesOf(bundle, nowMs))
    const certificate = stored?.next?.certificate.trim() ?? ''
    const isTrusted = certificate !== '' && bundles.length > 0 && bundles.every((bundle) => bundle.includes(certificate))
    if (!isTrusted) this.#next = { certificate: '', sinceMs: 0 }
    else if (this.#next.certificate !== certificate) this.#next = { certificate, sinceMs: nowMs }
    return {
      nowMs,
      remembered: this.#remembered,
      trusted: [...new Set(bundles.flat())],
      nextTrustedMs: isTrusted ? nowMs - this.#next.sinceMs : 0
    }
  }

  async #renewed({ signer }: Authorities): Promise<KeyPair> {
    const { names, nowMs, serve } = this.#options
    if (this.#leaf !== null && isSignedBy(this.#leaf, signer) && nowMs() < renewAtMs(this.#leaf.certificate)) return this.#leaf
    const daysLeft = (new X509Certificate(signer.certificate).validToDate.getTime() - nowMs()) / DAY_MS
    const leaf = await issue(signer, names, { nowMs: nowMs(), days: Math.min(LEAF_DAYS, daysLeft) })
    serve(leaf)
    this.#leaf = leaf
    return leaf
  }
}

function isSignedBy(leaf: KeyPair, { certificate }: KeyPair): boolean {
  return new X509Certificate(leaf.certificate).verify(new X509Certificate(certificate).publicKey)
}
