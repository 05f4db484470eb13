/** Writes that are held for a proxy that is stopped, for one that rejects what it is sent, and by an istiod that goes away meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises'
import { destinationRule, type Manifest, rule, to, virtualService } from '../manifests.ts'
import { helloworld, must, workload } from './objects.ts'
import { Release } from './release.ts'
import type { Rig } from './rig.ts'
import { apply, type WriteStep } from './scripts.ts'

export interface Hold {
  readonly name: 'a proxy stopped with SIGSTOP' | 'proxies that reject the subset' | 'istiod killed during the hold'
  /** From the write, or from the end of istiod, to the answer. */
  readonly ms: number
  readonly warnings: readonly string[]
}

const SPLIT = apply('VirtualService 50/50', virtualService([rule([to('v1', 50), to('v2', 50)])]))

/** With a webhook that asks istiod. The last one leaves no istiod behind. */
export async function* holds(rig: Rig): AsyncGenerator<Hold> {
  yield await withStoppedProxy(rig)
  yield await withRejection(rig)
  yield await withoutIstiod(rig)
}

async function withStoppedProxy(rig: Rig): Promise<Hold> {
  return held(rig, async (release) => {
    const resume = rig.mesh.freeze(0)
    try {
      await gain(release)
      return { name: 'a proxy stopped with SIGSTOP', ...(await timed(release, SPLIT)) }
    } finally {
      resume()
    }
  })
}

async function withRejection(rig: Rig): Promise<Hold> {
  return held(rig, async (release) => {
    const { object } = release.placed({ do: 'apply', what: 'EnvoyFilter', object: NEGATIVE_TIMEOUT })
    const filter = { ...object, metadata: { ...object.metadata, namespace: 'istio-system' } }
    const path = envoyFilterPath(filter)
    await must(rig.plane.api.request('PATCH', path, { body: filter, contentType: 'application/apply-patch+yaml' }))
    try {
      await gain(release)
      return { name: 'proxies that reject the subset', ...(await timed(release, SPLIT)) }
    } finally {
      await must(rig.plane.api.request('DELETE', path))
    }
  })
}

async function withoutIstiod(rig: Rig): Promise<Hold> {
  return held(
    rig,
    async (release) => {
      const resume = rig.mesh.freeze(0)
      try {
        await gain(release)
        const answer = timed(release, SPLIT)
        while ((await inFlight(rig)) === 0) await sleep(5)
        await rig.mesh.killIstiod()
        const killedMs = performance.now()
        const { warnings } = await answer
        return { name: 'istiod killed during the hold', ms: Math.round(performance.now() - killedMs), warnings }
      } finally {
        resume()
      }
    },
    false
  )
}

async function held(rig: Rig, play: (release: Release) => Promise<Hold>, isServedAfter = true): Promise<Hold> {
  const release = new Release(rig)
  await release.start([helloworld(), workload('v1'), workload('v2'), destinationRule(['v1']), virtualService([rule([to('v1')])])])
  await rig.guard.on()
  try {
    return await play(release)
  } finally {
    await rig.guard.off()
    if (isServedAfter) await release.end()
  }
}

async function gain(release: Release): Promise<void> {
  await must(release.write(release.placed(apply('DestinationRule gains a subset', destinationRule(['v1', 'v2'])))))
}

async function timed(release: Release, step: WriteStep): Promise<Pick<Hold, 'ms' | 'warnings'>> {
  const sentMs = performance.now()
  const answer = await release.write(release.placed(step))
  if (answer.status >= 300) throw new Error(JSON.stringify(answer.body))
  return { ms: Math.round(performance.now() - sentMs), warnings: answer.warnings }
}

async function inFlight(rig: Rig): Promise<number> {
  const found = /^hitless_reviews_in_flight (\d+)$/m.exec(await rig.metrics())
  if (found === null) throw new Error('the webhook serves no hitless_reviews_in_flight')
  return Number(found[1])
}

/** Envoy takes no cluster whose time-out is below zero. */
const NEGATIVE_TIMEOUT: Manifest = {
  apiVersion: 'networking.istio.io/v1alpha3',
  kind: 'EnvoyFilter',
  metadata: { name: 'negative-timeout', namespace: 'default' },
  spec: {
    configPatches: [
      {
        applyTo: 'CLUSTER',
        match: { cluster: { service: 'helloworld.default.svc.cluster.local', subset: 'v2' } },
        patch: { operation: 'MERGE', value: { connect_timeout: '-1s' } }
      }
    ]
  }
}

function envoyFilterPath({ metadata }: Manifest): string {
  return `/apis/networking.istio.io/v1alpha3/namespaces/${String(metadata['namespace'])}/envoyfilters/${String(metadata['name'])}?fieldManager=rig&force=true`
}
