/**
 * The authorities behind the webhook's certificates, as all replicas share them, and how one follows another without a handshake that
 * fails: a new one is published before it signs, and the old one stays published for as long as anything that it signed can be served.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createAuthority, type KeyPair, renewAtMs } from './self-signed.ts'

const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 365
/** Short: a leaf lives in the memory of one replica, and is replaced without anybody's doing. */
export const LEAF_DAYS = 7
/** A leaf that the old authority signed just before it ceased to sign has ended by then, on clocks a day apart too. */
const PREVIOUS_MS = (LEAF_DAYS + 1) * DAY_MS
/** API servers follow webhook configurations by a watch, within seconds; one that was cut off needs a while longer. */
export const PROPAGATION_MS = 10 * 60_000

export interface Authorities {
  /** Signs leaves. */
  readonly signer: KeyPair
  /** Signs once every API server trusts it. */
  readonly next: KeyPair | null
  /** No longer sign: PEM certificates behind leaves that may still be served until then. */
  readonly previous: { readonly certificates: readonly string[]; readonly untilMs: number } | null
}

/** What decides, beside what is stored, how the authorities go on. */
export interface Circumstances {
  readonly nowMs: number
  /** What this replica read last, where anything. */
  readonly remembered: Authorities | null
  /** PEM certificates that API servers trust now. */
  readonly trusted: readonly string[]
  /** How long the next authority has been seen among them. */
  readonly nextTrustedMs: number
}

/**
 * The authorities as they should be now: `stored` itself where nothing is to be done. Where nothing usable is stored, those remembered
 * are put in order of replacement, since whoever deleted them wants others; where none are remembered, a new one begins at once.
 */
export async function advance(stored: Authorities | null, circumstances: Circumstances): Promise<Authorities> {
  const { nowMs, remembered, nextTrustedMs } = circumstances
  const known = stored ?? remembered
  if (known === null) return begin(circumstances)
  const { signer, next, previous } = known
  if (!isUsable(signer, nowMs)) return next !== null && isUsable(next, nowMs) ? promoted(known, next, nowMs) : begin(circumstances)
  if (stored === null) return { ...known, next: await authority(nowMs) }
  if (previous !== null && nowMs >= previous.untilMs) return { ...known, previous: null }
  if (next !== null) return nextTrustedMs >= PROPAGATION_MS ? promoted(known, next, nowMs) : known
  return nowMs >= renewAtMs(signer.certificate) ? { ...known, next: await authority(nowMs) } : known
}

/** PEM of everything that API servers are to trust. */
export function bundleOf({ signer, next, previous }: Authorities): string {
  const certificates = [signer.certificate, ...(next === null ? [] : [next.certificate]), ...(previous?.certificates ?? [])]
  return certificates.map((certificate) => `${certificate.trim()}\n`).join('')
}

/** The certificates of a PEM text, one by one; what is no certificate, or has ended, is left out. */
export function certificatesOf(bundle: string, nowMs: number): string[] {
  const blocks = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.filter((block) => (parsed(block)?.validToDate.getTime() ?? 0) > nowMs)
}

/** As the Secret holds them. */
export function formatAuthorities({ signer, next, previous }: Authorities): Record<string, string> {
  return {
    'ca.crt': signer.certificate,
    'ca.key': signer.key,
    ...(next === null ? {} : { 'next.crt': next.certificate, 'next.key': next.key }),
    ...(previous === null
      ? {}
      : { 'previous.crt': `${previous.certificates.join('\n')}\n`, 'previous-until': new Date(previous.untilMs).toISOString() })
  }
}

/** What the Secret holds; null where its signer is missing or no authority, and without whatever else of it cannot be used. */
export function parseAuthorities(data: Readonly<Record<string, string>>, nowMs: number): Authorities | null {
  const signer = pairOf(data, 'ca')
  if (signer === null) return null
  const untilMs = Date.parse(data['previous-until'] ?? '')
  const certificates = certificatesOf(data['previous.crt'] ?? '', nowMs)
  const previous = certificates.length === 0 || Number.isNaN(untilMs) ? null : { certificates, untilMs }
  return { signer, next: pairOf(data, 'next'), previous }
}

/** What is trusted already stays so: other replicas may serve by it until they have seen the new one. */
async function begin({ nowMs, trusted }: Circumstances): Promise<Authorities> {
  const previous = trusted.length === 0 ? null : { certificates: trusted, untilMs: nowMs + PREVIOUS_MS }
  return { signer: await authority(nowMs), next: null, previous }
}

function promoted({ signer, previous }: Authorities, next: KeyPair, nowMs: number): Authorities {
  const certificates = [signer.certificate.trim(), ...(previous?.certificates ?? [])]
  return { signer: next, next: null, previous: { certificates, untilMs: nowMs + PREVIOUS_MS } }
}

function authority(nowMs: number): Promise<KeyPair> {
  return createAuthority({ nowMs, days: AUTHORITY_DAYS })
}

function isUsable({ certificate }: KeyPair, nowMs: number): boolean {
  return (parsed(certificate)?.validToDate.getTime() ?? 0) > nowMs
}

function pairOf(data: Readonly<Record<string, string>>, name: string): KeyPair | null {
  const { [`${name}.crt`]: certificate = '', [`${name}.key`]: key = '' } = data
  const x509 = parsed(certificate)
  return x509?.ca === true && belongs(key, x509) ? { certificate, key } : null
}

function belongs(key: string, certificate: X509Certificate): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

function parsed(certificate: string): X509Certificate | null {
  try {
    return new X509Certificate(certificate)
  } catch {
    return null
  }
}
