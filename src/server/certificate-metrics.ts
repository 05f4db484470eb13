/** What becomes of the webhook's certificates and of the configuration that has the API server call it. */
import { X509Certificate } from 'node:crypto'
import { Counter, Gauge, type Registry } from '@prometheus-io/client'

export interface CertificateMetrics {
  /** This certificate (PEM) is in use now. */
  uses(of: 'leaf' | 'authority', certificate: string): void
  /** `rotate`: the authorities or the leaf; `publish`: whom the API server trusts; `reload`: a pair of files; `dial`: a handshake with what is served; `raise`: failure policies. */
  failed(what: 'rotate' | 'publish' | 'reload' | 'dial' | 'raise'): void
  /** Whether every webhook has the failure policy that it is to have; null where there is none. */
  enforced(all: boolean | null): void
  /** Until when webhooks that somebody made `Ignore` by hand stay so; null where there is none. */
  ignoredUntil(ms: number | null): void
}

export function certificateMetrics(registers: Registry[]): CertificateMetrics {
  const expiry = new Gauge({
    name: 'hitless_certificate_expiry_timestamp_seconds',
    help: 'When the certificate that is served ends, and when the authority behind it does',
    labelNames: ['of'],
    registers
  })
  const failures = new Counter({
    name: 'hitless_certificate_failures_total',
    help: 'Attempts to keep certificates and what the API server knows of them that failed',
    labelNames: ['what'],
    registers
  })
  let known: boolean | null = null
  new Gauge({
    name: 'hitless_webhook_enforced',
    help: 'Whether every webhook has the failure policy that it is to have; absent where there is none',
    registers,
    collect() {
      // What is only registered shows 0, which would say that writes go through.
      if (known === null) this.remove()
      else this.set(Number(known))
    }
  })
  let untilMs: number | null = null
  new Gauge({
    name: 'hitless_webhook_ignored_until_timestamp_seconds',
    help: 'Until when webhooks that somebody made Ignore by hand stay so; absent where there is none',
    registers,
    collect() {
      if (untilMs === null) this.remove()
      else this.set(untilMs / 1000)
    }
  })
  return {
    uses: (of, certificate) => expiry.set({ of }, new X509Certificate(certificate).validToDate.getTime() / 1000),
    failed: (what) => failures.inc({ what }),
    enforced: (all) => {
      known = all
    },
    ignoredUntil: (ms) => {
      untilMs = ms
    }
  }
}
