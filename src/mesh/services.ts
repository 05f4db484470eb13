/** Services as a client sees them: Kubernetes Services and the hosts of ServiceEntries (8). */
import { serviceHost, serviceOfHost } from './hosts.ts'
import type { Service, ServiceEntry } from './objects.ts'
import type { Snapshot } from './snapshot.ts'
import type { Context } from './table.ts'
import { isExported } from './visibility.ts'

export interface MeshPort {
  readonly number: number
  readonly name: string
  /** http rules of a VirtualService apply to it: it is HTTP by name or appProtocol, or sniffed (3.7). */
  readonly http: boolean
}

/** A host with ports, whichever object defines it. */
export interface MeshService {
  readonly host: string
  readonly namespace: string
  readonly ports: readonly MeshPort[]
  readonly object: Service | ServiceEntry
}

const HTTP_PROTOCOLS = ['http', 'http2', 'grpc', 'grpc-web']
const OTHER_PROTOCOLS = ['tcp', 'https', 'tls', 'udp', 'mongo', 'redis', 'mysql', 'hbone', 'double-hbone']

/** The service of exactly this host that the context sees, or null. A Kubernetes Service comes before a ServiceEntry, except for the entry's own clients (8.5). */
export function visibleService(snapshot: Snapshot, context: Context, host: string): MeshService | null {
  const entries = [...snapshot.lookup('serviceEntryByHost', host)].filter((entry) =>
    isExported(entry.exportTo, entry.namespace, context.namespace)
  )
  const own = entries.find(({ namespace }) => namespace === context.namespace)
  const service = kubernetesService(snapshot, context, host)
  if (own !== undefined && service?.namespace !== context.namespace) return ofEntry(own, host)
  return service ?? (entries[0] === undefined ? null : ofEntry(entries[0], host))
}

/** ExternalName Services are aliases: the name that a destination at this host really goes to (8.4). */
export function aliasTarget(snapshot: Snapshot, host: string): string {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  return service?.externalName ?? host
}

function kubernetesService(snapshot: Snapshot, context: Context, host: string): MeshService | null {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  if (service === undefined || service.externalName !== null || !isExported(service.exportTo, service.namespace, context.namespace))
    return null
  return {
    host: serviceHost(service.namespace, service.name, snapshot.settings.domain),
    namespace: service.namespace,
    ports: service.ports.map(({ port, name, appProtocol }) => ({ number: port, name, http: isHttp(appProtocol || name) })),
    object: service
  }
}

function ofEntry(entry: ServiceEntry, host: string): MeshService {
  return {
    host,
    namespace: entry.namespace,
    ports: entry.ports.map(({ number, name, protocol }) => ({ number, name, http: isHttp(protocol || name) })),
    object: entry
  }
}

/** `http`, `http2`, `grpc` or one of these with a suffix; and any name that is no protocol, whose connections are sniffed (3.7). */
function isHttp(name: string): boolean {
  const protocol = name.toLowerCase().replace(/^kubernetes\.io\//, '')
  const known = (list: readonly string[]) => list.some((each) => protocol === each || protocol.startsWith(`${each}-`))
  return known(HTTP_PROTOCOLS) || !known(OTHER_PROTOCOLS)
}
