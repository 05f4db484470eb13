/** Route tables of routes. */
import type { VirtualService } from '../../kinds/virtual-service.ts'
import type { Route, RouteTable } from './table.ts'

export function toTable(host: string, port: number, takers: readonly VirtualService[], routes: readonly Route[]): RouteTable {
  const virtualServices = takers.map(({ namespace, name }) => `${namespace}/${name}`)
  return { host, port, virtualServices, catchAll: routes.some(({ matchesAll }) => matchesAll), routes }
}
