/** TCP and TLS rules of VirtualServices (12). */

import type { L4Route } from '../../kinds/http-rule.ts'
import type { VirtualService } from '../../kinds/virtual-service.ts'
import { prefixOver } from '../names/subnets.ts'
import type { Snapshot } from '../snapshot/snapshot.ts'
import { Clusters, sharesOf, toWhole } from './destinations.ts'
import { boundTo, type Server, serversOf, virtualHosts } from './gateways.ts'
import { type Place, standsForL4 } from './matches.ts'
import { oncePerScope, type Scope, scopeOf, serviceInScope, serviceOnPort } from './scope.ts'
import { addressOf, type MeshService } from './services.ts'
import type { Chain, Context } from './table.ts'
import { hostsOfVirtualService, importedAt } from './virtual-services.ts'

/** The chains that VirtualServices make for a host: on the mesh of a service's ports, at a gateway of its servers. */
export function chains(snapshot: Snapshot, context: Context, host: string): Chain[] {
  const scope = scopeOf(snapshot, context)
  return context.kind === 'mesh' ? meshChains(scope, host) : gatewayChains(scope, host)
}

/** The chain that Istio makes of a service's port where no VirtualService takes it: to the whole service. */
export function defaultChain(scope: Scope, host: string, port: number, serverNames: readonly string[]): Chain {
  return { host, port, serverNames, byAddress: false, source: null, path: [], destinations: [toWhole(scope, host, port)] }
}

const meshChains = oncePerScope((scope, host: string): Chain[] => {
  const service = serviceInScope(scope, host)
  if (service === null || service.resolution === 'alias') return []
  return service.ports.flatMap(({ number: port, protocol }) => {
    if (protocol === 'http' || protocol === 'udp' || serviceOnPort(scope, host, port) === null) return []
    const named = importedAt(scope, port, host)
    const place: Place = { context: scope.context, port, gateway: 'mesh' }
    return protocol === 'tls' ? tlsChains(scope, named, place, service) : tcpChains(scope, named, place, service)
  })
})

export const meshChainsAt = oncePerScope((scope, host: string, port: number): Chain[] =>
  meshChains(scope, host).filter((chain) => chain.port === port)
)

/** The first rule that stands takes the port, of whichever VirtualService (12.1). `buildSidecarOutboundTCPFilterChainOpts`. */
function tcpChains(scope: Scope, named: readonly VirtualService[], place: Place, service: MeshService): Chain[] {
  const found: ForAddresses[] = []
  for (const vs of named) {
    for (const rule of vs.tcp) {
      scope.snapshot.charge(1 + rule.match.length, vs)
      if (rule.route.length === 0) continue
      const matches = rule.match.filter((match) => standsForL4(match, place))
      if (rule.match.length > 0 && matches.length === 0) continue
      const chain = toChain(scope, vs, rule, place, service.host, [])
      const forAll = matches.length === 0 || matches.some(({ destinationSubnets }) => destinationSubnets.length === 0)
      found.push({ chain, subnets: forAll ? [] : matches.flatMap(({ destinationSubnets }) => destinationSubnets) })
      // Only matches by address leave something to the rules behind.
      if (forAll) return closestTo(service, found)
    }
  }
  return closestTo(service, found)
}

/** Each set of server names goes to the first rule that has it (12.2). `buildSidecarOutboundTLSFilterChainOpts`. */
function tlsChains(scope: Scope, named: readonly VirtualService[], place: Place, service: MeshService): Chain[] {
  const handled = new Set<string>()
  const found: ForAddresses[] = []
  for (const vs of named) {
    for (const rule of vs.tls) {
      scope.snapshot.charge(1 + namesOf(rule), vs)
      if (rule.route.length === 0) continue
      for (const match of rule.match) {
        const names = `${match.sniHosts}|${match.destinationSubnets}`
        if (!standsForL4(match, place) || handled.has(names)) continue
        handled.add(names)
        found.push({ chain: toChain(scope, vs, rule, place, service.host, match.sniHosts), subnets: match.destinationSubnets })
      }
    }
  }
  return closestTo(service, found)
}

/** A chain for what is sent to these ranges of addresses; without any, to whichever. */
interface ForAddresses {
  readonly chain: Chain
  readonly subnets: readonly string[]
}

/** Envoy asks for the address before anything else, and takes the narrowest range (12.3). Of a service whose address is not known, none is taken to hold it. */
function closestTo(service: MeshService, chains: readonly ForAddresses[]): Chain[] {
  const address = addressOf(service)
  const bits = chains.map(({ subnets }) => (subnets.length === 0 ? 0 : most(subnets.map((each) => prefixOver(each, address) ?? -1))))
  const closest = most(bits)
  const byAddress = closest > 0
  return chains.filter((_, at) => bits[at] === closest && closest >= 0).map(({ chain }) => (byAddress ? { ...chain, byAddress } : chain))
}

/** -1 of none. */
function most(bits: readonly number[]): number {
  return bits.reduce((one, other) => Math.max(one, other), -1)
}

function gatewayChains(scope: Scope, host: string): Chain[] {
  return chainsOfServers(scope, serversOf(scope)).filter((chain) => chain.host === host)
}

/** At a gateway: TCP servers take the first rule, passthrough servers one chain for each match with names not yet taken. */
export function chainsOfServers(scope: Scope, servers: readonly Server[]): Chain[] {
  const taken = new Map<number, Set<string>>()
  return servers.flatMap((server) => {
    if (server.transport === 'http') return []
    const bound = boundTo(scope, server.gateway).filter((vs) => virtualHosts(scope, server, vs).size > 0)
    return server.transport === 'tcp' ? tcpServerChains(scope, bound, server) : passthroughChains(scope, bound, server, taken)
  })
}

/** `buildGatewayNetworkFiltersFromTCPRoutes`. */
function tcpServerChains(scope: Scope, bound: readonly VirtualService[], server: Server): Chain[] {
  const place = placeOf(scope, server)
  for (const vs of bound) {
    scope.snapshot.charge(vs.tcp.length + vs.tcp.reduce((sum, { match }) => sum + match.length, 0), vs)
    const rule = vs.tcp.find(
      ({ match, route }) => route.length > 0 && (match.length === 0 || match.some((each) => standsForL4(each, place)))
    )
    if (rule !== undefined) return [toChain(scope, vs, rule, place, firstHost(scope, vs), server.tlsMode === '' ? [] : server.hosts)]
  }
  return []
}

/** `buildGatewayNetworkFiltersFromTLSRoutes`. */
function passthroughChains(scope: Scope, bound: readonly VirtualService[], server: Server, taken: Map<number, Set<string>>): Chain[] {
  const place = placeOf(scope, server)
  const known = taken.get(server.port) ?? new Set<string>()
  taken.set(server.port, known)
  const found: Chain[] = []
  for (const vs of bound) {
    for (const rule of vs.tls) {
      scope.snapshot.charge(1 + namesOf(rule), vs)
      if (rule.route.length === 0) continue
      for (const match of rule.match) {
        if (!standsForL4(match, place) || match.sniHosts.some((name) => known.has(name))) continue
        for (const name of match.sniHosts) known.add(name)
        found.push(toChain(scope, vs, rule, place, firstHost(scope, vs), match.sniHosts))
      }
    }
  }
  return found
}

function placeOf({ context }: Scope, { port, gateway }: Server): Place {
  return { context, port, gateway }
}

function firstHost({ snapshot }: Scope, vs: VirtualService): string {
  return hostsOfVirtualService(snapshot, vs)[0] ?? ''
}

function namesOf({ match }: L4Route): number {
  return match.reduce(
    (sum, { sniHosts, destinationSubnets, gateways }) => sum + sniHosts.length + destinationSubnets.length + gateways.length,
    0
  )
}

function toChain(scope: Scope, vs: VirtualService, rule: L4Route, place: Place, host: string, serverNames: readonly string[]): Chain {
  scope.snapshot.charge(rule.route.length, vs)
  // Unlike http rules these find the single port of any service, on the mesh too (8.2).
  const clusters = new Clusters(scope, { port: place.port, service: (name) => serviceInScope(scope, name) })
  return {
    host,
    port: place.port,
    serverNames,
    byAddress: false,
    source: rule.source,
    path: rule.path,
    destinations: sharesOf(rule.route).map((each) => clusters.routed(each))
  }
}
