/** Connections that clients open, and what they may meet at a proxy. */
import { hostCovers, hostKey, wildcardsOver } from '../names/hosts.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
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

interface Way {
  readonly serverNames: readonly string[]
}

/** Ways by the `hostKey` of each of their server names, and by the name; where two have one name, the first. */
interface Ways<T> {
  readonly named: ReadonlyMap<string, ReadonlyMap<string, T>>
  /** The first that asks for no name. */
  readonly rest: T | null
}

/** Each of a thousand connections asks the same thousand chains. */
const sorted = new WeakMap<readonly Way[], Ways<Way>>()

function waysOf<T extends Way>(ways: readonly T[]): Ways<T> {
  const known = sorted.get(ways) as Ways<T> | undefined
  if (known !== undefined) return known
  const named = new Map<string, Map<string, T>>()
  for (const way of ways) {
    for (const name of way.serverNames) {
      const alike = named.get(hostKey(name)) ?? new Map<string, T>()
      named.set(hostKey(name), alike)
      if (!alike.has(name)) alike.set(name, way)
    }
  }
  const rest = ways.find(({ serverNames }) => serverNames.length === 0 || serverNames.includes('*')) ?? null
  sorted.set(ways, { named, rest })
  return { named, rest }
}

/** Of several ways that are told apart by server name, the one that Envoy takes: its own, else the longest wildcard over it, else the one that names none. */
export function chosenFor<T extends Way>(snapshot: Snapshot, ways: readonly T[], serverName: string | null): T | null {
  const { named, rest } = waysOf(ways)
  if (serverName === null) return rest
  for (const key of [serverName, ...wildcardsOver(serverName)]) {
    const alike = named.get(key)
    if (alike === undefined) continue
    snapshot.charge(alike.size)
    const [closest] = bySpecificity([...alike.keys()].filter((name) => name !== '*' && hostCovers(name, serverName)))
    if (closest !== undefined) return alike.get(closest) ?? rest
  }
  return rest
}
