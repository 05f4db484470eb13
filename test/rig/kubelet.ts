import { setTimeout as sleep } from 'node:timers/promises'
import type { Api, ApiAnswer, KubernetesObject } from './api.ts'

const NODE = 'node-1'
const NONE: Containers = { start: async () => undefined, stop: async () => undefined }

interface Container {
  readonly name: string
  readonly image: string
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
}

export interface Pod extends KubernetesObject {
  readonly metadata: KubernetesObject['metadata'] & { readonly namespace: string; readonly uid: string }
  readonly spec: {
    readonly nodeName?: string
    readonly restartPolicy?: string
    readonly containers: readonly Container[]
  }
  readonly status?: { readonly phase?: string; readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Which Pods a switch is about: those of a namespace that carry all these labels. */
export interface PodMatch {
  readonly namespace: string
  readonly labels?: Readonly<Record<string, string>>
}

/** What runs in the Pods, where something is to answer there. Both are called again for the same Pod until they have succeeded. */
export interface Containers {
  /** Resolves when the Pod can answer on its address. */
  start(pod: Pod, address: string): Promise<void>
  /** Resolves with the exit code of a Pod that ends by itself (`restartPolicy: Never`). Where absent, such Pods run for ever as all others do. */
  run?(pod: Pod, address: string): Promise<number>
  /** Resolves when nothing of the Pod runs any more. */
  stop(pod: Pod): Promise<void>
}

/** Does to Pods what a scheduler, a kubelet and healthy containers would: they run at once and are Ready, unless held. */
export interface Kubelet {
  /** The Pods that match become and stay unready, those yet to come too, until the returned function is called. */
  holdUnready(match: PodMatch): () => void
  stop(): Promise<void>
}

/** Starts the kubelet on its one Node; failures are retried for ever and written with `log`. */
export async function startKubelet(api: Api, log: (line: string) => void, containers: Containers = NONE): Promise<Kubelet> {
  // Without a Node object the EndpointSlice controller refuses the Pods of it ("Node Not Found").
  await api.request('POST', '/api/v1/nodes', { body: { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } } })

  const stopped = new AbortController()
  const pods = new Map<string, Pod>()
  const holds = new Set<PodMatch>()
  const addresses = new Map<string, string>()
  let given = 0

  const addressOf = (pod: Pod) => {
    const address = addresses.get(pod.metadata.uid) ?? `10.244.${given >> 8}.${given++ & 255}`
    addresses.set(pod.metadata.uid, address)
    return address
  }
  const attend = (pod: Pod) =>
    step(api, pod, { ready: !isHeld(holds, pod), address: () => addressOf(pod), containers }).catch((error) => {
      if (!stopped.signal.aborted) log(`${pod.metadata.namespace}/${pod.metadata.name}: ${error}`)
    })

  const follow = async () => {
    pods.clear()
    for await (const { type, object: pod } of api.watch<Pod>('/api/v1/pods', stopped.signal)) {
      if (type === 'ERROR') throw new Error(JSON.stringify(pod))
      if (type === 'DELETED') {
        pods.delete(pod.metadata.uid)
        addresses.delete(pod.metadata.uid)
        continue
      }
      pods.set(pod.metadata.uid, pod)
      void attend(pod)
    }
  }
  const run = async () => {
    while (!stopped.signal.aborted) {
      await follow().catch((error) => stopped.signal.aborted || log(String(error)))
      // The stream also ends when a test restarts the API server.
      await sleep(100, undefined, { signal: stopped.signal }).catch(() => undefined)
    }
  }
  const running = run()

  return {
    holdUnready: (match) => {
      const attendAgain = () => {
        for (const pod of pods.values()) if (isHeld([match], pod)) void attend(pod)
      }
      holds.add(match)
      attendAgain()
      return () => {
        holds.delete(match)
        attendAgain()
      }
    },
    stop: async () => {
      stopped.abort()
      await running
    }
  }
}

/** One step of a Pod's life; the event that it causes brings the next. */
async function step(api: Api, pod: Pod, wanted: { ready: boolean; address: () => string; containers: Containers }): Promise<void> {
  const { namespace, name, uid, deletionTimestamp } = pod.metadata
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`
  if (deletionTimestamp !== undefined) {
    await sleep(preStopMs(pod), undefined, { ref: false })
    await wanted.containers.stop(pod)
    return expectDone(await api.request('DELETE', path, { body: { gracePeriodSeconds: 0, preconditions: { uid } } }))
  }
  if (pod.spec.nodeName === undefined) {
    return expectDone(await api.request('POST', `${path}/binding`, { body: binding(pod) }))
  }
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return
  if (pod.spec.restartPolicy === 'Never' && wanted.containers.run !== undefined) {
    const code = await wanted.containers.run(pod, wanted.address())
    const body = { metadata: { uid }, status: { phase: code === 0 ? 'Succeeded' : 'Failed', podIP: wanted.address() } }
    return expectDone(await api.request('PATCH', `${path}/status`, { body, contentType: 'application/strategic-merge-patch+json' }))
  }
  if (isReady(pod) === wanted.ready) return
  await wanted.containers.start(pod, wanted.address())
  const body = { metadata: { uid }, status: status(pod, wanted.ready, wanted.address()) }
  expectDone(await api.request('PATCH', `${path}/status`, { body, contentType: 'application/strategic-merge-patch+json' }))
}

/** How long containers run on undisturbed once their Pod is to end. */
function preStopMs({ spec }: Pod): number {
  return Math.max(0, ...spec.containers.map(({ lifecycle }) => lifecycle?.preStop?.sleep?.seconds ?? 0)) * 1000
}

/** Undefined while no kubelet has spoken. */
function isReady(pod: Pod): boolean | undefined {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'Ready')
  return condition && condition.status === 'True'
}

function isHeld(holds: Iterable<PodMatch>, { metadata }: Pod): boolean {
  for (const { namespace, labels = {} } of holds) {
    if (namespace === metadata.namespace && Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value)) return true
  }
  return false
}

/** Gone or changed in the meantime (404, 409) is fine: the next event says what is wanted now. */
function expectDone({ status, body }: ApiAnswer<unknown>): void {
  if (status >= 400 && status !== 404 && status !== 409) throw new Error(`${status} ${JSON.stringify(body)}`)
}

function binding({ metadata: { name, uid } }: Pod): unknown {
  return { apiVersion: 'v1', kind: 'Binding', metadata: { name, uid }, target: { apiVersion: 'v1', kind: 'Node', name: NODE } }
}

function status({ spec }: Pod, ready: boolean, podIP: string): unknown {
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const condition = (type: string, holds: boolean) => ({ type, status: holds ? 'True' : 'False', lastTransitionTime: now })
  return {
    phase: 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: now,
    conditions: [condition('Initialized', true), condition('Ready', ready), condition('ContainersReady', ready)],
    containerStatuses: spec.containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } }
    }))
  }
}
