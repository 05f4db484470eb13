/** The routes that istiod has given a proxy, by its debug interface: `config_dump?types=rds`, RouteConfigurations as JSON. */
import { isRecord } from '../kinds/fields.ts'
import { UnknownForm } from './push-version.ts'

export interface GivenRoute {
  /** `namespace/name` of the VirtualService that istiod names as its origin; null for a route of its own. */
  readonly virtualService: string | null
  readonly action: 'route' | 'redirect' | 'direct' | 'none'
  /** Shares of the route's requests, by the name of the cluster; weight 0 is absent. */
  readonly clusters: ReadonlyMap<string, number>
}

export interface GivenHost {
  /** `host:port` */
  readonly name: string
  readonly routes: readonly GivenRoute[]
}

/** Every virtual host for requests that go out; throws UnknownForm where it is no such answer. */
export function readGiven(json: Buffer): GivenHost[] {
  const configurations = records(parsed(json)['configs']).filter(({ name }) => !String(name).startsWith('inbound|'))
  return configurations.flatMap((configuration) =>
    records(configuration['virtualHosts']).map(({ name, routes }) => ({ name: String(name), routes: records(routes).map(routeOf) }))
  )
}

function parsed(json: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    if (isRecord(value)) return value
  } catch (cause) {
    throw new UnknownForm(`istiod gave no configuration: ${json.toString('utf8', 0, 200)}`, { cause })
  }
  throw new UnknownForm('istiod gave a configuration of another form')
}

function routeOf(entry: Record<string, unknown>): GivenRoute {
  const { metadata, route, redirect, directResponse } = entry
  const action = isRecord(route) ? 'route' : isRecord(redirect) ? 'redirect' : isRecord(directResponse) ? 'direct' : 'none'
  return { virtualService: originOf(metadata), action, clusters: isRecord(route) ? clustersOf(route) : new Map() }
}

/** `/apis/networking.istio.io/v1/namespaces/NAMESPACE/virtual-service/NAME` */
function originOf(metadata: unknown): string | null {
  const filters = isRecord(metadata) && isRecord(metadata['filterMetadata']) ? metadata['filterMetadata'] : {}
  const config = isRecord(filters['istio']) ? filters['istio']['config'] : null
  const [, namespace, name] = /\/namespaces\/([^/]+)\/virtual-service\/([^/]+)$/.exec(String(config)) ?? []
  return namespace === undefined || name === undefined ? null : `${namespace}/${name}`
}

function clustersOf({ cluster, weightedClusters }: Record<string, unknown>): Map<string, number> {
  if (typeof cluster === 'string') return new Map([[cluster, 1]])
  const weights = new Map<string, number>()
  for (const { name, weight } of records(isRecord(weightedClusters) ? weightedClusters['clusters'] : [])) {
    if (typeof weight === 'number' && weight > 0) weights.set(String(name), (weights.get(String(name)) ?? 0) + weight)
  }
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  return new Map([...weights].map(([name, weight]) => [name, weight / total]))
}

function records(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : []
}
