/** What a client's Sidecar lets it import (3.9). pilot/pkg/model/sidecar.go. */

import type { Sidecar, SidecarEgress } from '../../kinds/sidecar.ts'
import { hostCovers } from '../names/hosts.ts'
import { selects } from '../names/labels.ts'
import { byAge } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import type { Context } from './table.ts'

/** One egress listener: for one port, or with `port` null for all ports that no listener before it has. */
export interface EgressListener {
  readonly port: number | null
  /** It takes nothing of what is sent to the addresses of services (3.13). */
  readonly isBound: boolean
  /** The steps of work of asking for one service or host. */
  readonly effort: number
  importsService(namespace: string, host: string): boolean
  /** `hosts` are those of the VirtualService, completed. */
  importsVirtualService(namespace: string, hosts: readonly string[]): boolean
}

const EVERYTHING: EgressListener = { port: null, isBound: false, effort: 0, importsService: () => true, importsVirtualService: () => true }

/** The egress listeners of a client, in their order; without a Sidecar, one that imports everything. */
export function egressListeners(snapshot: Snapshot, context: Context): readonly EgressListener[] {
  const sidecar = sidecarOf(snapshot, context)
  if (sidecar === null || sidecar.egress.length === 0) return [EVERYTHING]
  snapshot.charge(sidecar.egress.length)
  return listenersOf(sidecar, context.namespace)
}

/** Of each Sidecar as the last client saw it: its hosts are read once, and not for each host of each client. */
const lastListeners = new WeakMap<Sidecar, { readonly namespace: string; readonly listeners: readonly EgressListener[] }>()

function listenersOf(sidecar: Sidecar, namespace: string): readonly EgressListener[] {
  const last = lastListeners.get(sidecar)
  if (last?.namespace === namespace) return last.listeners
  const listeners = sidecar.egress.map((egress) => toListener(egress, namespace))
  lastListeners.set(sidecar, { namespace, listeners })
  return listeners
}

/** What becomes of hosts that the client does not know: its Sidecar's word comes before the mesh's. */
export function allowsAnyHost(snapshot: Snapshot, context: Context): boolean {
  const mode = sidecarOf(snapshot, context)?.outboundMode ?? ''
  if (mode === '') return snapshot.settings.outboundTrafficPolicy !== 'REGISTRY_ONLY'
  return mode === 'ALLOW_ANY' || mode === '1'
}

/** The listener whose imports decide for a port. `GetEgressListenerForRDS`. */
export function listenerFor(listeners: readonly EgressListener[], port: number): EgressListener | null {
  return listeners.find((listener) => listener.port === null || listener.port === port) ?? null
}

/** Something listens on the port for what is sent to the addresses of services. */
export function listensFor(listeners: readonly EgressListener[], port: number): boolean {
  return listeners.some((listener) => !listener.isBound && (listener.port === null || listener.port === port))
}

/** One that selects the client, else one of its namespace for all, else that of the root namespace for all. */
function sidecarOf(snapshot: Snapshot, { namespace, labels }: Context): Sidecar | null {
  const own = [...snapshot.lookup('sidecarByNamespace', namespace)].sort(byAge)
  const selected = own.find(({ workloadSelector }) => workloadSelector !== null && selects(workloadSelector, labels))
  const { rootNamespace } = snapshot.settings
  return selected ?? forAll(own) ?? forAll([...snapshot.lookup('sidecarByNamespace', rootNamespace)].sort(byAge))
}

function forAll(sidecars: readonly Sidecar[]): Sidecar | null {
  return sidecars.find(({ workloadSelector }) => workloadSelector === null) ?? null
}

/** Hosts compared with one other in one step of work. */
const HOSTS_A_STEP = 8

interface Import {
  /** `*` is every namespace. */
  readonly namespace: string
  readonly host: string
}

function toListener({ port, hosts, isBound }: SidecarEgress, own: string): EgressListener {
  const imports: Import[] = []
  const exclusions: Import[] = []
  for (const written of hosts) {
    const [namespace = '', host, ...rest] = written.split('/')
    if (host === undefined || rest.length > 0) continue
    const excluded = namespace.startsWith('~')
    const bare = excluded ? namespace.slice(1) || '*' : namespace
    const list = excluded ? exclusions : imports
    list.push({ namespace: bare === '.' ? own : bare, host })
  }
  const of = (list: readonly Import[], namespace: string) => list.filter((each) => each.namespace === '*' || each.namespace === namespace)
  const isExcluded = (namespace: string, host: string) => of(exclusions, namespace).some((each) => hostCovers(each.host, host))
  return {
    port,
    isBound,
    effort: hosts.length / HOSTS_A_STEP,
    importsService: (namespace, host) => !isExcluded(namespace, host) && of(imports, namespace).some((each) => hostCovers(each.host, host)),
    // Of VirtualServices it is enough that one host overlaps, whichever is the wider. `VSMatches`.
    importsVirtualService: (namespace, own) =>
      own.some(
        (host) =>
          !isExcluded(namespace, host) && of(imports, namespace).some((each) => hostCovers(each.host, host) || hostCovers(host, each.host))
      )
  }
}
