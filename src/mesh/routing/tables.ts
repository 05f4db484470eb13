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
  const catchAll = routes.some(({ matchesAll }) => matchesAll)
  return { host, port, takers: takers.flatMap(sourcesOf), serverNames, catchAll, routes }
}

/** The object itself, or those of the Gateway API that it is made of. */
export function sourcesOf({ kind, namespace, name, madeFor, http, tls, tcp }: VirtualService): RouteObject[] {
  if (madeFor === null) return [{ kind, namespace, name }]
  return [...new Map([...http, ...tls, ...tcp].map(({ source }) => [`${source.kind} ${source.namespace}/${source.name}`, source])).values()]
}
