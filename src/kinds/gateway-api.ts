/** What the kinds of the Gateway API have in common: parents, backends, filters, and the rules that routes of either HTTP kind are made of. */
import { AS_WRITTEN, type Domain, serviceHost } from '../mesh/names/hosts.ts'
import type { Fields } from './fields.ts'
import type { HttpMatch } from './http-rule.ts'
import type { Identity } from './identity.ts'
import type { Api } from './kind.ts'

export const GATEWAY_API = 'gateway.networking.k8s.io'

/** What a route attaches to. */
export interface ParentRef {
  readonly group: string
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly sectionName: string
  readonly port: number | null
}

export interface Backend {
  readonly path: Fields['path']
  readonly group: string
  readonly kind: string
  /** '' where it names none. */
  readonly namespace: string
  readonly name: string
  /** Completed; '' where it is none that Istio sends to. */
  readonly host: string
  readonly port: number | null
  readonly weight: number
  readonly filters: readonly RouteFilter[]
}

export interface RouteFilter {
  readonly type: string
  readonly mirror: Mirrored | null
  readonly redirect: Redirect | null
  /** Values that it gives headers. */
  readonly headerValues: readonly string[]
}

export interface Mirrored {
  readonly backend: Backend
  readonly percentage: number
}

export interface Redirect {
  readonly code: number
  readonly replacesPrefix: boolean
}

export interface RouteRule {
  readonly path: Fields['path']
  /** Alternatives; none: every request. */
  readonly matches: readonly HttpMatch[]
  readonly backends: readonly Backend[]
  readonly filters: readonly RouteFilter[]
}

/** The backends that get requests: with weight 0 not even a lone one does. */
export function carriedBackends({ backends }: Pick<RouteRule, 'backends'>): readonly Backend[] {
  return backends.filter(({ host, weight }) => host !== '' && weight > 0)
}

export interface L4Rule {
  readonly path: Fields['path']
  readonly backends: readonly Backend[]
}

export interface Attached extends Identity {
  readonly parents: readonly ParentRef[]
  readonly hostnames: readonly string[]
}

export interface HttpLikeRoute extends Attached {
  readonly rules: readonly RouteRule[]
}

export interface L4LikeRoute extends Attached {
  readonly rules: readonly L4Rule[]
}

/** The version that serves a kind comes first, then those of clusters that are not up to date. */
export function gatewayApi(plural: string, versions: readonly string[], kind?: string): Api {
  return { group: GATEWAY_API, versions, plural, namespaced: true, ...(kind === undefined ? {} : { kind }) }
}

export function parseAttached(spec: Fields, identity: Identity, domain: Domain): Attached {
  return {
    ...identity,
    parents: spec.each('parentRefs', (parent) => ({
      group: parent.string('group', GATEWAY_API),
      kind: parent.string('kind', 'Gateway'),
      namespace: parent.string('namespace') || (domain === AS_WRITTEN ? '' : identity.namespace),
      name: parent.string('name'),
      sectionName: parent.string('sectionName'),
      port: parent.number('port', 0) || null
    })),
    hostnames: spec.strings('hostnames')
  }
}

/** A route of whole connections, of either kind. */
export function parseL4Route(spec: Fields, identity: Identity, domain: Domain): L4LikeRoute {
  return {
    ...parseAttached(spec, identity, domain),
    rules: spec
      .children('rules')
      .map((rule) => ({ path: rule.path, backends: parseBackends(rule, { namespace: identity.namespace, domain }) }))
  }
}

/** Where names are written that stand for a host. */
export interface Within {
  readonly namespace: string
  readonly domain: Domain
}

export function parseBackends(rule: Fields, within: Within): readonly Backend[] {
  return rule.each('backendRefs', (backend) => parseBackend(backend, within))
}

function parseBackend(backend: Fields, within: Within): Backend {
  const named = {
    group: backend.string('group'),
    kind: backend.string('kind', 'Service'),
    namespace: backend.string('namespace'),
    name: backend.string('name')
  }
  return {
    path: backend.path,
    ...named,
    host: hostOf(named, within),
    port: backend.number('port', 0) || null,
    weight: backend.number('weight', 1),
    filters: parseFilters(backend, within)
  }
}

function hostOf({ group, kind, namespace, name }: Pick<Backend, 'group' | 'kind' | 'namespace' | 'name'>, within: Within): string {
  if (group === 'networking.istio.io' && kind === 'Hostname') return name
  const isService = (group === '' && kind === 'Service') || (group === 'multicluster.x-k8s.io' && kind === 'ServiceImport')
  return isService ? serviceHost(namespace || within.namespace, name, within.domain) : ''
}

/**
 * What a route refers to, as the keys under which it is found: its parents, each alone and with each of its hostnames, its namespace, those of others in
 * which it has backends, and the hosts that it mirrors to.
 */
export function referencesOf(route: Attached & { readonly rules: readonly (L4Rule & Partial<Pick<RouteRule, 'filters'>>)[] }): string[] {
  const { namespace, parents, rules } = route
  const mirrors = rules.flatMap(({ filters = [] }) => filters.flatMap(({ mirror }) => (mirror === null ? [] : [mirror.backend])))
  const foreign = [...mirrors, ...rules.flatMap(({ backends }) => backends)].filter(
    (backend) => backend.namespace !== '' && backend.namespace !== namespace
  )
  const keys = [
    `within ${namespace}`,
    ...parents.flatMap((parent) => [parentKey(parent), ...hostnamesOf(route).map((host) => `${parentKey(parent)} ${host}`)]),
    ...foreign.map((backend) => `into ${backend.namespace}`),
    ...mirrors.map(({ host }) => `mirrors ${host}`)
  ]
  return [...new Set(keys)]
}

export function parentKey({ kind, namespace, name }: Pick<ParentRef, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace}/${name}`
}

/** A route without hostnames is for every one. */
export function hostnamesOf({ hostnames }: Pick<Attached, 'hostnames'>): readonly string[] {
  return hostnames.length === 0 ? EVERY_HOST : hostnames
}

const EVERY_HOST = ['*']

export function parseFilters(rule: Fields, within: Within): readonly RouteFilter[] {
  return rule.each('filters', (filter) => ({
    type: filter.string('type'),
    mirror: parseMirror(filter.child('requestMirror'), within),
    redirect: parseRedirect(filter.child('requestRedirect')),
    headerValues: [filter.child('requestHeaderModifier'), filter.child('responseHeaderModifier')].flatMap(headerValues)
  }))
}

function parseMirror(mirror: Fields | null, within: Within): Mirrored | null {
  const backend = mirror?.child('backendRef') ?? null
  if (mirror === null || backend === null) return null
  const fraction = mirror.child('fraction')
  const percentage =
    fraction === null
      ? mirror.number('percent', 100)
      : (100 * fraction.number('numerator', 0)) / (fraction.number('denominator', 100) || 100)
  return { backend: parseBackend(backend, within), percentage }
}

function parseRedirect(redirect: Fields | null): Redirect | null {
  if (redirect === null) return null
  return { code: redirect.number('statusCode', 302), replacesPrefix: redirect.child('path')?.string('type') === 'ReplacePrefixMatch' }
}

function headerValues(modifier: Fields | null): string[] {
  if (modifier === null) return []
  return ['set', 'add'].flatMap((key) => modifier.children(key).map((header) => header.string('value')))
}

/** What the schema refuses of any route, whatever its rules match. */
export function* routeRefusals(route: Attached & { readonly rules: readonly L4Rule[] }): Iterable<string> {
  yield* attachmentRefusals(route)
  for (const rule of route.rules) yield* backendRefusals(rule)
}

function* attachmentRefusals({ parents, hostnames }: Attached): Iterable<string> {
  for (const [at, hostname] of hostnames.entries()) {
    if (!HOSTNAME.test(hostname)) yield `spec.hostnames[${at}]: Invalid value: ${JSON.stringify(hostname)}`
  }
  const parentsByName = Map.groupBy(parents, ({ group, kind, namespace, name }) => `${group}/${kind}/${namespace}/${name}`)
  for (const same of parentsByName.values()) {
    const sections = new Set(same.map(({ sectionName }) => sectionName))
    if (same.length > 1 && (sections.has('') || sections.size < same.length)) {
      yield 'spec.parentRefs: sectionName must be specified and unique when parentRefs includes 2 or more references to the same parent'
    }
  }
}

const HOSTNAME = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function* backendRefusals({ backends }: L4Rule): Iterable<string> {
  for (const { group, kind, port } of backends) {
    if (group === '' && kind === 'Service' && port === null) yield 'spec.rules.backendRefs: Must have port for Service reference'
  }
}
