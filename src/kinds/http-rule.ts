/**
 * The rules of a route object, whichever API it was written in: what is matched, and where it is sent. Every host and Gateway in them is
 * completed when the object is parsed, so that nobody who reads them asks in which namespace they were written.
 */
import type { Labels } from '../mesh/names/labels.ts'
import type { Path } from '../mesh/names/path.ts'

export type StringMatch =
  | { readonly type: 'exact' | 'prefix' | 'regex'; readonly value: string }
  /** A path that is the value or goes on after it with a slash: the Gateway API's PathPrefix. */
  | { readonly type: 'elements'; readonly value: string }
  /** `{}` as a header or query value. */
  | { readonly type: 'present' }

export interface HttpMatch {
  readonly path: Path
  readonly uri: StringMatch | null
  readonly ignoreUriCase: boolean
  readonly scheme: StringMatch | null
  readonly method: StringMatch | null
  readonly authority: StringMatch | null
  readonly headers: Readonly<Record<string, StringMatch>>
  readonly withoutHeaders: Readonly<Record<string, StringMatch>>
  readonly queryParams: Readonly<Record<string, StringMatch>>
  /** These four are decided when Istio generates routes, not by the request (4.3). */
  readonly port: number | null
  /** `mesh`, or `namespace/name` of Gateways. */
  readonly gateways: readonly string[]
  readonly sourceLabels: Labels
  readonly sourceNamespace: string
}

/** The request conditions of one match entry; those that Istio decides when it generates routes (4.3) are gone. */
export type Condition = Pick<
  HttpMatch,
  'uri' | 'ignoreUriCase' | 'scheme' | 'method' | 'authority' | 'headers' | 'withoutHeaders' | 'queryParams'
>

export const EVERY_REQUEST: Condition = {
  uri: null,
  ignoreUriCase: false,
  scheme: null,
  method: null,
  authority: null,
  headers: {},
  withoutHeaders: {},
  queryParams: {}
}

/** A match that asks for nothing, from whomever it comes. */
export function emptyMatch(path: Path): HttpMatch {
  return { ...EVERY_REQUEST, path, port: null, gateways: [], sourceLabels: {}, sourceNamespace: '' }
}

export interface Destination {
  readonly path: Path
  readonly host: string
  readonly subset: string | null
  readonly port: number | null
  /** 0 where absent. */
  readonly weight: number
}

/** The destinations that get requests: a lone one whatever its weight, of several those with weight (9.1, 9.2). */
export function carriedOf(destinations: readonly Destination[]): readonly Destination[] {
  return destinations.length === 1 ? destinations : destinations.filter(({ weight }) => weight > 0)
}

export interface Mirror extends Destination {
  readonly percentage: number
}

/** The object that a rule is written in. */
export interface RouteObject {
  readonly kind: 'VirtualService' | 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute'
  readonly namespace: string
  readonly name: string
}

export interface HttpRoute {
  readonly path: Path
  readonly source: RouteObject
  readonly name: string
  readonly match: readonly HttpMatch[]
  readonly route: readonly Destination[]
  readonly redirect: { readonly code: number } | null
  readonly directResponse: { readonly status: number } | null
  /** Of its requests, how many per cent get an error instead; null: it has no such fault. */
  readonly abort: number | null
  readonly delegate: { readonly namespace: string; readonly name: string } | null
  readonly mirrors: readonly Mirror[]
}

/** A match of a tcp or tls rule. */
export interface L4Match {
  readonly path: Path
  readonly port: number | null
  readonly sniHosts: readonly string[]
  readonly destinationSubnets: readonly string[]
  readonly gateways: readonly string[]
  readonly sourceLabels: Labels
  readonly sourceNamespace: string
}

export interface L4Route {
  readonly path: Path
  readonly source: RouteObject
  readonly match: readonly L4Match[]
  readonly route: readonly Destination[]
}
