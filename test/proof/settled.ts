import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Api } from '../rig/api.ts'
import { must } from './objects.ts'

const DEADLINE_MS = 60_000

interface Metadata {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly deletionTimestamp?: string
  readonly ownerReferences?: readonly unknown[]
}

/** A Deployment, or a ReplicaSet that none owns. */
interface Workload {
  readonly metadata: Metadata
  readonly spec: { readonly replicas: number; readonly template: { readonly metadata: Metadata } }
}

interface Pod {
  readonly metadata: Metadata
  readonly status?: { readonly podIP?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

interface Service {
  readonly metadata: Metadata
  readonly spec: { readonly selector?: Readonly<Record<string, string>> }
}

interface EndpointSlice {
  readonly metadata: Metadata
  readonly endpoints: readonly { readonly addresses: readonly string[]; readonly conditions: { readonly ready?: boolean } }[] | null
}

/**
 * Resolves when the controllers have nothing left to do in a namespace: each workload has its Pods, of its present template and Ready
 * (unready where their version is held), no other Pod is left, and the EndpointSlices say so.
 */
export async function settled(api: Api, namespace: string, heldVersions: ReadonlySet<string>): Promise<void> {
  const list = async <T>(group: string, kind: string) =>
    (await must(api.request<{ items: T[] }>('GET', `/${group}/namespaces/${namespace}/${kind}`))).items
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const [deployments, replicaSets, pods, services, slices] = await Promise.all([
      list<Workload>('apis/apps/v1', 'deployments'),
      list<Workload>('apis/apps/v1', 'replicasets'),
      list<Pod>('api/v1', 'pods'),
      list<Service>('api/v1', 'services'),
      list<EndpointSlice>('apis/discovery.k8s.io/v1', 'endpointslices')
    ])
    const workloads = [...deployments, ...replicaSets.filter(({ metadata }) => metadata.ownerReferences === undefined)]
    if (arePodsAsWanted(workloads, pods, heldVersions) && services.every((service) => areEndpointsOf(service, pods, slices))) return
    if (performance.now() > deadline) throw new Error(`the controllers did not finish in namespace ${namespace} in ${DEADLINE_MS} ms`)
    await sleep(20)
  }
}

function arePodsAsWanted(workloads: readonly Workload[], pods: readonly Pod[], heldVersions: ReadonlySet<string>): boolean {
  const wanted = workloads.reduce((sum, { spec }) => sum + spec.replicas, 0)
  if (pods.length !== wanted || pods.some(({ metadata }) => metadata.deletionTimestamp !== undefined)) return false
  return workloads.every(({ spec: { replicas, template } }) => {
    const own = pods.filter(({ metadata }) => carries(metadata, template.metadata.labels ?? {}))
    return own.length >= replicas && own.every((pod) => isReady(pod) !== heldVersions.has(pod.metadata.labels?.['version'] ?? ''))
  })
}

function areEndpointsOf({ metadata, spec: { selector } }: Service, pods: readonly Pod[], slices: readonly EndpointSlice[]): boolean {
  if (selector === undefined) return true
  const backing = pods.filter((pod) => isReady(pod) && carries(pod.metadata, selector)).map(({ status }) => status?.podIP)
  const own = slices.filter(({ metadata: { labels } }) => labels?.['kubernetes.io/service-name'] === metadata.name)
  const ready = own.flatMap(({ endpoints }) =>
    (endpoints ?? []).filter(({ conditions }) => conditions.ready).map(({ addresses }) => addresses[0])
  )
  return isDeepStrictEqual(new Set(ready), new Set(backing))
}

function carries({ labels = {} }: Metadata, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value)
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
}
