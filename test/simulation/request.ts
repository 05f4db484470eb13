/** Requests of the Kubernetes API, as the simulated server and the real one take them. */
import { KINDS, type Kind, kindModule } from '../../src/kinds/index.ts'

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Plain data, so that a plan of them can be stored and sent to any server. */
export interface ApiRequest {
  readonly method: Verb
  /** With its query. */
  readonly path: string
  /** Of a PATCH: a JSON merge patch. */
  readonly body?: unknown
}

export interface Answer {
  readonly status: number
  readonly body: unknown
  readonly warnings: readonly string[]
}

export interface Place {
  readonly kind: Kind
  /** Null for all namespaces, and for kinds that have none. */
  readonly namespace: string | null
  /** Null for the collection. */
  readonly name: string | null
  readonly subresource: string
  readonly query: URLSearchParams
}

/** What a path names; null where the server serves nothing there. Only the newest version of each API is served. */
export function placeOf(path: string): Place | null {
  const [location = '', search = ''] = path.split('?')
  const parts = location.split('/').slice(1).map(decodeURIComponent)
  const root = parts[0] === 'api' ? 2 : 3
  const group = parts[0] === 'api' ? '' : parts[1]
  const rest = parts.slice(root)
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2
  const [plural, name = null, subresource = ''] = isNamespaced ? rest.slice(2) : rest
  const kind = KINDS.find((each) => kindModule(each).api.plural === plural && kindModule(each).api.group === group)
  if (kind === undefined || kindModule(kind).api.versions[0] !== parts[root - 1]) return null
  return { kind, namespace: isNamespaced ? (rest[1] ?? null) : null, name, subresource, query: new URLSearchParams(search) }
}

/** The names of the resources under the root of an API version, as discovery tells them; null for any other path. */
export function resourcesAt(path: string): string[] | null {
  const found = KINDS.filter((kind) => rootOf(kind) === path).map((kind) => kindModule(kind).api.plural)
  return found.length === 0 ? null : found
}

export function pathOf(kind: Kind, namespace: string | null, name?: string): string {
  const place = namespace === null ? '' : `/namespaces/${namespace}`
  return `${rootOf(kind)}${place}/${kindModule(kind).api.plural}${name === undefined ? '' : `/${name}`}`
}

function rootOf(kind: Kind): string {
  const { group, versions } = kindModule(kind).api
  return group === '' ? `/api/${versions[0]}` : `/apis/${group}/${versions[0]}`
}

/** `virtualservices.networking.istio.io "app"`, as messages name an object. */
export function qualified(kind: Kind, name: string): string {
  const { group, plural } = kindModule(kind).api
  return `${group === '' ? plural : `${plural}.${group}`} "${name}"`
}

/** A metav1.Status as kube-apiserver answers a failure. */
export function failure(status: number, reason: string, message: string): Answer {
  return {
    status,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: status },
    warnings: []
  }
}
