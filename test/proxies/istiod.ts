/** An istiod that says whatever a test has it say: the wire is real, gRPC over TLS. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { ServerCredentials } from '@grpc/grpc-js'
import type { Test } from 'tap'
import { createAuthority, issue } from '../../src/certificates/self-signed.ts'
import { openReplica, type Replica } from '../../src/proxies/replica.ts'
import { nodeOf } from '../../src/proxies/replicas.ts'
import { TYPES } from '../../src/proxies/resource-types.ts'
import { type Stream, serveStream } from '../rig/byte-stream.ts'

export const NAME = 'istiod.istio-system.svc'
export const UUID = '9f7dd3b2-18b1-4f0a-9c55-3a3e5d1f7a10'

export function version(push: number): string {
  return `2026-11-27T14:00:00Z/${push}`
}

export function nonce(push: number): string {
  return push === 0 ? '' : `${version(push)}${UUID}`
}

export interface Asked {
  readonly type: string
  readonly names: readonly string[]
  readonly nonce: string
}

type Answer = (asked: Asked, stream: Stream) => void

/** Opens a stream to an istiod that calls `answer` for each request; both end with the test. */
export async function startIstiod(t: Test, answer: Answer, onToken: (token: string) => void = () => undefined): Promise<Replica> {
  const { target, ca, stop } = await serveIstiod(answer, onToken)
  const replica = openReplica({
    target,
    serverName: NAME,
    ca,
    token: 'secret',
    node: nodeOf('istio-system', 'cluster.local', 'test'),
    nowMs: Date.now
  })
  t.teardown(() => {
    replica.close()
    stop()
  })
  return replica
}

export async function serveIstiod(
  answer: Answer,
  onToken: (token: string) => void = () => undefined
): Promise<{ readonly target: string; readonly ca: string; readonly stop: () => void }> {
  const nowMs = Date.now()
  const authority = await createAuthority({ nowMs, days: 1 })
  const leaf = await issue(authority, [NAME], { nowMs, days: 1 })
  const pair = { private_key: Buffer.from(leaf.key), cert_chain: Buffer.from(leaf.certificate) }
  const { port, stop } = await serveStream(
    '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
    (stream) => {
      onToken(String(stream.metadata.get('authorization')[0]))
      stream.on('data', (request: Buffer) => answer(readRequest(request), stream))
    },
    ServerCredentials.createSsl(null, [pair])
  )
  return { target: `127.0.0.1:${port}`, ca: authority.certificate, stop }
}

function readRequest(bytes: Buffer): Asked {
  const reader = new BinaryReader(bytes)
  const asked = { type: '', names: [] as string[], nonce: '' }
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (field === 3) asked.names.push(reader.string())
    else if (field === 4) asked.type = reader.string()
    else if (field === 5) asked.nonce = reader.string()
    else reader.skip(type, field)
  }
  return asked
}

export function response(type: string, push: number, resources: readonly Uint8Array[]): Buffer {
  const writer = new BinaryWriter()
  text(writer, 1, version(push))
  for (const resource of resources) {
    writer.tag(2, WireType.LengthDelimited).fork()
    text(writer, 1, type)
    writer.tag(2, WireType.LengthDelimited).bytes(resource).join()
  }
  text(writer, 4, type)
  text(writer, 5, nonce(push))
  return Buffer.from(writer.finish())
}

/** An answer to `syncz`. */
export function synczResponse(push: number, json: string): Buffer {
  return response(TYPES.debug, push, [Buffer.from(json)])
}

export function cluster(name: string): Uint8Array {
  return text(new BinaryWriter(), 1, name).finish()
}

/** `health` of each endpoint, as in envoy.config.core.v3.HealthStatus. */
export function assignment(name: string, health: readonly number[]): Uint8Array {
  const writer = text(new BinaryWriter(), 1, name)
  writer.tag(2, WireType.LengthDelimited).fork()
  for (const status of health) {
    writer.tag(2, WireType.LengthDelimited).fork()
    if (status > 0) writer.tag(2, WireType.Varint).uint32(status)
    writer.join()
  }
  return writer.join().finish()
}

/** One virtual host, in which each route leads to one cluster, or to several with weights. */
export function routes(name: string, actions: readonly (string | Readonly<Record<string, number>>)[]): Uint8Array {
  const writer = text(new BinaryWriter(), 1, name)
  writer.tag(2, WireType.LengthDelimited).fork()
  for (const action of actions) {
    writer.tag(3, WireType.LengthDelimited).fork().tag(2, WireType.LengthDelimited).fork()
    if (typeof action === 'string') text(writer, 1, action)
    else writeWeights(writer, action)
    writer.join().join()
  }
  return writer.join().finish()
}

function writeWeights(writer: BinaryWriter, weights: Readonly<Record<string, number>>): void {
  writer.tag(3, WireType.LengthDelimited).fork()
  for (const [name, weight] of Object.entries(weights)) {
    text(writer.tag(1, WireType.LengthDelimited).fork(), 1, name)
    writer.tag(2, WireType.LengthDelimited).fork().tag(1, WireType.Varint).uint32(weight).join().join()
  }
  writer.join()
}

function text(writer: BinaryWriter, field: number, value: string): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).string(value)
}
