/** The simulated API server and the real one, each with hitless before it, as a script sees them. */
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { seeded } from '../random.ts'
import type { WatchEvent as ApiWatchEvent } from '../rig/api.ts'
import { startControlPlane } from '../rig/control-plane.ts'
import { startHitless } from '../rig/hitless-process.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { HitlessWebhook } from './hitless-webhook.ts'
import { Judge } from './judge.ts'
import { Network } from './network.ts'
import type { Target, WatchEvent } from './played.ts'
import { Replica } from './replica.ts'
import { NAMESPACE } from './script.ts'
import { ApiServer } from './server.ts'
import { Store } from './store.ts'

const START = Date.parse('2026-01-01T00:00:00Z')

export async function simulatedTarget(): Promise<Target> {
  const clock = new VirtualClock()
  const store = new Store(() => `${new Date(START + clock.now()).toISOString().slice(0, 19)}Z`)
  const random = seeded(1)
  const replicas: Replica[] = []
  let refuses = false
  let quota = Number.POSITIVE_INFINITY
  const hitless = new HitlessWebhook({
    clock,
    hopMs: 2,
    replicas: () => replicas,
    revision: () => store.revision,
    unanswered: () => undefined
  })
  const other = { name: 'other', isAsked: hitless.isAsked, ask: async () => (refuses ? 'not today' : null) }
  const server = new ApiServer({
    store,
    clock,
    webhooks: [hitless, other],
    witness: new Judge(store, DEFAULT_POLICY, () => clock.now()),
    quota: (kind) => (kind === 'VirtualService' ? quota : Number.POSITIVE_INFINITY),
    storeMs: 3,
    pageLimit: 500
  })
  store.create('Namespace', store.born('Namespace', { metadata: { name: 'default' } }), 'system')
  store.create('Namespace', store.born('Namespace', { metadata: { name: 'kube-system' } }), 'system')
  store.compacted = store.revision
  const settled = async <T>(work: Promise<T>): Promise<T> => {
    let isDone = false
    work.finally(() => {
      isDone = true
    })
    await clock.runUntil(Number.POSITIVE_INFINITY, () => isDone)
    return work
  }
  const replica = new Replica({
    name: 'replica',
    clock,
    random,
    transport: new Network({ server, clock, random, user: 'hitless', hopMs: 2 }),
    policy: DEFAULT_POLICY,
    settleMs: 0,
    planted: (state) => state,
    observe: () => undefined
  })
  replica.start()
  await clock.runUntil(Number.POSITIVE_INFINITY, () => replica.isReady)
  replicas.push(replica)
  const client = { user: 'admin', random, signal: new AbortController().signal }
  return {
    send: (request) => settled(server.answer(request, client)),
    watch: (path) => settled(all(server.watch(path, random, () => 1).body)),
    otherRefuses: async (will) => {
      refuses = will
    },
    quota: async (most) => {
      quota = most
    }
  }
}

async function all(body: AsyncIterable<Buffer>): Promise<WatchEvent[]> {
  const events: WatchEvent[] = []
  for await (const chunk of body) for (const line of String(chunk).split('\n')) if (line !== '') events.push(JSON.parse(line))
  return events
}

export async function realTarget(): Promise<{ target: Target; stop: () => Promise<void> }> {
  const plane = await startControlPlane({ controllers: false })
  const hitless = await startHitless(plane, { flags: ['--settle', '0'] })
  const refusing = await startRefusing(plane.certificate)
  let unregister = async () => undefined as unknown
  const target: Target = {
    send: ({ method, path, body }) =>
      plane.api.request(method, path, {
        ...(body === undefined ? {} : { body }),
        contentType: method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      }),
    watch: async (path) => {
      const ended = new AbortController()
      const events: ApiWatchEvent<WatchEvent['object']>[] = []
      const [location = '', query = ''] = path.split('?')
      const rest = query.replace('watch=true&', '')
      for await (const event of plane.api.watch<WatchEvent['object']>(`${location}?${rest}`, ended.signal)) events.push(event)
      return events
    },
    otherRefuses: async (will) => {
      if (will) unregister = await plane.registerWebhook({ name: 'other', url: refusing.url, caBundle: plane.ca })
      else await unregister()
    },
    quota: (virtualServices) => limit(plane.api, virtualServices)
  }
  const stop = async () => {
    refusing.close()
    await hitless.stop()
    await plane.stop()
  }
  return { target, stop }
}

/** Without the quota controller, what a ResourceQuota allows is what its status says. */
async function limit(api: Awaited<ReturnType<typeof startControlPlane>>['api'], virtualServices: number): Promise<void> {
  const path = `/api/v1/namespaces/${NAMESPACE}/resourcequotas`
  const hard = { 'count/virtualservices.networking.istio.io': String(virtualServices) }
  const used = { 'count/virtualservices.networking.istio.io': '1' }
  await api.request('POST', path, { body: { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'quota' }, spec: { hard } } })
  const contentType = 'application/merge-patch+json'
  await api.request('PATCH', `${path}/quota`, { body: { spec: { hard } }, contentType })
  await api.request('PATCH', `${path}/quota/status`, { body: { status: { hard, used } }, contentType })
}

/** A webhook that refuses whatever it is asked. */
async function startRefusing(tls: { readonly cert: string; readonly key: string }): Promise<{ url: string; close: () => void }> {
  const server = createServer(tls, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { uid } = JSON.parse(Buffer.concat(chunks).toString()).request
    const answer = { uid, allowed: false, status: { code: 403, reason: 'Forbidden', message: 'not today' } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, close: () => server.close() }
}
