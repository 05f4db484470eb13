/** What one client or gateway proxy can see and reach: the model's `SidecarScope` (pilot/pkg/model/sidecar.go). */
import { foldServices, isKubernetes, isVisible, type MeshService, portOf, servicesNamed, visibleInOrder, withOnlyPort } from './services.ts'
import { type EgressListener, egressListeners, listenerFor } from './sidecars.ts'
import type { Snapshot } from './snapshot.ts'
import type { Context } from './table.ts'

export interface Scope {
  readonly snapshot: Snapshot
  readonly context: Context
  readonly listeners: readonly EgressListener[]
}

export function scopeOf(snapshot: Snapshot, context: Context): Scope {
  return { snapshot, context, listeners: context.kind === 'mesh' ? egressListeners(snapshot, context) : [] }
}

/** The service that the proxy has clusters for under this host; null where it has none. */
export function serviceInScope(scope: Scope, host: string): MeshService | null {
  return foldServices(candidates(scope, host))
}

/**
 * The same for the destination of a route: a VirtualService also imports what it sends to, whatever the Sidecar says, and of the client's
 * own namespace even what is not exported to it (3.9). `collectImportedServices`.
 */
export function destinationInScope(scope: Scope, host: string): MeshService | null {
  if (scope.context.kind === 'gateway') return serviceInScope(scope, host)
  const imported = importedService(scope, host)
  return foldServices(imported === null ? candidates(scope, host) : [...candidates(scope, host), imported])
}

/** The service as the routes of one port know it: only where it has that port, and with no other (8.2). */
export function serviceOnPort({ snapshot, context, listeners }: Scope, host: string, port: number): MeshService | null {
  const listener = listenerFor(listeners, port)
  if (listener === null) return null
  const found = selected(servicesNamed(snapshot, host), listener, context.namespace).findLast((each) => portOf(each, port) !== undefined)
  return found === undefined ? null : withOnlyPort(found, port)
}

/** The service of this host and namespace, seen or not: Kubernetes' own, else the oldest. */
export function registeredService(snapshot: Snapshot, host: string, namespace: string): MeshService | null {
  const found = servicesNamed(snapshot, host).filter((service) => service.namespace === namespace)
  return found.find(isKubernetes) ?? found[0] ?? null
}

/** A listener of the client is open on the port for HTTP: a service that it imports declares HTTP there (3.6). */
export function listensForHttp({ snapshot, context, listeners }: Scope, port: number): boolean {
  const listener = listenerFor(listeners, port)
  if (listener === null) return false
  const opens = (service: MeshService) => isVisible(service, context.namespace) && listener.importsService(service.namespace, service.host)
  for (const { host } of httpServices(snapshot, port)) if (servicesNamed(snapshot, host).some(opens)) return true
  return false
}

function* httpServices(snapshot: Snapshot, port: number): Iterable<{ host: string }> {
  for (const { name, namespace } of snapshot.lookup('serviceByHttpPort', String(port))) {
    yield { host: `${name}.${namespace}.svc.${snapshot.settings.domain}` }
  }
  for (const { hosts } of snapshot.lookup('serviceEntryByHttpPort', String(port))) for (const host of hosts) yield { host }
}

function candidates({ snapshot, context, listeners }: Scope, host: string): MeshService[] {
  const named = servicesNamed(snapshot, host)
  if (context.kind === 'gateway') return visibleInOrder(named, context.namespace)
  return listeners.flatMap((listener) => selected(named, listener, context.namespace))
}

/** Of several namespaces with one host a listener takes one: the client's own, else the first, Kubernetes before others. `selectServices`. */
function selected(named: readonly MeshService[], listener: EgressListener, client: string): MeshService[] {
  const imported = visibleInOrder(named, client)
    .filter(({ namespace, host }) => listener.importsService(namespace, host))
    .flatMap((service) => (listener.port === null ? service : (withOnlyPort(service, listener.port) ?? [])))
  if (imported.length < 2) return imported
  const own = imported.find(({ namespace }) => namespace === client)
  const taken = own ?? imported.find(isKubernetes) ?? imported[0]
  return imported.filter(({ namespace }) => namespace === taken?.namespace)
}

/** `pickBestVisibleNamespace`: without one in the client's namespace, a visible Kubernetes service, else the oldest visible one. */
function importedService({ snapshot, context }: Scope, host: string): MeshService | null {
  const own = registeredService(snapshot, host, context.namespace)
  if (own !== null) return own
  const visible = servicesNamed(snapshot, host).filter((service) => isVisible(service, context.namespace))
  return visible.find(isKubernetes) ?? visible[0] ?? null
}
