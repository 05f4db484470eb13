/** What a connection meets at the proxy of a context: a virtual host, a filter chain, or nothing that would answer it. */
import type { Connection, Reached } from './connections.ts'
import { gatewayConnections, reachAtGateway } from './gateway-listeners.ts'
import type { Scope } from './scope.ts'
import { clientConnections, reachFromClient } from './sidecar-listeners.ts'

/** What the connection meets in the scope of a mesh client or a gateway. */
export function reach(scope: Scope, connection: Connection): Reached {
  return scope.context.kind === 'mesh' ? reachFromClient(scope, connection) : reachAtGateway(scope, connection)
}

/** The connections by which a host may be reached in a scope; a host may be a wildcard. Whether they lead anywhere, `reach` tells. */
export function candidatesTo(scope: Scope, host: string): Connection[] {
  return scope.context.kind === 'mesh' ? clientConnections(scope, host) : gatewayConnections(scope, host)
}
