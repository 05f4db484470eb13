/** Services as Istio knows them, whichever object defines them: Kubernetes Services, and each host of a ServiceEntry (8.5). */

import type { Service } from '../../kinds/service.ts'
import type { ServiceEntry } from '../../kinds/service-entry.ts'
import { atPort } from '../names/at-port.ts'
import type { Protocol } from '../names/ports.ts'
import { byAge, type DefaultExports, exportsOf, isExported, isPublic } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'

export interface MeshPort {
  readonly number: number
  readonly name: string
  readonly protocol: Protocol
}

/** How Istio finds a service's endpoints. `passthrough`: the client asked for an address itself. `alias`: another name of a service (8.4). */
export type Resolution = 'static' | 'dns' | 'passthrough' | 'dynamic-dns' | 'alias'

export interface MeshService {
  readonly host: string
  readonly namespace: string
  readonly name: string
  readonly createdMs: number
  readonly exportTo: readonly string[]
  readonly ports: readonly MeshPort[]
  readonly resolution: Resolution
  readonly object: Service | ServiceEntry
}

/** Names and numbers of ServiceEntry.Resolution. */
const RESOLUTIONS: ReadonlyMap<string, Resolution> = new Map([
  ['0', 'passthrough'],
  ['NONE', 'passthrough'],
  ['1', 'static'],
  ['STATIC', 'static'],
  ['2', 'dns'],
  ['DNS', 'dns'],
  ['3', 'dns'],
  ['DNS_ROUND_ROBIN', 'dns'],
  ['4', 'dynamic-dns'],
  ['DYNAMIC_DNS', 'dynamic-dns']
])

/** Every service of exactly this host, of any namespace, oldest first. */
export function servicesNamed(snapshot: Snapshot, host: string): MeshService[] {
  const found: MeshService[] = []
  for (const service of snapshot.lookup('serviceByHost', host)) found.push(ofService(service, snapshot.settings))
  for (const entry of snapshot.lookup('serviceEntryByHost', host))
    if (entry.hosts.includes(host)) found.push(ofEntry(entry, host, snapshot.settings))
  return found.length > 1 ? found.sort(byAge) : found
}

/** The hosts of every service of the snapshot: a walk, for what a wildcard demands. */
export function* everyService(snapshot: Snapshot): Iterable<MeshService> {
  for (const service of snapshot.all('Service')) {
    snapshot.charge(service.ports.length)
    yield ofService(service, snapshot.settings)
  }
  for (const entry of snapshot.all('ServiceEntry')) {
    snapshot.charge(entry.hosts.length * (1 + entry.ports.length))
    for (const host of entry.hosts) yield ofEntry(entry, host, snapshot.settings)
  }
}

export function isVisible({ exportTo, namespace }: MeshService, client: string): boolean {
  return isExported(exportTo, namespace, client)
}

/** Visible services in the order in which Istio lists them: those exported to the client's namespace, then public ones. */
export function visibleInOrder(services: readonly MeshService[], client: string): MeshService[] {
  const visible = services.filter((service) => isVisible(service, client))
  if (visible.length < 2) return visible
  return [...visible.filter(({ exportTo }) => !isPublic(exportTo)), ...visible.filter(({ exportTo }) => isPublic(exportTo))]
}

/** The one that Istio keeps of several with one host: the first, but Kubernetes before others, and ports joined where they agree (8.5). `appendSidecarServices`. */
export function foldServices(services: readonly MeshService[]): MeshService | null {
  let kept: MeshService | null = null
  for (const service of services) {
    kept = kept === null ? service : fold(kept, service)
  }
  return kept
}

function fold(kept: MeshService, service: MeshService): MeshService {
  if (isKubernetes(kept) !== isKubernetes(service)) return isKubernetes(kept) ? kept : service
  return mayJoin(kept, service) ? { ...kept, ports: joinPorts(kept, service) } : kept
}

export function isKubernetes({ object }: MeshService): boolean {
  return object.kind === 'Service'
}

export function portOf(service: MeshService, number: number): MeshPort | undefined {
  return atPort(service.ports, (port) => port.number, number)
}

/** http rules of a VirtualService apply to the port (3.7). */
export function takesHttp(port: MeshPort | undefined): boolean {
  return port?.protocol === 'http' || port?.protocol === 'sniffed'
}

/** A port whose bytes are not looked into for a server's name. */
export function takesBytes(port: MeshPort | undefined): boolean {
  return port?.protocol === 'tcp' || port?.protocol === 'sniffed'
}

/** It has no address, so that it shares the listener of all addresses with whatever else is on the port (3.11). */
export function sharesListener({ object }: MeshService): boolean {
  return object.kind === 'ServiceEntry' && object.addresses.length === 0
}

/** It has a range of addresses: on the listener of all addresses those are its own, and its TLS is told apart by name there too (12.4). */
export function hasRange({ object }: MeshService): boolean {
  return object.kind === 'ServiceEntry' && object.addresses.some((address) => address.includes('/'))
}

/** The address by which it is called; '' where that is not known. */
export function addressOf({ object }: MeshService): string {
  return object.kind === 'Service' ? object.clusterIP : (object.addresses[0] ?? '')
}

export function withOnlyPort(service: MeshService, number: number): MeshService | null {
  const port = portOf(service, number)
  if (port === undefined) return null
  return service.ports.length === 1 ? service : { ...service, ports: [port] }
}

function mayJoin(one: MeshService, other: MeshService): boolean {
  return one.namespace === other.namespace && one.resolution === other.resolution
}

function joinPorts(one: MeshService, other: MeshService): MeshPort[] {
  return [...one.ports, ...other.ports.filter(({ number }) => portOf(one, number) === undefined)]
}

/** `ConvertService`, pilot/pkg/serviceregistry/kube/conversion.go. */
function ofService(service: Service, { defaultServiceExportTo }: DefaultExports): MeshService {
  return {
    host: service.host,
    namespace: service.namespace,
    name: service.name,
    createdMs: service.createdMs,
    exportTo: exportsOf(service, defaultServiceExportTo),
    ports: service.ports.map((port) => ({ number: port.port, name: port.name, protocol: port.traffic })),
    resolution: resolutionOfService(service),
    object: service
  }
}

function resolutionOfService({ headless, externalName }: Service): Resolution {
  if (headless) return 'passthrough'
  return externalName === null ? 'static' : 'alias'
}

/** `convertServices`, pilot/pkg/serviceregistry/serviceentry/conversion.go. */
function ofEntry(entry: ServiceEntry, host: string, { defaultServiceExportTo }: DefaultExports): MeshService {
  return {
    host,
    namespace: entry.namespace,
    name: host,
    createdMs: entry.createdMs,
    exportTo: exportsOf(entry, defaultServiceExportTo),
    ports: entry.ports.map((port) => ({ number: port.number, name: port.name, protocol: port.traffic })),
    resolution: resolutionOf(entry),
    object: entry
  }
}

export function resolutionOf(entry: ServiceEntry): Resolution {
  return RESOLUTIONS.get(entry.resolution) ?? 'passthrough'
}
