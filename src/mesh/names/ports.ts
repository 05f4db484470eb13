/** What Istio takes a port's traffic for, by its name, appProtocol and number (3.7). */
/** `sniffed`: Istio looks at each connection, and http rules apply to those that look like HTTP. `tls` is routed by server name. */
export type Protocol = 'http' | 'sniffed' | 'tcp' | 'tls' | 'udp'

/** Names of protocols that Istio knows; any other is sniffed. pkg/config/protocol/instance.go. */
const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  ['http', 'http'],
  ['http2', 'http'],
  ['http_proxy', 'http'],
  ['grpc', 'http'],
  ['grpc-web', 'http'],
  ['https', 'tls'],
  ['tls', 'tls'],
  ['tcp', 'tcp'],
  ['mongo', 'tcp'],
  ['redis', 'tcp'],
  ['mysql', 'tcp'],
  ['udp', 'udp']
])

/** Kubernetes' own names of application protocols (KEP-3726). */
const KUBERNETES_PROTOCOLS: ReadonlyMap<string, Protocol> = new Map([
  ['kubernetes.io/h2c', 'http'],
  ['kubernetes.io/ws', 'http'],
  ['kubernetes.io/wss', 'tls']
])

/** SMTP, DNS, MySQL and MongoDB, where the server speaks first, so that sniffing would hang. */
const NEVER_SNIFFED = [25, 53, 3306, 27017]

interface PortOfService {
  readonly name: string
  readonly appProtocol: string
  readonly protocol: string
  readonly port: number
}

/** `ConvertProtocol`, pkg/config/kube/conversion.go. */
export function protocolOfPort({ name, appProtocol, protocol, port }: PortOfService): Protocol {
  if (protocol === 'UDP') return 'udp'
  const known = KUBERNETES_PROTOCOLS.get(appProtocol)
  if (known !== undefined) return known
  const text = (appProtocol || name).toLowerCase()
  if (text.startsWith('grpc-web')) return 'http'
  const [prefix = ''] = text.split('-')
  const parsed = parseProtocol(prefix)
  return parsed === 'sniffed' && NEVER_SNIFFED.includes(port) ? 'tcp' : parsed
}

/** A ServiceEntry's port tells its protocol alone; its name means nothing. */
export function protocolOfEntryPort({ protocol }: { readonly protocol: string }): Protocol {
  return parseProtocol(protocol)
}

/** The protocol that a name stands for, in whatever case. */
export function parseProtocol(name: string): Protocol {
  return PROTOCOLS.get(name.toLowerCase()) ?? 'sniffed'
}
