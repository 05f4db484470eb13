import { WORKLOAD_KINDS, type Workload, type WorkloadKind } from '../kinds/index.ts'
import type { Service } from '../kinds/service.ts'
import { servicesSelecting } from '../mesh/gaps/affected.ts'
import { sameLabels } from '../mesh/names/labels.ts'
import { hygieneRule } from './hygiene-rule.ts'
import { subsetKeys, subsetsOf } from './releases.ts'
import type { Draft, Subject } from './rule.ts'

export const unversionedWorkload = hygieneRule({
  id: 'unversioned-workload',
  on: WORKLOAD_KINDS,
  summary: 'Pods behind a host with subsets lack the version label, so that no subset route reaches them',
  description:
    'A subset takes the Pods that have all its labels. Pods of a Service whose template lacks the label that the subsets select on get no request from ' +
    'any route to a subset, but their share of every route to the whole Service. Where the host has no subsets yet, the label is a warning: without it none can be made.',
  remedy: 'Give the Pod template an app label and a version label, such as app: helloworld and version: v2.',
  find: (subject) => {
    const { after, before } = subject
    if (after === null) return []
    // What owns a ReplicaSet was judged before it.
    if (after.kind === 'ReplicaSet' && after.owned) return []
    if (before !== null && sameLabels(before.templateLabels, after.templateLabels)) return []
    return servicesSelecting(subject.snapshotAfter, after.namespace, after.templateLabels).flatMap((service) =>
      judge(subject, after, service)
    )
  }
})

function judge(subject: Subject<WorkloadKind>, workload: Workload, service: Service): Draft[] {
  const { snapshotAfter, labelKeys, nameOf, before } = subject
  const subsets = subsetsOf(snapshotAfter, service)
  const path = ['spec', 'template', 'metadata', 'labels']
  if (subsets.length > 0) {
    const keys = subsetKeys(subsets)
    const missing = keys.filter((key) => !Object.hasOwn(workload.templateLabels, key))
    const isMissing = new Set(missing)
    const reached = subsets.some(({ labels }) => Object.keys(labels).every((key) => !isMissing.has(key)))
    if (missing.length === 0 || reached) return []
    const name = missing.map((key) => `"${key}"`).join(', ')
    return [
      {
        severity: lacked(before, missing) ? 'warn' : 'deny',
        path,
        message: `no subset route of ${service.name} would reach these Pods: their labels lack ${name}, on which the subsets of ${nameOf(service)} select`,
        remedy: `First add label ${name} to the Pod template`
      }
    ]
  }
  if (!isRouted(subject, service) || labelKeys.version.some((key) => Object.hasOwn(workload.templateLabels, key))) return []
  return [
    {
      path,
      message: `Pods of ${nameOf(workload)} have no version label, so no subset can select them`,
      remedy: 'Add a label such as "version: v1" to the Pod template'
    }
  ]
}

/** A Service that no VirtualService routes needs no versions: routes of the Gateway API tell them apart by their Services. */
function isRouted({ snapshotAfter }: Subject, { host }: Service): boolean {
  const routes = [...snapshotAfter.lookup('virtualServiceByHost', host), ...snapshotAfter.lookup('virtualServiceByDestination', host)]
  return routes.some(({ madeFor }) => madeFor === null)
}

function lacked(before: Workload | null, keys: readonly string[]): boolean {
  return before !== null && keys.every((key) => !Object.hasOwn(before.templateLabels, key))
}
