import type { Service } from '../kinds/service.ts'
import { own } from '../mesh/names/own.ts'
import { isEmpty, type Snapshot } from '../mesh/snapshot/snapshot.ts'
import { hygieneRule } from './hygiene-rule.ts'
import { genericSibling, isBackend, otherVersions, versionKeys } from './releases.ts'
import type { LabelKeys } from './rule.ts'

export const versionInSelector = hygieneRule({
  id: 'version-in-selector',
  on: ['Service'],
  summary: 'the selector of a generic Service names a version label, so it cannot reach the next version',
  description:
    'Subsets choose among the Pods of a Service. If the Service itself selects one version, the subsets of all others are empty, and the next release ' +
    'cannot be reached by weight. A Service for each version beside a generic one - with the same selector less the version label - is right: ' +
    'that is how the Gateway API splits traffic. So is one beside those of other versions that its routes send to.',
  remedy: 'Select by the app label alone, and leave the version to the subsets of the DestinationRule.',
  find: (subject) => {
    const { after, before, snapshotAfter, labelKeys } = subject
    if (after === null) return []
    const had = pinned(before, snapshotAfter, labelKeys)
    const keys = pinned(after, snapshotAfter, labelKeys)
    if (keys.length === 0 || genericSibling(snapshotAfter, after, keys) !== undefined) return []
    if ([after, ...otherVersions(snapshotAfter, after, keys)].some((service) => isBackend(snapshotAfter, service))) return []
    const added = keys.filter((key) => !had.includes(key))
    return [
      {
        severity: added.length > 0 && subject.isInMesh(after) && !routesByService(snapshotAfter) ? ('deny' as const) : ('warn' as const),
        path: ['spec', 'selector', added[0] ?? keys[0] ?? ''],
        message: `the next version could get no requests: the selector of ${subject.nameOf(after)} names ${pairs(after, keys)}, so its Pods are of one version only`,
        remedy: `First take ${keys.map((key) => `"${key}"`).join(' and ')} out of the selector, or apply a generic Service beside it`
      }
    ]
  }
})

/** Where the Gateway API is in use, routes may be on their way that tell versions apart by their Services. */
function routesByService(snapshot: Snapshot): boolean {
  return (['HTTPRoute', 'GRPCRoute', 'KubernetesGateway'] as const).some((kind) => !isEmpty(snapshot.all(kind)))
}

function pinned(service: Service | null, snapshot: Snapshot, labelKeys: LabelKeys): string[] {
  if (service === null || service.selector === null) return []
  const { selector } = service
  return versionKeys(snapshot, service, labelKeys).filter((key) => Object.hasOwn(selector, key))
}

function pairs({ selector }: Service, keys: readonly string[]): string {
  return keys.map((key) => `"${key}: ${own(selector ?? {}, key) ?? ''}"`).join(' and ')
}
