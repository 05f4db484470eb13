/** `hitless routes --against-istiod`: the model's routes compared with those that istiod has given each proxy. */
import { HitlessError } from '../errors.ts'
import { systemClock } from '../kubernetes/clock.ts'
import { Connection } from '../kubernetes/connection.ts'
import { CredentialReader } from '../kubernetes/credentials.ts'
import { withoutOwn } from '../mesh/names/labels.ts'
import { compareText } from '../mesh/names/text.ts'
import type { Context } from '../mesh/routing/table.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { EXIT, type Io } from '../output/io.ts'
import { type HostJson, type RouteJson, routesJson } from '../output/route-json.ts'
import { line } from '../output/text.ts'
import { replicasOf } from '../proxies/asked.ts'
import type { GivenHost, GivenRoute } from '../proxies/given.ts'
import type { Replicas } from '../proxies/replicas.ts'
import { isOwn } from '../proxies/standing.ts'
import type { ProxyStatus } from '../proxies/syncz.ts'
import { type ClusterFlags, sourceOf } from './cluster-source.ts'

export interface AgainstIstiodOptions extends ClusterFlags {
  readonly istiodAccount: string
}

/** Hosts of proxies, one by one: how many were compared, and what is not as the model has it. */
interface Comparison {
  readonly hosts: number
  readonly differences: readonly string[]
}

/** Gives 0 where all agree, 1 where one does not, 3 where istiod cannot be asked. */
export async function compareWithIstiod(snapshot: Snapshot, options: AgainstIstiodOptions, io: Io): Promise<number> {
  const connection = new Connection(new CredentialReader(sourceOf(options, io.env)), systemClock)
  const replicas = replicasOf({ connection, snapshot: () => snapshot, serviceAccount: options.istiodAccount, nowMs: io.nowMs })
  try {
    const { hosts, differences } = await compared(snapshot, replicas, io)
    for (const difference of differences) io.out(line([difference], false))
    io.out(`${number(hosts - differences.length)} of ${number(hosts)} agree\n`)
    return differences.length === 0 ? EXIT.ok : EXIT.denied
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HitlessError('HITLESS_UNREACHABLE', `istiod cannot be asked: ${reason}`, { cause })
  } finally {
    replicas.close()
    await connection.close()
  }
}

async function compared(snapshot: Snapshot, replicas: Replicas, { signal }: Io): Promise<Comparison> {
  const tables = new Map<string, readonly HostJson[]>()
  let hosts = 0
  const differences: string[] = []
  for (const replica of await replicas.current(signal)) {
    for (const status of await replica.proxies()) {
      const context = isOwn(status) ? null : contextOf(status, snapshot)
      if (context === null) continue
      const key = JSON.stringify([context.kind, context.namespace, Object.entries(context.labels).sort()])
      const expected = tables.get(key) ?? routesJson(snapshot, [context]).contexts[0]?.hosts ?? []
      tables.set(key, expected)
      const found = differencesOf(expected, await replica.routes(status.proxy))
      hosts += found.hosts
      differences.push(...found.differences.map((difference) => `${status.proxy}: ${difference}`))
    }
  }
  return { hosts, differences: differences.sort(compareText) }
}

/** Every host that the model or istiod takes by a VirtualService. */
export function differencesOf(expected: readonly HostJson[], given: readonly GivenHost[]): Comparison {
  const byName = new Map(
    given.filter(({ routes }) => routes.some(({ virtualService }) => virtualService !== null)).map((host) => [host.name, host])
  )
  const names = new Set([...byName.keys(), ...expected.map(({ host, port }) => `${host}:${port}`)])
  const model = new Map(expected.map((host) => [`${host.host}:${host.port}`, host]))
  const differences = [...names].flatMap((name) => {
    const [ours, theirs] = [model.get(name)?.routes.map(ofModel) ?? [], byName.get(name)?.routes.map(ofIstiod) ?? []]
    const longer = ours.length < theirs.length ? theirs : ours
    const at = longer.findIndex((_, index) => ours[index] !== theirs[index])
    return at === -1 ? [] : [`${name}: route ${at} is ${ours[at] ?? 'none'}; istiod gave ${theirs[at] ?? 'none'}`]
  })
  return { hosts: names.size, differences }
}

function ofModel({ action, destinations }: RouteJson): string {
  return routeText(
    action,
    destinations.map(({ host, port, subset, share }) => [`outbound|${port}|${subset ?? ''}|${host}`, share])
  )
}

function ofIstiod({ action, clusters }: GivenRoute): string {
  return routeText(action, [...clusters])
}

function routeText(action: string, shares: readonly (readonly [string, number])[]): string {
  const sums = new Map<string, number>()
  for (const [cluster, share] of shares) sums.set(cluster, (sums.get(cluster) ?? 0) + share)
  const parts = [...sums].map(([cluster, share]) => `${(share * 100).toFixed(1)}% ${cluster}`).sort(compareText)
  return [action, ...parts].join(' ')
}

/** By the Pod of that name. null for ztunnels and waypoints, and for a gateway's proxy of which no Pod is known. */
function contextOf({ proxy, kind }: ProxyStatus, snapshot: Snapshot): Context | null {
  const dot = proxy.lastIndexOf('.')
  const [name, namespace] = [proxy.slice(0, dot), proxy.slice(dot + 1)]
  const labels = withoutOwn(snapshot.find('Pod', namespace, name)?.labels ?? {})
  if (kind === 'sidecar') return { kind: 'mesh', namespace, labels }
  return kind === 'router' && Object.keys(labels).length > 0 ? { kind: 'gateway', namespace, labels } : null
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
