/** Route tables of routes. */
import type { VirtualService } from '../../kinds/virtual-service.ts'
import type { Route, RouteTable } from './table.ts'

export function toTable(
  host: string,
  port: number,
  takers: readonly VirtualService[],
  routes: readonly Route[],
  serverNames: readonly string[] = []
): RouteTable {
  const virtualServices = takers.filter(({ madeFor }) => madeFor === null).map(({ namespace, name }) => `${namespace}/${name}`)
  const from = new Set(
    takers.flatMap(({ http }) => http.flatMap(({ source }) => (source === null ? [] : `${source.kind} ${source.namespace}/${source.name}`)))
  )
  return { host, port, virtualServices, from: [...from], serverNames, catchAll: routes.some(({ matchesAll }) => matchesAll), routes }
}
