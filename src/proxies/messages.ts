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

/** Throws where the bytes are no such message, or hold more than any answer to what is asked. */
export function decodeResponse(bytes: Uint8Array): DiscoveryResponse {
  let [type, version, nonce] = ['', '', '']
  const resources: Uint8Array[] = []
  const fields = new Fields()
  fields.each(bytes, (field, reader) => {
    if (field === 1) version = reader.string()
    else if (field === 2) resources.push(fields.last(reader.bytes(), 2))
    else if (field === 4) type = reader.string()
    else if (field === 5) nonce = reader.string()
    else return false
    return true
  })
  return { type, version, nonce, resources }
}

/** Names of clusters. */
export function readClusters(clusters: readonly Uint8Array[]): Set<string> {
  const fields = new Fields()
  return new Set(clusters.map((cluster) => fields.text(cluster, 1)))
}

/** By the name of the cluster, how many of its endpoints take requests: HEALTHY or not said to be otherwise. */
export function readAssignments(assignments: readonly Uint8Array[]): Map<string, number> {
  const fields = new Fields()
  const endpointsOf = (assignment: Uint8Array) => {
    let endpoints = 0
    fields.eachMessage(assignment, 2, (locality) =>
      fields.eachMessage(locality, 2, (endpoint) => {
        if (fields.number(endpoint, 2) <= 1) endpoints += 1
      })
    )
    return endpoints
  }
  return new Map(assignments.map((assignment) => [fields.text(assignment, 1), endpointsOf(assignment)]))
}

/** By the name of the route configuration, the clusters that its routes send requests to. */
export function readRoutes(configurations: readonly Uint8Array[]): Map<string, ReadonlySet<string>> {
  const fields = new Fields()
  const clustersOf = (configuration: Uint8Array) => {
    const clusters = new Set<string>()
    const add = (name: string) => name !== '' && clusters.add(name)
    fields.eachMessage(configuration, 2, (virtualHost) =>
      fields.eachMessage(virtualHost, 3, (route) =>
        fields.eachMessage(route, 2, (action) => {
          add(fields.text(action, 1))
          fields.eachMessage(action, 3, (weighted) =>
            fields.eachMessage(weighted, 1, (each) => fields.number(fields.last(each, 2), 1) > 0 && add(fields.text(each, 1)))
          )
        })
      )
    )
    return clusters
  }
  return new Map(configurations.map((configuration) => [fields.text(configuration, 1), clustersOf(configuration)]))
}

/** Of one answer so many are read, within some 40 ms: an answer of 64 MiB can hold thirty million, and a thing to keep for each. */
const MOST_FIELDS = 500_000

/** Reads the fields of one answer's messages. */
class Fields {
  #left = MOST_FIELDS

  /** Calls `take` for each field; what it does not read is skipped. */
  each(message: Uint8Array, take: (field: number, reader: BinaryReader, type: WireType) => boolean): void {
    const reader = new BinaryReader(message)
    while (reader.pos < reader.len) {
      this.#left -= 1
      if (this.#left < 0) throw new Error(`an answer has more than ${MOST_FIELDS} fields`)
      const [field, type] = reader.tag()
      if (!take(field, reader, type)) reader.skip(type, field)
    }
  }

  eachMessage(message: Uint8Array, wanted: number, take: (value: Uint8Array) => unknown): void {
    this.each(message, (field, reader, type) => {
      if (field !== wanted || type !== WireType.LengthDelimited) return false
      take(reader.bytes())
      return true
    })
  }

  /** The value of a message's field that is a message; empty where it has none. */
  last(message: Uint8Array, wanted: number): Uint8Array {
    let found: Uint8Array = new Uint8Array()
    this.eachMessage(message, wanted, (value) => {
      found = value
    })
    return found
  }

  text(message: Uint8Array, wanted: number): string {
    return Buffer.from(this.last(message, wanted)).toString('utf8')
  }

  number(message: Uint8Array, wanted: number): number {
    let found = 0
    this.each(message, (field, reader, type) => {
      if (field !== wanted || type !== WireType.Varint) return false
      found = reader.uint32()
      return true
    })
    return found
  }
}
