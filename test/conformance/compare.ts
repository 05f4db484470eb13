/** Where two conformance lines differ, by the fields that test/conformance/README.md says to compare. */
import type { ChainJson, ContextJson, DestinationJson, HostJson } from '../../src/output/route-json.ts'
import type { Line } from './worlds.ts'

/** In words, one for each host or chain of a context that differs; empty where the lines agree. */
export function differences(ours: Line, istios: Line): string[] {
  return istios.contexts.flatMap((expected, at) => {
    const found = ours.contexts[at]
    if (found === undefined) return [`${describe(expected)}: missing`]
    return [
      ...unlike(describe(expected), hosts(found), hosts(expected)),
      ...unlike(`${describe(expected)} chains`, chains(found), chains(expected)),
      ...unlike(describe(expected), portsOf(found, expected), portsOf(expected, expected))
    ]
  })
}

function unlike(where: string, ours: ReadonlyMap<string, string>, istios: ReadonlyMap<string, string>): string[] {
  return [...new Set([...ours.keys(), ...istios.keys()])]
    .filter((key) => ours.get(key) !== istios.get(key))
    .map((key) => `${where} ${key}\n    ours:  ${ours.get(key) ?? 'absent'}\n    Istio: ${istios.get(key) ?? 'absent'}`)
}

function hosts(context: ContextJson): Map<string, string> {
  return new Map(context.hosts.map((host) => [`${host.host}:${host.port} ${[...(host.sni ?? [])].sort()}`, JSON.stringify(compared(host))]))
}

function compared({ catchAll, routes }: HostJson): unknown {
  return {
    catchAll,
    routes: routes.map(({ action, matchesAll, status, undefinedStatus, ...route }) => [
      action,
      matchesAll,
      destinations(route.destinations),
      status,
      undefinedStatus
    ])
  }
}

/** What the expected line says of ports. */
function portsOf(context: ContextJson, { ports, refused }: ContextJson): Map<string, string> {
  const said = new Map<string, string>()
  if (ports !== undefined) said.set('ports', `${context.ports}`)
  if (refused !== undefined) said.set('refused', `${context.refused ?? ''}`)
  return said
}

function chains(context: ContextJson): Map<string, string> {
  const groups = Map.groupBy(context.chains, ({ port, serverNames }: ChainJson) => `:${port} ${[...serverNames].sort().join(',')}`)
  return new Map([...groups].map(([key, group]) => [key, JSON.stringify(group.map((chain) => destinations(chain.destinations)).sort())]))
}

/** A destination without cluster has no endpoints, whatever is said of them. */
function destinations(list: readonly DestinationJson[]): unknown[] {
  return list.map(({ host, subset, port, share, defined, ready }) => [
    host,
    subset ?? null,
    port,
    Math.round(share * 1000) / 1000,
    defined,
    defined && (ready ?? 0) > 0
  ])
}

function describe({ kind, namespace, labels }: ContextJson): string {
  return `${kind} ${namespace} ${JSON.stringify(labels)}`
}
