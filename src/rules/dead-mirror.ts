import type { Backend } from '../kinds/gateway-api.ts'
import { isSameRef, type ObjectOf } from '../kinds/index.ts'
import { formatPath } from '../mesh/names/path.ts'
import { NOWHERE } from '../mesh/routing/destinations.ts'
import { mirrorsLeftOut } from '../mesh/routing/gateway-api/rules.ts'
import type { RoutedDestination } from '../mesh/routing/table.ts'
import { hygieneRule } from './hygiene-rule.ts'
import type { Draft, Subject } from './rule.ts'
import { destinationName } from './wording.ts'

export const deadMirror = hygieneRule({
  id: 'dead-mirror',
  on: ['VirtualService', 'HTTPRoute', 'GRPCRoute'],
  summary: 'the host or subset of a mirror is undefined or has no Ready Pod',
  description:
    'Answers to mirrored requests are dropped, so a dead mirror hurts no caller and is never refused. But the version that was to be tried gets no request. ' +
    'An HTTPRoute may mirror to another namespace only by leave of a ReferenceGrant there; where the Service or the leave is missing, Istio leaves the mirror out. Of a GRPCRoute it then makes nothing at all.',
  remedy: 'Define the subset and wait until its Pods are Ready.',
  find: (subject) => {
    const { after, targets, tablesAfter, snapshotAfter } = subject
    if (after === null || !hasMirror(after)) return []
    const found = new Map<string, Draft>()
    for (const target of targets) {
      for (const route of tablesAfter(target).flatMap(({ routes }) => routes)) {
        if (!isSameRef(route.source, after)) continue
        for (const mirror of route.mirrors.filter(isDead)) found.set(formatPath(mirror.path), ofDestination(subject, mirror))
      }
    }
    const leftOut = after.kind === 'HTTPRoute' ? mirrorsLeftOut(snapshotAfter, after) : []
    return [...found.values(), ...leftOut.map((backend) => ofBackend(subject, backend))]
  }
})

function hasMirror(object: ObjectOf<'VirtualService' | 'HTTPRoute' | 'GRPCRoute'>): boolean {
  if (object.kind === 'VirtualService') return object.http.some(({ mirrors }) => mirrors.length > 0)
  return object.rules.some(({ filters }) => filters.some(({ mirror }) => mirror !== null))
}

function isDead({ missing, ready }: RoutedDestination): boolean {
  return missing !== null || ready === 0
}

function ofDestination({ written, nameOf }: Subject, mirror: RoutedDestination): Draft {
  const why = mirror.missing === null ? 'has no Ready Pod' : mirror.missing === 'port' ? `has no port ${mirror.port}` : 'does not exist'
  return {
    path: mirror.path,
    message: `the mirror of ${nameOf(written)} gets no request: ${destinationName(mirror)} ${why}`,
    remedy: mirror.missing === null ? 'Wait until its Pods are Ready' : 'Define it and wait until its Pods are Ready'
  }
}

/** Istio cannot resolve it. */
function ofBackend({ written, snapshotAfter, nameOf }: Subject, { path, kind, host, name, namespace }: Backend): Draft {
  const message = `the mirror of ${nameOf(written)} gets no request`
  if (host === NOWHERE) return { path, message: `${message}: it is a ${kind}, which Istio does not send to`, remedy: 'Name a Service' }
  const home = namespace || written.namespace
  if (snapshotAfter.find('Service', home, name) === undefined) {
    return { path, message: `${message}: ${host} does not exist`, remedy: 'Define it and wait until its Pods are Ready' }
  }
  return {
    path,
    message: `${message}: no ReferenceGrant in namespace ${home} lets it send to ${kind} ${name}`,
    remedy: `Create a ReferenceGrant in namespace ${home} from ${written.kind} of namespace ${written.namespace} to ${kind} ${name}`
  }
}
