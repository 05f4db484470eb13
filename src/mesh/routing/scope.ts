/** What one client or gateway proxy can see and reach: the model's `SidecarScope` (pilot/pkg/model/sidecar.go). */

import type { Subset } from '../../kinds/destination-rule.ts'
import { byAge } from '../names/visibility.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { isPassthrough, type JoinedRule, ruleFor, rulesOver } from './destination-rules.ts'
import {
  foldServices,
  isKubernetes,
  isVisible,
  type MeshService,
  portOf,
  servicesNamed,
  sharesListener,
  takesBytes,
  visibleInOrder,
  withOnlyPort
} from './services.ts'
import { type EgressListener, egressListeners, listenerFor } from './sidecars.ts'
import { type Context, contextKey, type Missing } from './table.ts'

/** Made for one piece of work and dropped with it: what is worked out once in it is true of one moment only. */
export interface Scope {
  readonly snapshot: Snapshot
  readonly context: Context
  readonly listeners: readonly EgressListener[]
  /** What was found out for it. */
  readonly answers: Answers
  /** Of that, what does not depend on route objects. */
  readonly standing: Answers
  /** The same, of what does not depend on who asks either: one for all scopes of one piece of work. */
  readonly shared: Answers
}

/** By question, and then by each of its arguments. */
type Answers = Map<unknown, unknown>

type Question<A extends readonly unknown[], V> = (scope: Scope, ...asked: A) => V

/** The same question, answered once in each scope for equal arguments: tables, hosts and ports of one client ask for the same few again and again. */
export function oncePerScope<A extends readonly unknown[], V>(find: Question<A, V>): Question<A, V> {
  return oncePer(({ answers }) => answers, find)
}

/** One that does not depend on route objects: the answer is the same before and after a write of one. */
export function oncePerClient<A extends readonly unknown[], V>(find: Question<A, V>): Question<A, V> {
  return oncePer(({ standing }) => standing, find)
}

/** One that does not depend on who asks either, answered once for all scopes of a moment: there may be as many as there are namespaces. */
function oncePerMoment<A extends readonly unknown[], V>(find: Question<A, V>): Question<A, V> {
  return oncePer(({ shared }) => shared, find)
}

function oncePer<A extends readonly unknown[], V>(answersOf: (scope: Scope) => Answers, find: Question<A, V>): Question<A, V> {
  return (scope, ...asked) => {
    const last = asked.length - 1
    let level = below(answersOf(scope), find)
    for (let at = 0; at < last; at++) level = below(level, asked[at])
    const key = asked.at(-1)
    const known = level.get(key) as V | undefined
    if (known !== undefined) return known
    const found = find(scope, ...asked)
    level.set(key, found)
    return found
  }
}

function below(answers: Answers, key: unknown): Answers {
  const known = answers.get(key) as Answers | undefined
  if (known !== undefined) return known
  const made: Answers = new Map()
  answers.set(key, made)
  return made
}

/** Whether a cluster exists, and how many endpoints would get its requests; null where nobody can know. */
export interface ClusterState {
  readonly missing: Missing | null
  readonly ready: number | null
}

export function scopeOf(snapshot: Snapshot, context: Context, standing: Answers = new Map(), shared: Answers = new Map()): Scope {
  const listeners = context.kind === 'mesh' ? egressListeners(snapshot, context) : []
  return { snapshot, context, listeners, answers: new Map(), standing, shared }
}

export type ScopeOf = (context: Context) => Scope

/** The scopes of one moment, one for equal contexts: whatever a context sees is worked out once for all of its hosts. */
export function scopesOf(snapshot: Snapshot): ScopeOf {
  const shared: Answers = new Map()
  return remembered((context) => scopeOf(snapshot, context, new Map(), shared))
}

/** The scopes of the moment after another, in which nothing but route objects is otherwise. */
export function scopesAfter(before: ScopeOf, snapshot: Snapshot): ScopeOf {
  return remembered((context) => ({ ...before(context), snapshot, answers: new Map() }))
}

function remembered(scope: ScopeOf): ScopeOf {
  const known = new Map<string, Scope>()
  return (context) => {
    const key = contextKey(context)
    const found = known.get(key) ?? scope(context)
    known.set(key, found)
    return found
  }
}

/** The DestinationRule that the client uses for a service. */
export function ruleInScope(scope: Scope, { host, namespace }: Pick<MeshService, 'host' | 'namespace'>): JoinedRule | null {
  return ruleOf(scope, host, namespace)
}

/** The subset of a service for the client; null where the DestinationRule that it uses defines none of this name. */
export function subsetInScope(scope: Scope, service: MeshService, subset: string): Subset | null {
  return subsetsByName(scope, service.host, service.namespace).get(subset) ?? null
}

/** The client asks for the address that was called, and not for one of the endpoints. */
export function asksForAddress(scope: Scope, service: MeshService, subset: Subset | null, port: number): boolean {
  const rule = ruleInScope(scope, service)
  return rule !== null && isPassthrough(rule, subset, port)
}

const ruleOf = oncePerClient((scope, host: string, namespace: string): JoinedRule | null =>
  ruleFor(scope.snapshot, rulesFor(scope, host), scope.context, namespace)
)

/** Each by its name, the first of equal ones. */
const subsetsByName = oncePerClient((scope, host: string, namespace: string): ReadonlyMap<string, Subset> => {
  const { subsets = [] } = ruleOf(scope, host, namespace) ?? {}
  return new Map(subsets.toReversed().map((subset) => [subset.name, subset]))
})

const rulesFor = oncePerMoment(({ snapshot }, host: string) => rulesOver(snapshot, host))

const named = oncePerMoment(({ snapshot }, host: string): readonly MeshService[] => {
  const found = servicesNamed(snapshot, host)
  for (const { ports } of found) snapshot.charge(ports.length)
  return found
})

/** The ports that any service of this host has, whoever sees it; several ServiceEntries may have one host. */
export const portsNamed = oncePerMoment((scope, host: string): ReadonlySet<number> => {
  return new Set(named(scope, host).flatMap(({ ports }) => ports.map(({ number }) => number)))
})

/** The service that the proxy has clusters for under this host; null where it has none. */
export const serviceInScope = oncePerClient((scope, host: string): MeshService | null => foldServices(candidates(scope, host)))

/**
 * The same for the destination of a route: a VirtualService also imports what it sends to, whatever the Sidecar says, and of the client's
 * own namespace even what is not exported to it (3.9). `collectImportedServices`.
 */
export const destinationInScope = oncePerClient((scope, host: string): MeshService | null => {
  if (scope.context.kind === 'gateway') return serviceInScope(scope, host)
  const imported = importedService(scope, host)
  return foldServices(imported === null ? candidates(scope, host) : [...candidates(scope, host), imported])
})

/** The service as the routes of one port know it: only where it has that port, and with no other (8.2). */
export const serviceOnPort = oncePerClient((scope, host: string, port: number): MeshService | null => {
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
export const listensForHttp = oncePerClient((scope, port: number): boolean => {
  const { snapshot, context, listeners } = scope
  const listener = listenerFor(listeners, port)
  if (listener === null) return false
  for (const { host } of httpServices(snapshot, port)) {
    // Of one host the port of another namespace's service, which the client does not take, opens nothing (8.7).
    if (selected(scope, named(scope, host), listener, context.namespace).some((each) => portOf(each, port)?.protocol === 'http'))
      return true
  }
  return false
})

/**
 * The service that gets the bytes of a port's listener of all addresses: the first for the client of those that have no address of their own (12.4).
 * `mergeTCPFilterChains`, pilot/pkg/networking/core/listener.go.
 */
export const bytesOwner = oncePerClient((scope, port: number): MeshService | null => {
  const { snapshot, context } = scope
  const found: MeshService[] = []
  for (const { hosts } of snapshot.lookup('serviceEntryByBytesPort', String(port))) {
    snapshot.charge(hosts.length)
    for (const host of hosts) {
      const service = serviceOnPort(scope, host, port)
      if (service !== null && sharesListener(service) && takesBytes(portOf(service, port))) found.push(service)
    }
  }
  return visibleInOrder(found.sort(byAge), context.namespace)[0] ?? null
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
