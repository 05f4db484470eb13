/** A certificate in files, which is renewed while the webhook runs. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { pino } from 'pino'
import t from 'tap'
import { issue, type KeyPair } from '../../src/certificates/self-signed.ts'
import type { CertificateMetrics } from '../../src/server/certificate-metrics.ts'
import { followPair } from '../../src/webhook/follow-pair.ts'
import { authority, pairFor, webhook } from '../server/client.ts'

/** A folder as Kubernetes mounts a Secret: through a link, which is swapped, so that both files change at once. */
class Mount {
  readonly certFile: string
  readonly keyFile: string
  readonly #folder: string
  #version = 0

  constructor(folder: string, pair: KeyPair) {
    this.#folder = folder
    this.certFile = join(folder, 'tls.crt')
    this.keyFile = join(folder, 'tls.key')
    this.put(pair)
    symlinkSync('..data/tls.crt', this.certFile)
    symlinkSync('..data/tls.key', this.keyFile)
  }

  put({ certificate, key }: KeyPair): void {
    const name = `..version-${++this.#version}`
    mkdirSync(join(this.#folder, name))
    writeFileSync(join(this.#folder, name, 'tls.crt'), certificate)
    writeFileSync(join(this.#folder, name, 'tls.key'), key)
    symlinkSync(name, join(this.#folder, '..data_tmp'))
    renameSync(join(this.#folder, '..data_tmp'), join(this.#folder, '..data'))
  }
}

t.test('a renewed pair is served without a restart, and one that cannot be served is not', async (t) => {
  const pair = await pairFor('127.0.0.1')
  const { port, setCertificate, metrics } = await webhook(t, { tls: pair })
  const mount = new Mount(t.testdir(), pair)
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  let noticed: () => void = () => undefined
  const told = (counted: CertificateMetrics): CertificateMetrics => ({
    ...counted,
    uses: (of, certificate) => {
      counted.uses(of, certificate)
      noticed()
    },
    failed: (what) => {
      counted.failed(what)
      noticed()
    }
  })
  const end = new AbortController()
  const alive = setInterval(() => undefined, 60_000)
  t.teardown(() => {
    end.abort()
    clearInterval(alive)
  })
  let aheadMs = 0
  const problem = followPair(
    {
      certFile: mount.certFile,
      keyFile: mount.keyFile,
      pair: { certificate: readFileSync(mount.certFile, 'utf8'), key: readFileSync(mount.keyFile, 'utf8') },
      nowMs: () => Date.now() + aheadMs,
      serve: setCertificate,
      log,
      metrics: { ...metrics, certificates: told(metrics.certificates) },
      everyMs: 10
    },
    end.signal
  )
  const swap = (next: KeyPair) =>
    new Promise<void>((resolve) => {
      noticed = resolve
      mount.put(next)
    })
  const served = async () => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate })
    await once(socket, 'secureConnect')
    const { raw } = socket.getPeerCertificate()
    socket.destroy()
    return new X509Certificate(raw).serialNumber
  }
  const serial = ({ certificate }: KeyPair) => new X509Certificate(certificate).serialNumber
  t.equal(await served(), serial(pair))

  const renewed = await pairFor('127.0.0.1')
  await swap(renewed)
  t.equal(await served(), serial(renewed))
  t.match(lines.at(-1)?.['msg'], 'certificate taken over')

  const text = () => metrics.registry.metrics()
  const seconds = new X509Certificate(renewed.certificate).validToDate.getTime() / 1000
  t.match(await text(), `hitless_certificate_expiry_timestamp_seconds{of="leaf"} ${seconds}`)

  const stranger = await pairFor('127.0.0.1')
  const over = await issue(authority, ['127.0.0.1'], { nowMs: Date.now() - 3 * 86_400_000, days: 1 })
  for (const bad of [{ ...stranger, key: pair.key }, { certificate: 'no certificate', key: pair.key }, over]) {
    await swap(bad)
    t.equal(await served(), serial(renewed), 'the old one is kept')
    t.match(lines.at(-1)?.['msg'], 'certificate kept as it was')
  }
  t.match(await text(), 'hitless_certificate_failures_total{what="reload"} 3')

  await swap(stranger)
  t.equal(await served(), serial(stranger), 'and a good one taken over again')
  t.equal(problem(), null)
  aheadMs = 2 * 86_400_000
  t.match(problem(), /tls\.crt has ended/, 'which readiness tells once nobody has renewed it')
})
