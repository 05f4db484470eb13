import type { ObjectOf } from '../kinds/index.ts'
import { destinationsOf } from '../kinds/virtual-service.ts'
import type { Path } from '../mesh/names/path.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'

export const halfQualifiedHost = hygieneRule({
  id: 'half-qualified-host',
  on: ['VirtualService', 'DestinationRule'],
  summary: 'a host such as reviews.prod is taken literally and matches nothing',
  description:
    'Istio completes a host only if it has no dot. "reviews.prod" and "reviews.prod.svc" are names of their own: as a destination they get 503, as the host of a ' +
    'DestinationRule they define subsets for nobody, as the host of a VirtualService they take that one spelling away from the Service. ' +
    'One that stands beside the full name is meant, and not told.',
  remedy: 'Write the host in full, reviews.prod.svc.cluster.local, or the bare name in its own namespace.',
  find: ({ after, before, snapshotAfter, nameOf }) => {
    // Of a table of a thousand routes, each host is asked for once.
    if (after === null || !namesIn(after).some((host) => isHalf(snapshotAfter, host))) return []
    const known = new Set(before === null ? [] : hostsIn(before).map(({ host }) => host))
    return hostsIn(after)
      .filter(({ host }) => !known.has(host) && isHalf(snapshotAfter, host) && !isOneOfItsNames(after, host, snapshotAfter.settings.domain))
      .map(({ host, path }) => ({
        path,
        message: `"${host}" in ${nameOf(after)} is taken literally and names no service`,
        remedy: `Write ${inFull(host, snapshotAfter.settings.domain)}`
      }))
  }
})

/** `name.namespace` or `name.namespace.svc` of a Service that exists. */
function isHalf(snapshot: Snapshot, host: string): boolean {
  const [name = '', namespace = '', ...rest] = host.split('.')
  return (rest.length === 0 || rest.join('.') === 'svc') && snapshot.find('Service', namespace, name) !== undefined
}

function inFull(host: string, domain: string): string {
  return `${host.split('.').slice(0, 2).join('.')}.svc.${domain}`
}

/** A VirtualService that has the full name too means every spelling, as those of Knative do. */
function isOneOfItsNames(object: ObjectOf<'VirtualService' | 'DestinationRule'>, host: string, domain: string): boolean {
  return object.kind === 'VirtualService' && object.hosts.includes(host) && object.hosts.includes(inFull(host, domain))
}

function namesIn(object: ObjectOf<'VirtualService' | 'DestinationRule'>): readonly string[] {
  return object.kind === 'DestinationRule' ? [object.host] : [...object.hosts, ...destinationsOf(object)]
}

function hostsIn(object: ObjectOf<'VirtualService' | 'DestinationRule'>): { host: string; path: Path }[] {
  if (object.kind === 'DestinationRule') return [{ host: object.host, path: ['spec', 'host'] }]
  const destinations = [...object.http, ...object.tls, ...object.tcp].flatMap(({ route }) => route)
  return [
    ...object.hosts.map((host, at) => ({ host, path: ['spec', 'hosts', at] })),
    ...destinations.map(({ host, path }) => ({ host, path: [...path, 'host'] }))
  ]
}
