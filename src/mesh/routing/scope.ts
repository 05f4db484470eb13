/** What one client or gateway proxy can see and reach: the model's `SidecarScope` (pilot/pkg/model/sidecar.go). */

import type { Subset } from '../../kinds/destination-rule.ts'
import type { Labels } from '../names/labels.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { subsetsOf } from './destination-rules.ts'
import { foldServices, isKubernetes, isVisible, type MeshService, portOf, servicesNamed, visibleInOrder, withOnlyPort } from './services.ts'
import { type EgressListener, egressListeners, listenerFor } from './sidecars.ts'
import { type Context, contextKey, type Missing } from './table.ts'

/** Made for one piece of work and dropped with it: what is worked out once in it is true of one moment only. */
export interface Scope {
  readonly snapshot: Snapshot
  readonly context: Context
  readonly listeners: readonly EgressListener[]
}

/** The same question, answered once in each scope for equal arguments: tables, hosts and ports of one client ask for the same few again and again. */
export function oncePerScope<A extends readonly unknown[], V>(find: (scope: Scope, ...of: A) => V): (scope: Scope, ...of: A) => V {
  const known = new WeakMap<Scope, Map<unknown, unknown>>()
  return (scope, ...of) => {
    let level = known.get(scope)
    if (level === undefined) {
      level = new Map()
      known.set(scope, level)
    }
    for (const argument of of.slice(0, -1)) {
      let next = level.get(argument) as Map<unknown, unknown> | undefined
      if (next === undefined) {
        next = new Map()
        level.set(argument, next)
      }
      level = next
    }
    const last = of.at(-1)
    if (level.has(last)) return level.get(last) as V
    const found = find(scope, ...of)
    level.set(last, found)
    return found
  }
}

/** Whether a cluster exists, and how many endpoints would get its requests; null where nobody can know. */
export interface ClusterState {
  readonly missing: Missing | null
  readonly ready: number | null
}

export function scopeOf(snapshot: Snapshot, context: Context): Scope {
  const listeners = context.kind === 'mesh' ? egressListeners(snapshot, context) : []
  return { snapshot, context, listeners }
}

/** The scopes of one moment, one for equal contexts: whatever a context sees is worked out once for all of its hosts. */
export function scopesOf(snapshot: Snapshot): (context: Context) => Scope {
  const known = new Map<string, Scope>()
  return (context) => {
    const key = contextKey(context)
    const scope = known.get(key) ?? scopeOf(snapshot, context)
    known.set(key, scope)
    return scope
  }
}

/** The labels of a subset of a service for the client; null where the DestinationRule that it uses defines no such subset. */
export function subsetLabels(scope: Scope, service: MeshService, subset: string): Labels | null {
  return subsetsByName(scope, service.host, service.namespace).get(subset)?.labels ?? null
}

/** Each by its name, the first of equal ones. */
const subsetsByName = oncePerScope(({ snapshot, context }, host: string, namespace: string): ReadonlyMap<string, Subset> => {
  return new Map(
    subsetsOf(snapshot, context, { host, namespace })
      .toReversed()
      .map((subset) => [subset.name, subset])
  )
})

const named = oncePerScope(({ snapshot }, host: string): readonly MeshService[] => {
  const found = servicesNamed(snapshot, host)
  for (const { ports } of found) snapshot.charge(ports.length)
  return found
})

/** The service that the proxy has clusters for under this host; null where it has none. */
export const serviceInScope = oncePerScope((scope, host: string): MeshService | null => foldServices(candidates(scope, host)))

/**
 * The same for the destination of a route: a VirtualService also imports what it sends to, whatever the Sidecar says, and of the client's
 * own namespace even what is not exported to it (3.9). `collectImportedServices`.
 */
export const destinationInScope = oncePerScope((scope, host: string): MeshService | null => {
  if (scope.context.kind === 'gateway') return serviceInScope(scope, host)
  const imported = importedService(scope, host)
  return foldServices(imported === null ? candidates(scope, host) : [...candidates(scope, host), imported])
})

/** The service as the routes of one port know it: only where it has that port, and with no other (8.2). */
export const serviceOnPort = oncePerScope((scope, host: string, port: number): MeshService | null => {
  const { context, listeners } = scope
  const listener = listenerFor(listeners, port)
  if (listener === null) return null
  const found = selected(scope, named(scope, host), listener, context.namespace).findLast((each) => portOf(each, port) !== undefined)
  return found === undefined ? null : withOnlyPort(found, port)
})

/** The service of this host and namespace, seen or not: Kubernetes' own, else the oldest. */
export function registeredService(scope: Scope, host: string, namespace: string): MeshService | null {
  const found = named(scope, host).filter((service) => service.namespace === namespace)
  return found.find(isKubernetes) ?? found[0] ?? null
}

/** A listener of the client is open on the port for HTTP: a service that it imports declares HTTP there (3.6). */
export const listensForHttp = oncePerScope((scope, port: number): boolean => {
  const { snapshot, context, listeners } = scope
  const listener = listenerFor(listeners, port)
  if (listener === null) return false
  const opens = (service: MeshService) => isVisible(service, context.namespace) && listener.importsService(service.namespace, service.host)
  for (const { host } of httpServices(snapshot, port)) {
    snapshot.charge(listener.effort)
    if (named(scope, host).some(opens)) return true
  }
  return false
})

function* httpServices(snapshot: Snapshot, port: number): Iterable<{ host: string }> {
  yield* snapshot.lookup('serviceByHttpPort', String(port))
  for (const { hosts } of snapshot.lookup('serviceEntryByHttpPort', String(port))) {
    snapshot.charge(hosts.length)
    for (const host of hosts) yield { host }
  }
}

function candidates(scope: Scope, host: string): readonly MeshService[] {
  const { context, listeners } = scope
  const found = named(scope, host)
  if (context.kind === 'gateway') return visibleInOrder(found, context.namespace)
  return listeners.flatMap((listener) => selected(scope, found, listener, context.namespace))
}

/** Of several namespaces with one host a listener takes one: the client's own, else the first, Kubernetes before others. `selectServices`. */
function selected({ snapshot }: Scope, found: readonly MeshService[], listener: EgressListener, client: string): MeshService[] {
  snapshot.charge(found.length * listener.effort)
  const imported = visibleInOrder(found, client)
    .filter(({ namespace, host }) => listener.importsService(namespace, host))
    .flatMap((service) => (listener.port === null ? service : (withOnlyPort(service, listener.port) ?? [])))
  if (imported.length < 2) return imported
  const own = imported.find(({ namespace }) => namespace === client)
  const taken = own ?? imported.find(isKubernetes) ?? imported[0]
  return imported.filter(({ namespace }) => namespace === taken?.namespace)
}

/** `pickBestVisibleNamespace`: without one in the client's namespace, a visible Kubernetes service, else the oldest visible one. */
function importedService(scope: Scope, host: string): MeshService | null {
  const { context } = scope
  const own = registeredService(scope, host, context.namespace)
  if (own !== null) return own
  const visible = named(scope, host).filter((service) => isVisible(service, context.namespace))
  return visible.find(isKubernetes) ?? visible[0] ?? null
}
