/** Which releases a Service and its host tell apart: the version labels, and the subsets. */

import type { Subset } from '../kinds/destination-rule.ts'
import { ROLLOUT_HASH } from '../kinds/pod.ts'
import type { Service } from '../kinds/service.ts'
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { destinationRulesOver } from '../mesh/gaps/contexts.ts'
import { type Labels, sameLabels } from '../mesh/names/labels.ts'
import type { Snapshot } from '../mesh/snapshot/snapshot.ts'
import type { LabelKeys } from './rule.ts'

/** Labels that a controller or Istio itself puts on Pods: no template has them, so a subset may select on them all the same (11.3). */
export const ADDED_TO_PODS: readonly string[] = [
  ROLLOUT_HASH,
  'pod-template-hash',
  'topology.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.istio.io/subzone',
  'topology.istio.io/cluster',
  'topology.istio.io/network',
  'kubernetes.io/hostname'
]

/** The subsets of a Service's host, by whichever DestinationRule. */
export function subsetsOf(snapshot: Snapshot, { host }: Service): Subset[] {
  return destinationRulesOver(snapshot, host).flatMap(({ subsets }) => subsets)
}

/** The label keys that tell the releases of a Service apart: the well-known ones, and those on which its subsets differ; one that some of them leave out tells none apart. */
export function versionKeys(snapshot: Snapshot, service: Service, { version }: LabelKeys): string[] {
  const values = new Map<string, Set<string>>()
  for (const [key, value] of subsetsOf(snapshot, service).flatMap(({ labels }) => Object.entries(labels))) {
    values.set(key, (values.get(key) ?? new Set()).add(value))
  }
  const differing = [...values].filter(([, found]) => found.size > 1)
  return [...new Set([...version, ...differing.map(([key]) => key)])].filter((key) => !ADDED_TO_PODS.includes(key))
}

/** The label keys that a Pod must have for some subset of the host to take it, besides those that no template has. */
export function subsetKeys(subsets: readonly Subset[]): string[] {
  return [...new Set(subsets.flatMap(({ labels }) => Object.keys(labels)))].filter((key) => !ADDED_TO_PODS.includes(key))
}

/** Another Service of the namespace selects the same Pods and those of every other version. */
export function genericSibling(snapshot: Snapshot, service: Service, keys: readonly string[]): Service | undefined {
  const generic = without(service.selector ?? {}, keys)
  return servicesSelecting(snapshot, service.namespace, generic).find(
    ({ name, selector, deleting }) => name !== service.name && !deleting && selector !== null && sameLabels(selector, generic)
  )
}

/** The Services of a namespace that select the same Pods but for their version. */
export function otherVersions(snapshot: Snapshot, service: Service, keys: readonly string[]): Service[] {
  const generic = without(service.selector ?? {}, keys)
  const found = Object.entries(generic).flatMap(([key, value]) => [
    ...snapshot.lookup('serviceBySelector', `${service.namespace}/${key}=${value}`)
  ])
  return [...new Set(found)].filter(
    ({ name, selector, deleting }) =>
      name !== service.name &&
      !deleting &&
      selector !== null &&
      !sameLabels(selector, generic) &&
      sameLabels(without(selector, keys), generic)
  )
}

/** Routes of the Gateway API send to it: they tell versions apart by their Services. */
export function isBackend(snapshot: Snapshot, { host }: Service): boolean {
  return [...snapshot.lookup('virtualServiceByDestination', host)].some(({ madeFor }) => madeFor !== null)
}

export function without(labels: Labels, keys: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !keys.includes(key)))
}
