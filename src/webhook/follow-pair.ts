/** A certificate and its key in files, which cert-manager or their owner renews while the webhook runs. */
import { X509Certificate } from 'node:crypto'
import type { KeyPair } from '../certificates/self-signed.ts'
import { HitlessError } from '../errors.ts'
import { readText } from '../manifests/files.ts'
import { followFile } from './follow-file.ts'
import type { Telling } from './telling.ts'

export interface PairFiles {
  readonly certFile: string
  readonly keyFile: string
}

export interface FollowPairOptions extends PairFiles, Telling {
  /** What the files held when the process started. */
  readonly pair: KeyPair
  readonly nowMs: () => number
  /** Takes a pair into use, or throws HITLESS_CERTIFICATE. */
  readonly serve: (pair: KeyPair) => void
  /** How often the files are read. */
  readonly everyMs?: number
}

/**
 * Serves what the files hold from then on. A pair that cannot be served changes nothing; it is told in the log and counted.
 * What it returns says what is wrong with the pair that is served, or null.
 */
export function followPair(options: FollowPairOptions, signal: AbortSignal): () => string | null {
  const { certFile, keyFile, pair, nowMs, serve, log, metrics, everyMs } = options
  metrics.certificates.uses('leaf', pair.certificate)
  let tried = pair
  let served = pair
  const take = () => {
    try {
      const next = readPair({ certFile, keyFile })
      // The change of the other file has told it already.
      if (next.certificate === tried.certificate && next.key === tried.key) return
      tried = next
      if (isOver(next, nowMs())) throw new HitlessError('HITLESS_CERTIFICATE', `${certFile}: the certificate has ended`)
      serve(next)
      served = next
      metrics.certificates.uses('leaf', next.certificate)
      log.info({ file: certFile }, 'certificate taken over')
    } catch (error) {
      if (!(error instanceof HitlessError)) throw error
      // Two files are not always replaced at once: the second one's change brings the next attempt.
      log.error({ file: certFile, code: error.code }, `certificate kept as it was: ${error.message}`)
      metrics.certificates.failed('reload')
    }
  }
  followFile(certFile, pair.certificate, take, signal, everyMs)
  followFile(keyFile, pair.key, take, signal, everyMs)
  return () => (isOver(served, nowMs()) ? `certificate: that of ${certFile} has ended` : null)
}

export function readPair({ certFile, keyFile }: PairFiles): KeyPair {
  return { certificate: readText(certFile), key: readText(keyFile) }
}

/** What is no certificate at all is left to whoever serves it. */
function isOver({ certificate }: KeyPair, nowMs: number): boolean {
  try {
    return new X509Certificate(certificate).validToDate.getTime() <= nowMs
  } catch {
    return false
  }
}
