/** Certificates as Istio's agent serves them beside each proxy (envoy/service/secret/v3/sds.proto), for workloads of one trust domain. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import * as x509 from '@peculiar/x509'
import { createAuthority } from '../../../src/certificates/self-signed.ts'
import { serveStream } from '../../rig/byte-stream.ts'

const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
/** The name of a workload's own pair; every other name is asked for what to trust. */
const OWN = 'default'
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000

interface Pair {
  readonly certificate: string
  readonly key: string
}

export interface Secrets {
  readonly port: number
  stop(): void
}

/** Serves one identity to whoever asks, `spiffe://cluster.local/ns/NAMESPACE/sa/default`, and its authority. */
export async function serveSecrets(namespace: string): Promise<Secrets> {
  const authority = await createAuthority({ nowMs: Date.now(), days: 1 })
  const pair = await identity(authority, `spiffe://cluster.local/ns/${namespace}/sa/default`)
  return serveStream('/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets', (stream) => {
    const answered = new Set<string>()
    stream.on('data', (request: Buffer) => {
      const names = namesIn(request)
      // An acknowledgement names what was sent.
      if (names.every((name) => answered.has(name))) return
      for (const name of names) answered.add(name)
      stream.write(response(names.map((name) => (name === OWN ? ownSecret(name, pair) : trust(name, authority)))))
    })
  })
}

async function identity(authority: Pair, uri: string): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const signingKey = await webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(authority.key), ALGORITHM, false, ['sign'])
  const now = Date.now()
  const certificate = await x509.X509CertificateGenerator.create({
    issuer: new x509.X509Certificate(authority.certificate).subject,
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }], true)
    ]
  })
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { certificate: certificate.toString('pem'), key }
}

/** DiscoveryRequest: resource_names (3). */
function namesIn(request: Buffer): string[] {
  const names: string[] = []
  const reader = new BinaryReader(request)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 3) names.push(reader.string())
    else reader.skip(type, field)
  }
  return names
}

/** DiscoveryResponse: version_info (1), resources (2), type_url (4), nonce (5). */
function response(secrets: readonly Uint8Array[]): Buffer {
  const writer = new BinaryWriter()
  text(writer, 1, '1')
  for (const secret of secrets) {
    const any = writer.tag(2, WireType.LengthDelimited).fork()
    text(any, 1, SECRET)
    any.tag(2, WireType.LengthDelimited).bytes(secret).join()
  }
  text(writer, 4, SECRET)
  text(writer, 5, '1')
  return Buffer.from(writer.finish())
}

/** Secret: name (1), tls_certificate (2) with certificate_chain (1) and private_key (2). */
function ownSecret(name: string, { certificate, key }: Pair): Uint8Array {
  const writer = new BinaryWriter()
  text(writer, 1, name)
  const pair = writer.tag(2, WireType.LengthDelimited).fork()
  source(pair, 1, certificate)
  source(pair, 2, key)
  pair.join()
  return writer.finish()
}

/** Secret: name (1), validation_context (4) with trusted_ca (1). */
function trust(name: string, { certificate }: Pair): Uint8Array {
  const writer = new BinaryWriter()
  text(writer, 1, name)
  const context = writer.tag(4, WireType.LengthDelimited).fork()
  source(context, 1, certificate)
  context.join()
  return writer.finish()
}

/** DataSource: inline_string (3). */
function source(writer: BinaryWriter, field: number, value: string): void {
  text(writer.tag(field, WireType.LengthDelimited).fork(), 3, value).join()
}

function text(writer: BinaryWriter, field: number, value: string): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).string(value)
}
