/**
 * The contexts that can see a host differently. Clients are not enumerated: all namespaces that nothing about the host names see the same,
 * and one of them stands for them all, so cost does not grow with the number of namespaces.
 */

import type { DestinationRule } from '../../kinds/destination-rule.ts'
import type { Pod } from '../../kinds/pod.ts'
import type { Service } from '../../kinds/service.ts'
import type { Sidecar } from '../../kinds/sidecar.ts'
import { destinationsOf, type VirtualService } from '../../kinds/virtual-service.ts'
import { hostCovers, hostsOverlap, serviceOfHost, wildcardsOver } from '../names/hosts.ts'
import { type Labels, selects, withoutOwn } from '../names/labels.ts'
import { compareText } from '../names/text.ts'
import { exportsOf, isPublic } from '../names/visibility.ts'
import { serversMadeOf } from '../routing/gateway-api/compiled.ts'
import { type Context, contextKey } from '../routing/table.ts'
import { podsSelected, type Snapshot } from '../snapshot/snapshot.ts'

/** How many different sets of labels of one namespace's clients, or of a Gateway's Pods, are told apart at most. */
const MOST_LABEL_SETS = 64

/** Told that there are more clients than are told apart. */
export type TellCut = () => void

/** The mesh clients that can see `host` differently in any of the snapshots, each standing for all that see it alike in all of them. */
export function meshContexts(snapshots: readonly Snapshot[], host: string, cut: TellCut = () => undefined): Context[] {
  const all = snapshots.map((snapshot) => concernsOf(snapshot, host))
  const contexts = all.flatMap((concerns) => contextsIn(concerns, all, cut))
  return all.length === 1 ? contexts : [...new Map(contexts.map((context) => [contextKey(context), context])).values()]
}

function contextsIn(concerns: Concerns, all: readonly Concerns[], cut: TellCut): Context[] {
  const { snapshot, selectors } = concerns
  const named = namespacesOf(concerns)
  const namespaces = [...named].filter((namespace) => isNamespace(snapshot, namespace)).sort()
  const others = otherNamespaces(concerns, named)
  const selected = selectedElsewhere(snapshot, new Set([...named, ...others]), selectors, cut)
  const known = toldApart(all, [...namespaces, ...others]).flatMap((namespace) =>
    labelSets(snapshot, namespace, selectors, cut).map((labels) => ({ kind: 'mesh' as const, namespace, labels }))
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
    return meshContexts([snapshot], host, cut).filter(
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

/** What concerns a host in a snapshot. */
interface Concerns {
  readonly snapshot: Snapshot
  /** It is a Service's name. Others share listeners with whatever else their clients see. */
  readonly service: Service | null
  readonly takers: VirtualService[]
  /** It, and where what takes it sends. */
  readonly hosts: Set<string>
  readonly exports: Export[]
  /** Namespaces by which matches tell clients apart. */
  readonly sources: Set<string>
  /** Selectors of clients that something about the host asks for. */
  readonly selectors: Labels[]
  /** What was noted, seen alike or not: one DestinationRule may be over thousands of the hosts that a route sends to. */
  readonly noted: Map<object, Set<boolean>>
}

/** Something about a host, and who sees it. */
interface Export {
  readonly namespace: string
  /** Its own word or else the mesh's; empty: everybody. */
  readonly exportTo: readonly string[]
  /** To clients of its own namespace it is what it is to all others that see it. */
  readonly isSeenAlike: boolean
}

function concernsOf(snapshot: Snapshot, host: string): Concerns {
  const service = serviceNamed(snapshot, host) ?? null
  const hosts = new Set([host])
  const concerns: Concerns = { snapshot, service, takers: [], hosts, exports: [], sources: new Set(), selectors: [], noted: new Map() }
  for (const vs of virtualServicesOver(snapshot, host)) {
    if (!vs.gateways.includes('mesh') && vs.hosts.length > 0) continue
    const exportTo = exportsOf(vs, snapshot.settings.defaultVirtualServiceExportTo)
    concerns.exports.push({ namespace: vs.namespace, exportTo, isSeenAlike: vs.madeFor === null })
    const { namespaces, labels } = sourcesOf(snapshot, vs)
    for (const namespace of namespaces) concerns.sources.add(namespace)
    for (const each of labels) concerns.selectors.push(each)
    const sentTo = destinationsOf(vs)
    snapshot.charge(1 + (namespaces.size + labels.length + sentTo.length) / NAMES_A_STEP, vs)
    concerns.takers.push(vs)
    for (const each of sentTo) hosts.add(each)
  }
  for (const each of hosts) noteHost(each, concerns)
  return concerns
}

/** Names noted in one step of work. */
const NAMES_A_STEP = 8

interface Sources {
  readonly namespaces: ReadonlySet<string>
  readonly labels: readonly Labels[]
}

/** Read once for each object: each of its hosts asks. */
const sources = new WeakMap<VirtualService, Sources>()

/** The clients that its matches name. */
function sourcesOf(snapshot: Snapshot, vs: VirtualService): Sources {
  const known = sources.get(vs)
  if (known !== undefined) return known
  snapshot.charge(partsOf(vs), vs)
  const namespaces = new Set<string>()
  const labels: Labels[] = []
  for (const { match } of [...vs.http, ...vs.tls, ...vs.tcp]) {
    for (const { sourceNamespace, sourceLabels } of match) {
      if (sourceNamespace !== '') namespaces.add(sourceNamespace)
      if (Object.keys(sourceLabels).length > 0) labels.push(sourceLabels)
    }
  }
  sources.set(vs, { namespaces, labels })
  return { namespaces, labels }
}

/** Namespaces that see the host through something of their own, or are named by something about it. */
function namespacesOf({ exports, sources }: Concerns): Set<string> {
  const namespaces = new Set(sources)
  for (const { namespace, exportTo } of exports) {
    namespaces.add(namespace)
    for (const name of exportTo) if (name !== '*' && name !== '.' && name !== '~') namespaces.add(name)
  }
  return namespaces
}

/** Of namespaces whose clients see all that concerns a host alike, the first: one exportTo may name many. */
function toldApart(all: readonly Concerns[], namespaces: readonly string[]): readonly string[] {
  if (namespaces.length < 2 || all.some(({ service, selectors }) => service === null || selectors.length > 0)) return namespaces
  const keys = all.map(keyIn)
  const alike = Map.groupBy(namespaces, (namespace) => keys.map((keyOf) => keyOf(namespace)).join('|'))
  return [...alike.values()].flatMap(([first]) => first ?? [])
}

/** Gives one text for namespaces that see alike: by which exports name them, where nothing is their own. */
function keyIn({ snapshot, exports, sources }: Concerns): (namespace: string) => string {
  // Of a Sidecar for all, `./` is each one's own.
  const isAlikeAtHome = !snapshot.has('sidecarByNamespace', snapshot.settings.rootNamespace)
  const apart = new Set(sources)
  const namedBy = new Map<string, string>()
  for (const [at, { namespace, exportTo, isSeenAlike }] of exports.entries()) {
    if (!(isAlikeAtHome && isSeenAlike && isPublic(exportTo))) apart.add(namespace)
    if (isPublic(exportTo)) continue
    snapshot.charge(exportTo.length)
    for (const name of new Set(exportTo)) namedBy.set(name, `${namedBy.get(name) ?? ''} ${at}`)
  }
  return (namespace) => {
    if (apart.has(namespace) || snapshot.has('sidecarByNamespace', namespace)) return namespace
    return namedBy.get(namespace) ?? ''
  }
}

/** How many matches and destinations it has. */
function partsOf({ http, tls, tcp }: VirtualService): number {
  const ofHttp = http.reduce((sum, { match, route, mirrors }) => sum + 1 + match.length + route.length + mirrors.length, 0)
  return [...tls, ...tcp].reduce((sum, { match, route }) => sum + 1 + match.length + route.length, ofHttp)
}

/** Of what several namespaces say about one host, each takes its own first; what one says alone is the same to all who see it. */
function noteHost(host: string, { snapshot, exports, selectors, noted }: Concerns): void {
  const named = serviceOfHost(host, snapshot.settings.domain)
  const service = serviceNamed(snapshot, host)
  const { rootNamespace, defaultServiceExportTo: byDefault, defaultDestinationRuleExportTo } = snapshot.settings
  // Of the mesh's defaults only `.` counts (10.5).
  const ofRules = defaultDestinationRuleExportTo?.includes('.') ? ['.'] : undefined
  const found: (Omit<Export, 'isSeenAlike'> & { readonly by: object })[] = []
  if (named !== null) {
    const exportTo = service === undefined ? [] : exportsOf(service, byDefault)
    found.push({ namespace: named.namespace, exportTo, by: service ?? {} })
  }
  for (const entry of snapshot.lookup('serviceEntryByHost', host)) {
    found.push({ namespace: entry.namespace, exportTo: exportsOf(entry, byDefault), by: entry })
  }
  const homes = new Set([rootNamespace, ...found.map(({ namespace }) => namespace)])
  for (const rule of destinationRulesOver(snapshot, host)) {
    // Those of any other namespace than the host's and the root are for their own clients, whatever they say (10.1).
    const exportTo = homes.has(rule.namespace) ? exportsOf(rule, ofRules) : ['.']
    found.push({ namespace: rule.namespace, exportTo, by: rule })
    if (rule.workloadSelector !== null && !noted.has(rule)) selectors.push(rule.workloadSelector)
  }
  const isSeenAlike = found.every(({ namespace }) => namespace === found[0]?.namespace)
  for (const { by, ...each } of found) {
    const ways = noted.get(by) ?? new Set<boolean>()
    noted.set(by, ways)
    if (ways.has(isSeenAlike)) continue
    ways.add(isSeenAlike)
    snapshot.charge(each.exportTo.length)
    exports.push({ ...each, isSeenAlike })
  }
}

function serviceNamed(snapshot: Snapshot, host: string): Service | undefined {
  const named = serviceOfHost(host, snapshot.settings.domain)
  return named === null ? undefined : snapshot.find('Service', named.namespace, named.name)
}

/** A client can only live in a namespace that exists, where namespaces are known. */
function isNamespace(snapshot: Snapshot, namespace: string): boolean {
  const { clientNamespaces } = snapshot.settings
  if (clientNamespaces !== undefined) return clientNamespaces.has(namespace)
  return !snapshot.knows('Namespace') || snapshot.find('Namespace', '', namespace) !== undefined
}

/** One namespace for all that nothing names, and one for each kind of Sidecar among them. */
function otherNamespaces(concerns: Concerns, named: ReadonlySet<string>): string[] {
  const { snapshot } = concerns
  const bySidecar = new Map<string, string>()
  const told = hostsTold(concerns)
  for (const sidecar of snapshot.all('Sidecar')) {
    const key = importsKey(sidecar, concerns, told)
    if (!named.has(sidecar.namespace) && !bySidecar.has(key)) bySidecar.set(key, sidecar.namespace)
  }
  for (const { name } of snapshot.all('Namespace')) {
    if (named.has(name) || !isNamespace(snapshot, name) || [...snapshot.lookup('sidecarByNamespace', name)].length > 0) continue
    return [name, ...new Set(bySidecar.values())]
  }
  return [...new Set(bySidecar.values())]
}

/** Where there are more hosts, no Sidecar is asked which of them it imports. */
const MOST_TOLD = 16

/** The hosts that are all that a Sidecar's clients need to see alike; null where nobody can tell, as of aliases, or of Pods that are told apart. */
function hostsTold({ snapshot, service, takers, hosts, selectors }: Concerns): readonly string[] | null {
  const count = takers.reduce((sum, vs) => sum + vs.hosts.length, hosts.size)
  if (service === null || selectors.length > 0 || count > MOST_TOLD) return null
  const told = new Set([...hosts, ...takers.flatMap((vs) => vs.hosts)])
  const isAlias = (host: string) => (serviceNamed(snapshot, host)?.externalName ?? null) !== null
  return [...told].some(isAlias) ? null : [...told]
}

/** One text for Sidecars whose clients see a host alike: what one imports of it and all that concerns it, where it has the Service and one listener; else of whatever there is. */
function importsKey(sidecar: Sidecar, { service, snapshot }: Concerns, told: readonly string[] | null): string {
  const { rest, imports, hasOneListener } = importsOf(sidecar)
  if (told === null || service === null || !hasOneListener) return `${rest} ${imports.map(({ text }) => text).join(' ')}`
  snapshot.charge((imports.length * told.length) / NAMES_A_STEP)
  const own = imports.filter((each) => told.some((host) => hostsOverlap(each.host, host)))
  const isImported = own.some(
    ({ namespace, host }) => (namespace === '*' || namespace === service.namespace) && hostCovers(host, service.host)
  )
  const isLeftOut = own.some(({ namespace }) => namespace.startsWith('~'))
  return `${rest} ${(isImported && !isLeftOut ? own : imports).map(({ text }) => text).join(' ')}`
}

interface Imports {
  /** All but what it imports. */
  readonly rest: string
  readonly imports: readonly { readonly text: string; readonly namespace: string; readonly host: string }[]
  /** For all ports and the addresses of services. */
  readonly hasOneListener: boolean
}

/** Read once for each Sidecar: every host asks for the key of every one. */
const importsOfSidecars = new WeakMap<Sidecar, Imports>()

function importsOf(sidecar: Sidecar): Imports {
  const known = importsOfSidecars.get(sidecar) ?? toImports(sidecar)
  importsOfSidecars.set(sidecar, known)
  return known
}

/** What a Sidecar imports from namespaces other than its own; its own holds nothing about the host, or it would be named. */
function toImports({ workloadSelector, outboundMode, egress }: Sidecar): Imports {
  const imports = egress.flatMap(({ port, isBound, hosts }) =>
    hosts.flatMap((written) => {
      const [namespace = '', host, ...others] = written.split('/')
      if (host === undefined || others.length > 0) return []
      return { text: `${port ?? ''}${isBound ? '!' : ''} ${written}`, namespace, host }
    })
  )
  return {
    rest: JSON.stringify([workloadSelector, outboundMode, egress.length]),
    imports: imports.filter(({ namespace }) => namespace !== '.').sort((one, other) => compareText(one.text, other.text)),
    hasOneListener: egress.length === 1 && egress.every(({ port, isBound }) => port === null && !isBound)
  }
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
