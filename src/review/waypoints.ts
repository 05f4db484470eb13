/** Ambient mode, of which hitless models nothing: who is served by a waypoint is told so. */
import { isRouteKind } from '../kinds/index.ts'
import { serviceOfHost } from '../mesh/names/hosts.ts'
import { own } from '../mesh/names/own.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { Judgement } from './judgement.ts'

/** Of a Service, or of its namespace: the waypoint that stands before it, `none` for none. pilot/pkg/serviceregistry/ambient/waypoints.go. */
const USE_WAYPOINT = 'istio.io/use-waypoint'
/** Hosts that are named each. */
const MOST_TOLD = 3

/** A sentence for each host of a written route that a waypoint serves: its clients in ambient mode are not answered by what was judged. */
export function waypointNotes({ change, after, targets }: Judgement): string[] {
  if (!isRouteKind(change.ref.kind) && change.ref.kind !== 'DestinationRule') return []
  const hosts = new Set(targets.filter(({ context }) => context.kind === 'mesh').map(({ host }) => host))
  const served = [...hosts].flatMap((host) => {
    const waypoint = waypointOf(after, host)
    return waypoint === null ? [] : [`${host} is served by waypoint ${waypoint}: what its clients in ambient mode get is not judged`]
  })
  return served.slice(0, MOST_TOLD)
}

function waypointOf(snapshot: Snapshot, host: string): string | null {
  const named = serviceOfHost(host, snapshot.settings.domain)
  if (named === null) return null
  const service = snapshot.find('Service', named.namespace, named.name)
  if (service === undefined) return null
  const waypoint = own(service.labels, USE_WAYPOINT) ?? own(snapshot.find('Namespace', '', named.namespace)?.labels ?? {}, USE_WAYPOINT)
  return waypoint === undefined || waypoint === 'none' ? null : waypoint
}
