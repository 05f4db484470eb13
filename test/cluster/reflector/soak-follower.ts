/** The process whose memory a soak watches: it follows the cluster and reviews one careless write over and over, and tells when asked. */

import { setTimeout as sleep } from 'node:timers/promises'
import { createReviewer } from '../../../src/admission/judge.ts'
import { LiveCluster } from '../../../src/cluster/live-cluster.ts'
import type { ClusterEvent } from '../../../src/cluster/observe.ts'
import type { Timings } from '../../../src/cluster/timings.ts'
import { type Kind, type MeshObject, parseAs } from '../../../src/kinds/index.ts'
import { DEFAULT_DOMAIN } from '../../../src/mesh/names/hosts.ts'
import type { Change } from '../../../src/review/change.ts'
import { DEFAULT_POLICY } from '../../../src/review/policy.ts'
import { byName } from './fixtures.ts'

export type Question = { readonly ask: 'sample' } | { readonly ask: 'objects'; readonly kind: Kind } | { readonly ask: 'stop' }

export interface Sample {
  readonly heapMb: number
  readonly rssMb: number
  readonly drifted: number
  readonly compared: number
  readonly lists: number
  readonly interruptions: Readonly<Record<string, number>>
  readonly changes: number
  /** Answers to the careless write. Allowed would be wrong; unjudged is what the policy says where nothing can be read. */
  readonly reviews: { readonly denied: number; readonly unjudged: number; readonly allowed: number }
}

const REVIEW_EVERY_MS = 100
const REVIEW_DEADLINE_MS = 5_000

const [kubeconfig = '', timings = '{}', careless = '{}'] = process.argv.slice(2)
const controller = new AbortController()
const counts = { drifted: 0, compared: 0, lists: 0, changes: 0, interruptions: {} as Record<string, number> }
const reviews = { denied: 0, unjudged: 0, allowed: 0 }
const cluster = new LiveCluster({ source: { kubeconfig, context: null }, timings: JSON.parse(timings) as Timings, observe: count })
const review = createReviewer({ state: cluster, policy: () => DEFAULT_POLICY, nowMs: Date.now })

process.on('message', (question: Question & { id: number }) => {
  answer(question).then((value) => process.send?.({ id: question.id, value }))
})
await cluster.start(controller.signal)
process.send?.({ id: 0, value: 'ready' })
while (!controller.signal.aborted) {
  await judge()
  await sleep(REVIEW_EVERY_MS)
}

async function answer(question: Question): Promise<Sample | MeshObject[] | null> {
  if (question.ask === 'sample') return sample()
  if (question.ask === 'objects') return byName([...cluster.snapshot().all(question.kind)])
  controller.abort()
  await cluster.ended()
  setImmediate(() => process.disconnect())
  return null
}

/** Twice, since what the first finalizes only the second frees. */
function sample(): Sample {
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  return { heapMb: heapUsed / 1e6, rssMb: rss / 1e6, ...counts, reviews }
}

async function judge(): Promise<void> {
  const rule = parseAs('DestinationRule', JSON.parse(careless), DEFAULT_DOMAIN)
  const before = cluster.snapshot().find('DestinationRule', rule.namespace, rule.name)
  if (before === undefined) {
    reviews.allowed += 1
    return
  }
  const after = { ...before, subsets: rule.subsets }
  const author = { username: 'soak', groups: [], manager: 'soak' }
  const change: Change = { operation: 'UPDATE', ref: after, before, after, dryRun: false, author }
  const { verdict, outcome } = await review(change, AbortSignal.timeout(REVIEW_DEADLINE_MS))
  if (verdict === 'deny') reviews.denied += 1
  else if (outcome === 'unjudged') reviews.unjudged += 1
  else reviews.allowed += 1
}

function count(event: ClusterEvent): void {
  if (event.type === 'changed') counts.changes += 1
  if (event.type === 'synced') counts.lists += 1
  if (event.type === 'interrupted') counts.interruptions[event.why] = (counts.interruptions[event.why] ?? 0) + 1
  if (event.type !== 'compared') return
  counts.compared += 1
  counts.drifted += event.drifted
}
