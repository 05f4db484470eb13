/** Concrete requests made from the routes of two worlds, and whether one of them is answered less in the second. */

import { contextsOf } from '../../src/cli/contexts.ts'
import type { Condition } from '../../src/kinds/http-rule.ts'
import type { ObjectRef } from '../../src/kinds/index.ts'
import { hostCovers, serviceHost } from '../../src/mesh/names/hosts.ts'
import type { HttpRequest, Request } from '../../src/mesh/requests/request.ts'
import { type Answer, noListener, serve } from '../../src/mesh/requests/serve.ts'
import { gatewayAfter } from '../../src/mesh/routing/proxies.ts'
import { chains, hostsOf, routeTables } from '../../src/mesh/routing/routes.ts'
import type { Context } from '../../src/mesh/routing/table.ts'
import { hostsOfVirtualService } from '../../src/mesh/routing/virtual-services.ts'
import { podsSelected, type Snapshot } from '../../src/mesh/snapshot/snapshot.ts'

export interface Loss {
  readonly context: Context
  readonly host: string
  readonly port: number
  readonly request: Request
  readonly before: Answer
  readonly after: Answer
}

const EPSILON = 1e-9

/** Every request that is answered less after than before, but for what is torn down: hosts with their Service, or with their last VirtualService. */
export function losses(before: Snapshot, after: Snapshot, written: ObjectRef): Loss[] {
  const found: Loss[] = []
  for (const context of contextsOf(before).filter((each) => isSomebody(before, each))) {
    const later = context.kind === 'gateway' ? gatewayAfter(before, after, context) : context
    for (const { host, port, requests } of asked(before, after, context)) {
      for (const request of requests) {
        const was = serve(before, context, host, port, request)
        const is = later === null ? noListener() : serve(after, later, host, port, request)
        if (was.unserved === null || is.unserved === null || is.unserved <= was.unserved + EPSILON) continue
        const loss = { context, host, port, request, before: was, after: is }
        if (!isTornDown(after, written, loss)) found.push(loss)
      }
    }
  }
  return found
}

/** A client with labels is asked only where a Pod has them. */
function isSomebody(snapshot: Snapshot, context: Context): boolean {
  return context.kind === 'gateway' || Object.keys(context.labels).length === 0 || hasPods(snapshot, context)
}

function hasPods(snapshot: Snapshot, { namespace, labels }: Context): boolean {
  return podsSelected(snapshot, namespace, labels).length > 0
}

/** No VirtualService has the host of a loss, so that Istio's own route is all that there is; or it is lost at a gateway whose Pods nobody shows. */
export function isArguable(before: Snapshot, after: Snapshot, { host, context }: Loss): boolean {
  if (context.kind === 'gateway' && !hasPods(before, context)) return true
  return ![before, after].some((snapshot) => hasVirtualService(snapshot, host))
}

function isTornDown(after: Snapshot, { kind, namespace, name }: ObjectRef, { context, host, after: answer }: Loss): boolean {
  if (answer.status === 'no-such-host') return true
  const isDeleted = after.find(kind, namespace, name) === undefined
  return isDeleted && kind === 'VirtualService' && context.kind === 'gateway' && !hasVirtualService(after, host)
}

function hasVirtualService(snapshot: Snapshot, host: string): boolean {
  return [...snapshot.all('VirtualService')].some((vs) => hostsOfVirtualService(snapshot, vs).some((own) => hostCovers(own, host)))
}

interface Asked {
  readonly host: string
  readonly port: number
  readonly requests: readonly Request[]
}

function asked(before: Snapshot, after: Snapshot, context: Context): Asked[] {
  const both = [before, after]
  const hosts = new Set(both.flatMap((snapshot) => [...hostsOf(snapshot, context), ...servicesOf(snapshot, context)]))
  return [...hosts].flatMap((host) => {
    const tables = both.flatMap((snapshot) => routeTables(snapshot, context, host))
    const l4 = both.flatMap((snapshot) => chains(snapshot, context, host))
    const concrete = host.replace(/^\*/, 'q')
    const ports = new Set([...tables, ...l4].map(({ port }) => port))
    if (context.kind === 'mesh') for (const snapshot of both) for (const port of portsOf(snapshot, host)) ports.add(port)
    return [...ports].map((port) => {
      const conditions = tables.filter((table) => table.port === port).flatMap(({ routes }) => routes.map(({ condition }) => condition))
      const plain = examples(conditions)
      const names = new Set(l4.filter((chain) => chain.port === port).flatMap(({ serverNames }) => serverNames))
      const tls = [...names, concrete].map((name): Request => ({ kind: 'tls', sni: name.replace(/^\*/, 'q') }))
      const secure = plain.map((request) => ({ ...request, sni: concrete }))
      return { host: concrete, port, requests: [...plain, ...secure, ...tls, { kind: 'tcp' }] }
    })
  })
}

function servicesOf(snapshot: Snapshot, { kind }: Context): string[] {
  if (kind === 'gateway') return []
  const entries = [...snapshot.all('ServiceEntry')].flatMap(({ hosts }) => hosts)
  return [...[...snapshot.all('Service')].map(({ namespace, name }) => serviceHost(namespace, name, snapshot.settings.domain)), ...entries]
}

function portsOf(snapshot: Snapshot, host: string): number[] {
  const { domain } = snapshot.settings
  const own = [...snapshot.all('Service')].filter(({ namespace, name }) => serviceHost(namespace, name, domain) === host)
  const entries = [...snapshot.all('ServiceEntry')].filter(({ hosts }) => hosts.includes(host))
  return [
    ...own.flatMap(({ ports }) => ports.map(({ port }) => port)),
    ...entries.flatMap(({ ports }) => ports.map(({ number }) => number))
  ]
}

const PLAIN: HttpRequest = { kind: 'http', path: '/zz', method: 'GET', headers: new Map(), query: new Map(), sni: null }

/** One that meets each condition, one that meets each two of them, each with what conditions exclude, and some that meet none. */
function examples(conditions: readonly Condition[]): HttpRequest[] {
  const single = conditions.flatMap((condition) => [exampleOf(condition), ...excludedOf(condition)])
  const both = single.flatMap((one, at) => single.slice(at + 1).map((other) => joined(one, other)))
  const bases = [PLAIN, { ...PLAIN, path: '/' }, ...single, ...both]
  // Of another method, they pass by routes that ask for one.
  const all = bases.flatMap((request) => [request, { ...request, method: request.method === 'GET' ? 'POST' : 'GET' }])
  return [...new Map(all.map((request) => [JSON.stringify([request, [...request.headers], [...request.query]]), request])).values()]
}

function excludedOf(condition: Condition): HttpRequest[] {
  return Object.entries(condition.withoutHeaders).map(([name, match]) => {
    const { [name]: _, ...others } = condition.withoutHeaders
    return exampleOf({ ...condition, withoutHeaders: others, headers: { ...condition.headers, [name]: match } })
  })
}

function joined(one: HttpRequest, other: HttpRequest): HttpRequest {
  return {
    ...one,
    path: one.path === PLAIN.path ? other.path : one.path,
    method: one.method === PLAIN.method ? other.method : one.method,
    headers: new Map([...other.headers, ...one.headers]),
    query: new Map([...other.query, ...one.query])
  }
}

type Matches = Condition['headers']

function exampleOf({ uri, method, authority, headers, queryParams }: Condition): HttpRequest {
  const host = authority === null ? {} : { host: authority }
  return {
    ...PLAIN,
    path: uri === null ? '/zz' : textFor(uri, '/zz'),
    method: method === null ? 'GET' : textFor(method, 'GET'),
    headers: valuesOf({ ...headers, ...host }),
    query: valuesOf(queryParams)
  }
}

function valuesOf(matches: Matches): Map<string, string> {
  return new Map([...entriesOf(matches)].map(([name, match]) => [name.toLowerCase(), textFor(match, 'zz')]))
}

function entriesOf(matches: Matches): [string, Condition['uri'] & object][] {
  return Object.entries(matches)
}

/** Of an expression, what is left of it without its signs. */
function textFor(match: Condition['uri'] & object, any: string): string {
  if (match.type === 'present') return any
  return match.type === 'regex' ? match.value.replace(/\.[*+]/g, 'x').replace(/[\^$?()[\]|\\]/g, '') || any : match.value
}
