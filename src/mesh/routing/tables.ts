/** Route tables of routes. */
import type { RouteObject } from '../../kinds/http-rule.ts'
import type { VirtualService } from '../../kinds/virtual-service.ts'
import type { Route, RouteTable } from './table.ts'

export function toTable(
  host: string,
  port: number,
  takers: readonly VirtualService[],
  routes: readonly Route[],
  serverNames: readonly string[] = []
): RouteTable {
  // Where there is one, it is mostly the last.
  const catchAll = routes.findLast(({ matchesAll }) => matchesAll) !== undefined
  return { host, port, takers: takers.flatMap(sourcesOf), serverNames, catchAll, routes }
}

/** Asked for each table that an object has a part in. */
const sources = new WeakMap<VirtualService, readonly RouteObject[]>()

/** The object itself, or those of the Gateway API that it is made of. */
export function sourcesOf(vs: VirtualService): readonly RouteObject[] {
  const known = sources.get(vs) ?? toSources(vs)
  sources.set(vs, known)
  return known
}

function toSources({ kind, namespace, name, madeFor, http, tls, tcp }: VirtualService): RouteObject[] {
  if (madeFor === null) return [{ kind, namespace, name }]
  return [...new Map([...http, ...tls, ...tcp].map(({ source }) => [`${source.kind} ${source.namespace}/${source.name}`, source])).values()]
}
