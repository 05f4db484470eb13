/** Connections that clients open, and what they may meet at a proxy. */
import { hostCovers } from '../names/hosts.ts'
import { bySpecificity } from './gateways.ts'
import type { Chain, RouteTable } from './table.ts'

/**
 * Why no route or chain is asked. `passthrough`: the client does not know the host, and the connection goes to its address past the mesh.
 * `blocked`: the same where its policy is REGISTRY_ONLY. `closed`: nothing takes such a connection, though something listens, or the Service has no
 * such port. `no-listener`: the gateway does not listen on the port. `no-such-host`: no Service has that name. `no-address`: a headless Service
 * has no Ready Pod, so its name leads nowhere. `protocol`: bytes that are no HTTP meet a listener for HTTP.
 */
export type Ending = 'passthrough' | 'blocked' | 'closed' | 'no-listener' | 'no-such-host' | 'no-address' | 'protocol'

/** What a client opens. `serverName` is null for what is no TLS. */
export interface Connection {
  readonly host: string
  readonly port: number
  readonly serverName: string | null
  /** It carries HTTP, in TLS or not, as far as the client is concerned. */
  readonly http: boolean
}

export type Reached =
  /** `redirects`: every request is sent to HTTPS before routes are asked. `table` is null where no virtual host has the host. */
  | { readonly by: 'virtual-host'; readonly table: RouteTable | null; readonly redirects: boolean }
  | { readonly by: 'chain'; readonly chain: Chain }
  | { readonly by: 'none'; readonly ending: Ending }

export function ends(ending: Ending): Reached {
  return { by: 'none', ending }
}

/** Of several ways that are told apart by server name, the one that Envoy takes: its own, else the longest wildcard over it, else the one that names none. */
export function chosenFor<T extends { readonly serverNames: readonly string[] }>(ways: readonly T[], serverName: string | null): T | null {
  if (serverName !== null) {
    const names = ways.flatMap(({ serverNames }) => serverNames).filter((name) => name !== '*' && hostCovers(name, serverName))
    const [closest] = bySpecificity(names)
    if (closest !== undefined) return ways.find(({ serverNames }) => serverNames.includes(closest)) ?? null
  }
  return ways.find(({ serverNames }) => serverNames.length === 0 || serverNames.includes('*')) ?? null
}
