/** ServiceEntries: services that are not Kubernetes' own. `convertServices`, pilot/pkg/serviceregistry/serviceentry/conversion.go. */
import { hostKey } from '../mesh/names/hosts.ts'
import { type Labels, selectorKey } from '../mesh/names/labels.ts'
import { type Protocol, protocolOfEntryPort } from '../mesh/names/ports.ts'
import type { Identity } from './identity.ts'
import { defineKind, istioApi } from './kind.ts'
import { exportRefusals, wildcardDomainRefusals } from './refusals.ts'

export interface ServiceEntryPort {
  readonly name: string
  readonly number: number
  readonly protocol: string
  readonly targetPort: number | null
  /** What Istio takes its traffic for: its protocol alone tells, its name means nothing (3.7). */
  readonly traffic: Protocol
}

export interface WorkloadAddress {
  readonly address: string
  readonly labels: Labels
}

export interface ServiceEntry extends Identity {
  readonly kind: 'ServiceEntry'
  readonly hosts: readonly string[]
  readonly addresses: readonly string[]
  readonly ports: readonly ServiceEntryPort[]
  readonly location: string
  readonly resolution: string
  readonly endpoints: readonly WorkloadAddress[]
  readonly workloadSelector: Labels | null
  readonly exportTo: readonly string[]
}

export const serviceEntries = defineKind({
  kind: 'ServiceEntry',
  api: istioApi('serviceentries'),
  judged: true,
  parse: ({ spec }, identity): ServiceEntry => ({
    kind: 'ServiceEntry',
    ...identity,
    hosts: spec.strings('hosts'),
    addresses: spec.strings('addresses'),
    ports: spec.each('ports', (port) => ({
      name: port.string('name'),
      number: port.number('number', 0),
      protocol: port.string('protocol'),
      targetPort: port.number('targetPort', 0) || null,
      traffic: protocolOfEntryPort({ protocol: port.string('protocol') })
    })),
    location: String(spec.numberOrString('location', 0)),
    resolution: String(spec.numberOrString('resolution', 0)),
    endpoints: spec.each('endpoints', (endpoint) => ({ address: endpoint.string('address'), labels: endpoint.labels('labels') })),
    workloadSelector: spec.child('workloadSelector')?.labels('labels') ?? null,
    exportTo: spec.strings('exportTo')
  }),
  refusals,
  indexes: {
    /** ServiceEntries by the `hostKey` of each host. */
    serviceEntryByHost: ({ hosts }) => hosts.map(hostKey),
    serviceEntryByHttpPort: ({ ports }) => ports.filter(({ traffic }) => traffic === 'http').map(({ number }) => String(number)),
    /** Those that share the listener of all addresses on a port with whatever else sends bytes there (12.4). */
    serviceEntryByBytesPort: (entry) => bytesPorts(entry).map(String),
    /** Those that select workloads, by the first pair of their selector. */
    serviceEntryBySelector: ({ namespace, workloadSelector }) => selectorKey(namespace, workloadSelector)
  },
  reach: (entry) => [
    ...entry.hosts.map((host) => ({ through: 'service' as const, host })),
    ...bytesPorts(entry).map((port) => ({ through: 'bytes' as const, port }))
  ],
  provides: () => true
})

function bytesPorts({ ports, addresses }: ServiceEntry): number[] {
  return addresses.length > 0 ? [] : ports.filter(({ traffic }) => traffic === 'tcp' || traffic === 'sniffed').map(({ number }) => number)
}

function* refusals(entry: ServiceEntry): Iterable<string> {
  if (entry.workloadSelector !== null && entry.endpoints.length > 0)
    yield 'only one of WorkloadSelector or Endpoints is allowed in Service Entry'
  if (entry.hosts.length === 0) yield 'service entry must have at least one host'
  for (const host of entry.hosts) {
    if (host === '*') yield 'invalid host *'
    yield* wildcardDomainRefusals(host)
  }
  const [names, numbers] = [entry.ports.map(({ name }) => name), entry.ports.map(({ number }) => number)]
  if (new Set(names).size < names.length) yield 'service entry port name already defined'
  if (new Set(numbers).size < numbers.length) yield 'service entry port already defined'
  yield* exportRefusals(entry.exportTo, entry.namespace, true)
}
