/** What a connection meets at the proxy of a context: a virtual host, a filter chain, or nothing that would answer it. */
import type { Connection, Reached } from './connections.ts'
import { gatewayConnections, reachAtGateway } from './gateway-listeners.ts'
import type { Scope } from './scope.ts'
import { clientConnections, reachFromClient } from './sidecar-listeners.ts'

/** What the connection meets in the scope of a mesh client or a gateway. */
export function reach(scope: Scope, connection: Connection): Reached {
  return scope.context.kind === 'mesh' ? reachFromClient(scope, connection) : reachAtGateway(scope, connection)
}

/**
 * The connections by which a host can be reached in a scope, each of which meets a virtual host or a chain there: what a change may take away.
 * A host may be a wildcard.
 */
export function connectionsTo(scope: Scope, host: string): Connection[] {
  const candidates = scope.context.kind === 'mesh' ? clientConnections(scope, host) : gatewayConnections(scope, host)
  return candidates.filter((connection) => {
    const reached = reach(scope, connection)
    return reached.by === 'chain' || (reached.by === 'virtual-host' && reached.table !== null)
  })
}
