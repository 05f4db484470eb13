/** What a connection to a gateway meets: the listeners of its servers. `buildGatewayListeners`, pilot/pkg/networking/core/gateway.go. */
import { chainsOfServers } from './chains.ts'
import { type Connection, chosenFor, ends, type Reached } from './connections.ts'
import { type RouteGroup, routeGroups, type Server, serversOf, virtualHostOf } from './gateways.ts'
import { oncePerScope, type Scope } from './scope.ts'
import type { Chain } from './table.ts'

/** One way into a gateway's listener. */
interface Entrance {
  readonly serverNames: readonly string[]
  readonly endsTls: boolean
  readonly leadsTo: RouteGroup | Chain
}

export function reachAtGateway(scope: Scope, { host, port, serverName, http }: Connection): Reached {
  const entrances = entrancesOf(scope, port)
  if (entrances.length === 0) return ends('no-listener')
  const entrance = chosenFor(scope.snapshot, entrances, serverName)
  if (entrance === null) return ends('closed')
  const { leadsTo, endsTls } = entrance
  if (endsTls && serverName === null) return ends('closed')
  if (!('servers' in leadsTo)) return { by: 'chain', chain: leadsTo }
  if (!endsTls && serverName !== null) return ends('closed')
  if (!http && serverName === null) return ends('protocol')
  const found = virtualHostOf(scope, leadsTo, host)
  return { by: 'virtual-host', table: found?.table ?? null, redirects: found?.redirects === true && serverName === null }
}

const entrancesOf = oncePerScope((scope, port: number): Entrance[] => {
  const servers = serversOf(scope).filter((server) => server.port === port)
  const groups = routeGroups(servers).map((leadsTo): Entrance => {
    const [first] = leadsTo.servers
    const endsTls = first !== undefined && first.protocol === 'HTTPS'
    return { serverNames: endsTls ? serverNamesOf(first) : [], endsTls, leadsTo }
  })
  const l4 = servers.filter(({ transport }) => transport !== 'http')
  const chains = l4.flatMap((server) =>
    chainsOfServers(scope, [server]).map((leadsTo): Entrance => {
      const endsTls = server.transport === 'tcp' && server.tlsMode !== ''
      return { serverNames: endsTls ? serverNamesOf(server) : leadsTo.serverNames, endsTls, leadsTo }
    })
  )
  return [...groups, ...chains]
})

function serverNamesOf({ hosts }: Server): string[] {
  return hosts.map((host) => host.slice(host.indexOf('/') + 1))
}

/** Connections that may meet something of the host. */
export function gatewayConnections(scope: Scope, host: string): Connection[] {
  const ports = new Set(serversOf(scope).map(({ port }) => port))
  return [...ports].flatMap((port) =>
    entrancesOf(scope, port).flatMap(({ leadsTo, endsTls, serverNames }): Connection[] => {
      if ('servers' in leadsTo) return [{ host, port, serverName: endsTls ? host : null, http: true }]
      if (leadsTo.host !== host) return []
      const names = serverNames.length === 0 ? [null] : serverNames
      return names.map((serverName) => ({ host, port, serverName, http: false }))
    })
  )
}
