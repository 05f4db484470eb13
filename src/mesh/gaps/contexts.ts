/**
 * The contexts that can see a host differently. Clients are not enumerated: all namespaces that nothing about the host names see the same,
 * and one of them stands for them all, so cost does not grow with the number of namespaces.
 */

import type { DestinationRule } from '../../kinds/destination-rule.ts'
import type { Pod } from '../../kinds/pod.ts'
import type { Sidecar } from '../../kinds/sidecar.ts'
import { destinationsOf, type VirtualService } from '../../kinds/virtual-service.ts'
import { serviceOfHost, wildcardsOver } from '../names/hosts.ts'
import { type Labels, selects, withoutOwn } from '../names/labels.ts'
import { exportsOf } from '../names/visibility.ts'
import { serversMadeOf } from '../routing/gateway-api/compiled.ts'
import type { Context } from '../routing/table.ts'
import { podsSelected, type Snapshot } from '../snapshot/snapshot.ts'

/** How many different sets of labels of one namespace's clients, or of a Gateway's Pods, are told apart at most. */
const MOST_LABEL_SETS = 64

/** Told that there are more clients than are told apart. */
export type TellCut = () => void

/** The mesh clients that can see `host` differently, each standing for all that see it alike. */
export function meshContexts(snapshot: Snapshot, host: string, cut: TellCut = () => undefined): Context[] {
  const concerns = concernsOf(snapshot, host)
  const namespaces = [...concerns.namespaces].filter((namespace) => isNamespace(snapshot, namespace)).sort()
  const others = otherNamespaces(snapshot, concerns.namespaces)
  const selected = selectedElsewhere(snapshot, new Set([...concerns.namespaces, ...others]), concerns.selectors, cut)
  const known = [...namespaces, ...others].flatMap((namespace) =>
    labelSets(snapshot, namespace, concerns.selectors, cut).map((labels) => ({ kind: 'mesh' as const, namespace, labels }))
  )
  return [...known, ...selected]
}

/** Clients of namespaces that nothing names, as the selectors tell them apart: what their namespaces see is alike but for their labels. */
function selectedElsewhere(snapshot: Snapshot, known: ReadonlySet<string>, selectors: readonly Labels[], cut: TellCut): Context[] {
  const sets = new LabelSets()
  if (selectors.length > MOST_LABEL_SETS) cut()
  for (const selector of selectors.slice(0, MOST_LABEL_SETS)) {
    for (const pod of snapshot.podsAnywhere(selector)) {
      snapshot.charge(selectors.length)
      if (known.has(pod.namespace) || [...snapshot.lookup('sidecarByNamespace', pod.namespace)].length > 0) continue
      if (!sets.add(pod.namespace, joined(selectors, pod.labels))) {
        cut()
        return sets.contexts('mesh')
      }
    }
  }
  return sets.contexts('mesh')
}

/** What the selectors that take a Pod ask for. */
function joined(selectors: readonly Labels[], labels: Labels): Labels {
  return Object.fromEntries(selectors.filter((selector) => selects(selector, labels)).flatMap((selector) => Object.entries(selector)))
}

/** Different sets of labels, each with a namespace where it was met first. */
class LabelSets {
  readonly #known = new Map<string, { readonly namespace: string; readonly labels: Labels }>()

  /** False where the set is one too many. */
  add(namespace: string, labels: Labels): boolean {
    const key = labelsKey(labels)
    if (this.#known.has(key)) return true
    if (this.#known.size === MOST_LABEL_SETS) return false
    this.#known.set(key, { namespace, labels })
    return true
  }

  contexts(kind: Context['kind']): Context[] {
    return [...this.#known.values()].map((each) => ({ kind, ...each }))
  }
}

function labelsKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort())
}

/** The clients to which the Sidecars of a namespace apply, as they can see `host` differently; those of the root namespace apply where there is no other. */
export function clientContexts(snapshot: Snapshot, host: string, namespace: string, cut: TellCut = () => undefined): Context[] {
  if (namespace === snapshot.settings.rootNamespace) {
    return meshContexts(snapshot, host, cut).filter(
      (context) => context.namespace === namespace || [...snapshot.lookup('sidecarByNamespace', context.namespace)].length === 0
    )
  }
  const { selectors } = concernsOf(snapshot, host)
  return labelSets(snapshot, namespace, selectors, cut).map((labels) => ({ kind: 'mesh' as const, namespace, labels }))
}

/** The gateway proxies that serve a Gateway: its Pods by namespace and labels, or one in the Gateway's namespace where no Pod is known. */
export function gatewayContexts(snapshot: Snapshot, gateway: string, cut: TellCut = () => undefined): Context[] {
  const [namespace = '', name = ''] = gateway.split('/')
  const found = snapshot.find('Gateway', namespace, name)
  if (found === undefined) return []
  // What is made of a listener is for the Pods of its own namespace.
  const pods = [...snapshot.podsAnywhere(found.selector)].filter((pod) => found.madeOf === null || pod.namespace === namespace)
  const contexts = fewestFirst(Map.groupBy(pods, (pod) => pod.namespace))
  if (contexts.length > MOST_LABEL_SETS) cut()
  return contexts.length === 0 ? [{ kind: 'gateway', namespace, labels: found.selector }] : contexts.slice(0, MOST_LABEL_SETS)
}

/** The proxies that serve a Gateway of the Gateway API. */
export function listenerContexts(snapshot: Snapshot, gateway: string): Context[] {
  const servers = serversMadeOf(snapshot, gateway)
  const contexts = servers.flatMap(({ namespace, name }) => gatewayContexts(snapshot, `${namespace}/${name}`))
  return distinct(contexts)
}

/** Each once. */
export function distinct(contexts: readonly Context[]): Context[] {
  return [...new Map(contexts.map((context) => [`${context.namespace} ${labelsKey(context.labels)}`, context])).values()]
}

/** The proxies of all Gateways of both APIs, each once. */
export function gatewayProxies(snapshot: Snapshot): Context[] {
  const contexts = [
    ...[...snapshot.all('Gateway')].flatMap(({ namespace, name }) => gatewayContexts(snapshot, `${namespace}/${name}`)),
    ...[...snapshot.all('KubernetesGateway')].flatMap(({ namespace, name }) => listenerContexts(snapshot, `${namespace}/${name}`))
  ]
  return distinct(contexts)
}

/** Anybody's Pods may have a gateway's labels: where there are too many to tell apart, the namespaces with the fewest different ones come first. */
function fewestFirst(pods: ReadonlyMap<string, readonly Pod[]>): Context[] {
  const byNamespace = [...pods].map(([namespace, each]) => {
    const sets = new Map(each.map(({ labels }) => withoutOwn(labels)).map((labels) => [labelsKey(labels), labels]))
    return [...sets.values()].map((labels): Context => ({ kind: 'gateway', namespace, labels }))
  })
  return byNamespace.sort((one, other) => one.length - other.length).flat()
}

/** VirtualServices that can take a host on the mesh: those that name it, or a wildcard over it, and those they delegate to. */
export function virtualServicesOver(snapshot: Snapshot, host: string): VirtualService[] {
  const found = [host, ...wildcardsOver(host)].flatMap((name) => [...snapshot.lookup('virtualServiceByHost', name)])
  const delegates = found.flatMap((root) =>
    root.http.flatMap(({ delegate }) => {
      if (delegate === null) return []
      const object = snapshot.find('VirtualService', delegate.namespace, delegate.name)
      return object === undefined ? [] : [object]
    })
  )
  return [...new Set([...found, ...delegates])]
}

export function destinationRulesOver(snapshot: Snapshot, host: string): DestinationRule[] {
  return [host, ...wildcardsOver(host)].flatMap((name) => [...snapshot.lookup('destinationRuleByHost', name)])
}

interface Concerns {
  /** Namespaces that see the host through something of their own, or are named by something about it. */
  readonly namespaces: Set<string>
  /** Selectors of clients that something about the host asks for. */
  readonly selectors: Labels[]
}

function concernsOf(snapshot: Snapshot, host: string): Concerns {
  const concerns: Concerns = { namespaces: new Set(), selectors: [] }
  const hosts = new Set([host])
  for (const vs of virtualServicesOver(snapshot, host)) {
    if (!vs.gateways.includes('mesh') && vs.hosts.length > 0) continue
    note(concerns, vs.namespace, exportsOf(vs, snapshot.settings.defaultVirtualServiceExportTo))
    snapshot.charge(partsOf(vs), vs)
    for (const match of [...vs.http, ...vs.tls, ...vs.tcp].flatMap((rule) => [...rule.match])) {
      if (match.sourceNamespace !== '') concerns.namespaces.add(match.sourceNamespace)
      if (Object.keys(match.sourceLabels).length > 0) concerns.selectors.push(match.sourceLabels)
    }
    for (const destination of destinationsOf(vs)) hosts.add(destination)
  }
  for (const each of hosts) noteHost(snapshot, each, concerns)
  return concerns
}

/** How many matches and destinations it has. */
function partsOf({ http, tls, tcp }: VirtualService): number {
  const ofHttp = http.reduce((sum, { match, route, mirrors }) => sum + 1 + match.length + route.length + mirrors.length, 0)
  return [...tls, ...tcp].reduce((sum, { match, route }) => sum + 1 + match.length + route.length, ofHttp)
}

function noteHost(snapshot: Snapshot, host: string, concerns: Concerns): void {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
  const { defaultServiceExportTo: byDefault } = snapshot.settings
  if (named !== null) note(concerns, named.namespace, service === undefined ? [] : exportsOf(service, byDefault))
  for (const entry of snapshot.lookup('serviceEntryByHost', host)) note(concerns, entry.namespace, exportsOf(entry, byDefault))
  for (const rule of destinationRulesOver(snapshot, host)) {
    snapshot.charge(rule.exportTo.length)
    note(concerns, rule.namespace, rule.exportTo)
    if (rule.workloadSelector !== null) concerns.selectors.push(rule.workloadSelector)
  }
}

function note({ namespaces }: Concerns, own: string, exportTo: readonly string[]): void {
  namespaces.add(own)
  for (const name of exportTo) if (name !== '*' && name !== '.' && name !== '~') namespaces.add(name)
}

/** A client can only live in a namespace that exists, where namespaces are known. */
function isNamespace(snapshot: Snapshot, namespace: string): boolean {
  const { clientNamespaces } = snapshot.settings
  if (clientNamespaces !== undefined) return clientNamespaces.has(namespace)
  return !snapshot.knows('Namespace') || snapshot.find('Namespace', '', namespace) !== undefined
}

/** One namespace for all that nothing names, and one for each kind of Sidecar among them. */
function otherNamespaces(snapshot: Snapshot, named: ReadonlySet<string>): string[] {
  const bySidecar = new Map<string, string>()
  for (const sidecar of snapshot.all('Sidecar')) {
    const key = importsKey(sidecar)
    if (!named.has(sidecar.namespace) && !bySidecar.has(key)) bySidecar.set(key, sidecar.namespace)
  }
  for (const { name } of snapshot.all('Namespace')) {
    if (named.has(name) || !isNamespace(snapshot, name) || [...snapshot.lookup('sidecarByNamespace', name)].length > 0) continue
    return [name, ...new Set(bySidecar.values())]
  }
  return [...new Set(bySidecar.values())]
}

/** Read once for each Sidecar: every host asks for the key of every one. */
const importsKeys = new WeakMap<Sidecar, string>()

function importsKey(sidecar: Sidecar): string {
  const known = importsKeys.get(sidecar) ?? toImportsKey(sidecar)
  importsKeys.set(sidecar, known)
  return known
}

/** What a Sidecar imports from namespaces other than its own; its own holds nothing about the host, or it would be named. */
function toImportsKey(sidecar: Sidecar): string {
  const hosts = sidecar.egress.flatMap((egress) => egress.hosts.map((host) => `${egress.port ?? ''}${egress.isBound ? '!' : ''} ${host}`))
  return JSON.stringify([sidecar.workloadSelector, hosts.filter((host) => !host.includes(' ./')).sort()])
}

/** The clients of a namespace as the selectors tell them apart; always also one that none of them takes. */
function labelSets(snapshot: Snapshot, namespace: string, fromHost: readonly Labels[], cut: TellCut): Labels[] {
  const own = [...snapshot.lookup('sidecarByNamespace', namespace)].flatMap(({ workloadSelector }) =>
    workloadSelector === null ? [] : [workloadSelector]
  )
  const selectors = [...fromHost, ...own]
  const sets = new LabelSets()
  sets.add(namespace, {})
  for (const selector of selectors) {
    for (const pod of podsSelected(snapshot, namespace, selector)) {
      snapshot.charge(selectors.length)
      if (sets.add(namespace, joined(selectors, pod.labels))) continue
      cut()
      return sets.contexts('mesh').map(({ labels }) => labels)
    }
  }
  return sets.contexts('mesh').map(({ labels }) => labels)
}
