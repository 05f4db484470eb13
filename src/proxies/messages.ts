/**
 * The few messages of Envoy's discovery protocol (envoy/service/discovery/v3/discovery.proto) that are exchanged with istiod. Of what comes,
 * only the fields are read that say whether a change is in it; the reader of a well-kept library does the wire format.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

export interface Node {
  /** `sidecar~IP~NAME.NAMESPACE~NAMESPACE.svc.DOMAIN` */
  readonly id: string
  readonly metadata: Readonly<Record<string, string>>
}

export interface DiscoveryRequest {
  readonly type: string
  readonly names: readonly string[]
  /** Only the first request of a stream names it. */
  readonly node: Node | null
  /** Those of the answer that this one acknowledges; '' in the first request of a type. */
  readonly version: string
  readonly nonce: string
}

export interface DiscoveryResponse {
  readonly type: string
  readonly version: string
  readonly nonce: string
  readonly resources: readonly Uint8Array[]
}

export function encodeRequest({ type, names, node, version, nonce }: DiscoveryRequest): Buffer {
  const writer = new BinaryWriter()
  const text = (field: number, value: string) => value !== '' && writer.tag(field, WireType.LengthDelimited).string(value)
  text(1, version)
  if (node !== null) writeNode(writer.tag(2, WireType.LengthDelimited).fork(), node).join()
  for (const name of names) text(3, name)
  text(4, type)
  text(5, nonce)
  return Buffer.from(writer.finish())
}

/** Node: `id` (1), `cluster` (2) and `metadata` (3), a google.protobuf.Struct of texts. */
function writeNode(writer: BinaryWriter, { id, metadata }: Node): BinaryWriter {
  writer.tag(1, WireType.LengthDelimited).string(id).tag(2, WireType.LengthDelimited).string('hitless')
  writer.tag(3, WireType.LengthDelimited).fork()
  for (const [key, value] of Object.entries(metadata)) {
    writer.tag(1, WireType.LengthDelimited).fork().tag(1, WireType.LengthDelimited).string(key)
    writer.tag(2, WireType.LengthDelimited).fork().tag(3, WireType.LengthDelimited).string(value).join().join()
  }
  return writer.join()
}

/** Throws where the bytes are no such message. */
export function decodeResponse(bytes: Uint8Array): DiscoveryResponse {
  let [type, version, nonce] = ['', '', '']
  const resources: Uint8Array[] = []
  each(bytes, (field, reader) => {
    if (field === 1) version = reader.string()
    else if (field === 2) resources.push(last(reader.bytes(), 2))
    else if (field === 4) type = reader.string()
    else if (field === 5) nonce = reader.string()
    else return false
    return true
  })
  return { type, version, nonce, resources }
}

export function clusterName(cluster: Uint8Array): string {
  return textOf(cluster, 1)
}

/** The name of the cluster, and how many of its endpoints take requests: HEALTHY or not said to be otherwise. */
export function readAssignment(assignment: Uint8Array): { readonly cluster: string; readonly endpoints: number } {
  let endpoints = 0
  eachMessage(assignment, 2, (locality) =>
    eachMessage(locality, 2, (endpoint) => {
      if (numberOf(endpoint, 2) <= 1) endpoints += 1
    })
  )
  return { cluster: textOf(assignment, 1), endpoints }
}

/** The name of the route configuration, and the clusters that its routes send requests to. */
export function readRoutes(configuration: Uint8Array): { readonly name: string; readonly clusters: ReadonlySet<string> } {
  const clusters = new Set<string>()
  const add = (name: string) => name !== '' && clusters.add(name)
  eachMessage(configuration, 2, (virtualHost) =>
    eachMessage(virtualHost, 3, (route) =>
      eachMessage(route, 2, (action) => {
        add(textOf(action, 1))
        eachMessage(action, 3, (weighted) => eachMessage(weighted, 1, (each) => numberOf(last(each, 2), 1) > 0 && add(textOf(each, 1))))
      })
    )
  )
  return { name: textOf(configuration, 1), clusters }
}

/** The value of a message's field that is a message; empty where it has none. */
function last(message: Uint8Array, wanted: number): Uint8Array {
  let found: Uint8Array = new Uint8Array()
  eachMessage(message, wanted, (value) => {
    found = value
  })
  return found
}

function textOf(message: Uint8Array, wanted: number): string {
  return Buffer.from(last(message, wanted)).toString('utf8')
}

function numberOf(message: Uint8Array, wanted: number): number {
  let found = 0
  each(message, (field, reader, type) => {
    if (field !== wanted || type !== WireType.Varint) return false
    found = reader.uint32()
    return true
  })
  return found
}

function eachMessage(message: Uint8Array, wanted: number, take: (value: Uint8Array) => unknown): void {
  each(message, (field, reader, type) => {
    if (field !== wanted || type !== WireType.LengthDelimited) return false
    take(reader.bytes())
    return true
  })
}

/** Calls `take` for each field; what it does not read is skipped. */
function each(message: Uint8Array, take: (field: number, reader: BinaryReader, type: WireType) => boolean): void {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    if (!take(field, reader, type)) reader.skip(type, field)
  }
}
