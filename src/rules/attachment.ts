/** Why a route of the Gateway API is taken by none of the listeners that it names, in words, and what to do first. */
import { formatRef, type MeshObject } from '../kinds/index.ts'
import type { Gap } from '../mesh/gaps/gaps.ts'
import { formatPath, type Path } from '../mesh/names/path.ts'
import { type Unattached, unattached } from '../mesh/routing/gateway-api/attachment.ts'
import type { AnyRoute } from '../mesh/routing/gateway-api/pieces.ts'
import { type Refusal, refusalOf } from '../mesh/routing/gateway-api/rules.ts'
import type { Draft, Subject } from './rule.ts'

/** Names that are told of a longer list. */
const MOST_TOLD = 4

/** Something that the write brings into a route, for which Istio makes nothing of all of it. */
export function newlyRefused({ before, after, snapshotBefore, snapshotAfter, nameOf }: Subject): Draft[] {
  const [old, route] = [routeOf(before), routeOf(after)]
  const refusal = route === null ? null : refusalOf(snapshotAfter, route)
  if (route === null || refusal === null || (old !== null && refusalOf(snapshotBefore, old) !== null)) return []
  return [{ path: refusal.path, ...refused(refusal, route, nameOf) }]
}

/** The parents of the written route that take nothing of it, for what the write brings. It names them, so that their names are no secret. */
export function newlyDetached({ before, after, snapshotBefore, snapshotAfter }: Subject): Draft[] {
  const [old, route] = [routeOf(before), routeOf(after)]
  if (route === null) return []
  const known = new Set(old === null ? [] : unattached(snapshotBefore, old).map(keyOf))
  return unattached(snapshotAfter, route)
    .filter((each) => !known.has(keyOf(each)))
    .map((each) => ({ path: pathOf(each), ...told(each, route, formatRef) }))
}

/** Why Istio makes nothing any longer of the route that answered a gap's requests before the write; null where it still does, or no such route did. */
export function refusedSince(subject: Subject, gap: Gap): Pick<Draft, 'message' | 'remedy'> | null {
  const route = routeServing(subject, gap)
  const refusal = route === null ? null : refusalOf(subject.snapshotAfter, route)
  return route === null || refusal === null ? null : refused(refusal, route, subject.nameOf)
}

/** The route of the Gateway API that answered a gap's requests before the write, as it is after it. */
export function routeServing({ snapshotAfter }: Subject, { servedBy }: Gap): AnyRoute | null {
  const source = servedBy?.source ?? null
  return source === null ? null : routeOf(snapshotAfter.find(source.kind, source.namespace, source.name) ?? null)
}

/** The object as a route of the Gateway API, where it is one. */
export function routeOf(object: MeshObject | null): AnyRoute | null {
  return object !== null && 'parents' in object ? object : null
}

function refused({ path, what, name }: Refusal, route: AnyRoute, nameOf: Subject['nameOf']): Pick<Draft, 'message' | 'remedy'> {
  const nothing = `Istio makes nothing of ${nameOf(route)}, nor of its other rules: ${formatPath(path.slice(1))}`
  switch (what) {
    case 'filter':
      return { message: `${nothing} has a filter of type ${name}, which Istio does not know there`, remedy: 'First take that filter out' }
    case 'header-value':
      return { message: `${nothing} gives a header a value with a control character`, remedy: 'First take the character out of the value' }
    case 'dotted-name':
      return {
        message: `${nothing} names ${name}, and no Service has a dot in its name`,
        remedy: 'Write its name in name, and its namespace in namespace'
      }
    case 'hostname':
      return { message: `${nothing} names Hostname ${name} with a namespace, or without a port`, remedy: 'Write its port and no namespace' }
    case 'mirror':
      return {
        message: `${nothing} mirrors to ${name}, which is not there or which no ReferenceGrant lets it send to`,
        remedy: 'First create that Service and the ReferenceGrant, or take out the mirror'
      }
  }
}

function keyOf({ parent, misfit }: Unattached): string {
  return JSON.stringify([parent, misfit])
}

/** The field of the route that does not fit. */
function pathOf({ at, misfit }: Unattached): Path {
  if (misfit === 'hostname' || misfit === 'isolated') return ['spec', 'hostnames']
  const field = misfit === 'section' ? ['sectionName'] : misfit === 'port' ? ['port'] : []
  return ['spec', 'parentRefs', at, ...field]
}

/** What stands in the way, and what whoever writes the route does about it. */
export function told({ parent, misfit, among }: Unattached, route: AnyRoute, nameOf: Subject['nameOf']): Pick<Draft, 'message' | 'remedy'> {
  const { sectionName, port } = parent
  const kind = parent.kind === 'ListenerSet' ? 'ListenerSet' : 'KubernetesGateway'
  const gateway = nameOf({ kind, namespace: parent.namespace, name: parent.name })
  const listener = among.length === 1 ? `listener "${among[0]?.listener.name}" of ${gateway}` : `no listener of ${gateway} that it names`
  const own = nameOf(route)
  const is = (one: string, none: string) => `${listener} ${among.length === 1 ? one : none}`
  switch (misfit) {
    case 'set':
      return {
        message: `its Gateway takes no ListenerSets of namespace ${parent.namespace}, so that ${own} gets nothing from ${gateway}`,
        remedy: `First let allowedListeners of the Gateway take namespace ${parent.namespace}, then apply this again`
      }
    case 'section':
      return {
        message: `${gateway} has no listener "${sectionName}", which ${own} names; it has ${list(among.map((each) => each.listener.name))}`,
        remedy: 'Name one of its listeners in sectionName, or leave that out for all of them'
      }
    case 'port':
      return {
        message: is(`is not on port ${port}, which ${own} names, but on ${among[0]?.listener.port}`, `is on port ${port}`),
        remedy: 'Name the port of the listener, or leave port out'
      }
    case 'serves':
      return {
        message: is(
          'serves nothing: another listener has its port, or it has no certificate',
          'serves anything: others have their ports, or they have no certificates'
        ),
        remedy: `Give the listener a port and hostname of its own and a certificate that it may use, or name another`
      }
    case 'kind':
      return {
        message: is(`takes no ${route.kind}`, `takes a ${route.kind}`),
        remedy: `Name a listener whose protocol and allowedRoutes.kinds take a ${route.kind}`
      }
    case 'namespace':
      return {
        message: is(`takes no routes of namespace ${route.namespace}`, `takes routes of namespace ${route.namespace}`),
        remedy: `First let allowedRoutes.namespaces of the listener take namespace ${route.namespace}, then apply this again`
      }
    case 'hostname':
      return {
        message: is(
          `is for ${hostnames(among)}, and none of the hostnames of ${own} is`,
          `has a hostname of ${own}; they are for ${hostnames(among)}`
        ),
        remedy: 'Write a hostname that the listener covers'
      }
    case 'isolated':
      return {
        message: is(
          `leaves ${list(route.hostnames)} to a narrower listener beside it`,
          `has ${list(route.hostnames)}: a narrower one beside it does`
        ),
        remedy: `Name the narrower listener of ${gateway} as parent`
      }
  }
}

function hostnames(among: Unattached['among']): string {
  return list(among.map(({ listener }) => listener.hostname || '*'))
}

function list(names: readonly string[]): string {
  const unique = [...new Set(names)]
  return unique.length <= MOST_TOLD ? unique.join(', ') : `${unique.slice(0, MOST_TOLD).join(', ')} and ${unique.length - MOST_TOLD} more`
}
