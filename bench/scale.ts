/** A cluster of 10,000 hosts and 100,000 Pods on a real API server: start, memory, idleness, churn, and a list made anew under load. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { FaultProxy } from '../test/cluster/reflector/fault-proxy.ts'
import { type ControlPlane, startControlPlane } from '../test/rig/control-plane.ts'
import { running, storeConfiguration, storePods } from './clusters.ts'
import { store, stored } from './etcd.ts'
import type { ProbeSample } from './probe.ts'
import { percentile, type Row } from './report.ts'
import { type PodFiles, type Probed, podFiles, type StartedHitless, startIdle, startInPod } from './servers/probed.ts'
import { untilIdle } from './servers/processes.ts'
import { type Fields, podsOf, reviewOf } from './worlds.ts'

const HOSTS = 10_000
const PODS = 100_000
/** One of each of the three versions of every host. */
const FEW_PODS = 30_000
const KINDS = ['/api/v1/services', '/apis/networking.istio.io/v1/destinationrules', '/apis/networking.istio.io/v1/virtualservices']
const IDLE_SECONDS = 10
const CHURN_SECONDS = 15
/** 1 % of all Pods in a second, in as many pieces. */
const CHURN_PIECES = 10
const REVIEWS_PER_SECOND = 100

export async function measureScale(): Promise<Row[]> {
  const plane = await startControlPlane({ controllers: false })
  const files = podFiles(plane.directory, plane)
  const idle = startIdle()
  const stops: (() => Promise<unknown>)[] = [plane.stop, () => idle.stop()]
  try {
    await storeConfiguration(plane, { from: 0, to: HOSTS })
    // One of each version: without any, every host would have gaps, and those take memory too.
    await storePods(plane, { from: 0, to: HOSTS }, 1)
    const few = await startInPod(plane.url, files)
    await untilIdle(few.process.pid)
    const heapOfFew = (await few.process.ask('collect')).heapMb
    await few.process.stop()

    await storePods(plane, { from: 0, to: HOSTS })
    await untilServed(plane)
    const readSeconds = await readAll(plane)
    await idle.ask('sample')
    const started = await startInPod(plane.url, files)
    stops.unshift(() => started.process.stop())
    const rows = startRows(started, await idle.ask('sample'), readSeconds)
    await untilIdle(started.process.pid)
    rows.push(...(await memoryRows(started.process, heapOfFew)), await idleRow(started.process))
    rows.push(...(await churnRows(plane, started.process, idle)))
    await started.process.stop()
    rows.push(...(await relistRows(plane, files, stops)))
    return rows
  } finally {
    for (const stop of stops) await stop()
  }
}

/** The API server has caught up with what was put into etcd behind its back: its caches give whole lists again. */
async function untilServed(plane: ControlPlane): Promise<void> {
  while (!(await readAll(plane).catch(() => null))) await sleep(500)
}

/** The baseline of a start: how long the API server takes to hand out the same objects to a client that throws them away. */
async function readAll(plane: ControlPlane): Promise<number> {
  const agent = new Agent({ connect: { ca: plane.ca }, allowH2: false })
  const startMs = performance.now()
  try {
    await Promise.all([...KINDS, '/api/v1/pods'].map((path) => readList(plane, path, agent)))
  } finally {
    await agent.destroy()
  }
  return (performance.now() - startMs) / 1000
}

async function readList(plane: ControlPlane, path: string, dispatcher: Agent): Promise<void> {
  const query = 'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=120'
  const headers = { authorization: `Bearer ${plane.token}` }
  const { statusCode, body } = await request(`${plane.url}${path}?${query}`, { dispatcher, headers })
  if (statusCode === 200) for await (const chunk of body) if (chunk.includes('k8s.io/initial-events-end')) return
  throw new Error(`${path} was not listed to its end: ${statusCode}`)
}

function startRows({ readySeconds, start, process }: StartedHitless, idle: ProbeSample, readSeconds: number): Row[] {
  return [
    {
      what: 'start to Ready',
      measured: readySeconds,
      unit: 's',
      baseline: { what: 'reading the same and throwing it away', measured: readSeconds },
      bar: { of: 'measured', most: 20 }
    },
    { what: 'CPU until Ready', measured: start.cpuSeconds, unit: 's' },
    {
      what: 'longest work between two turns of the event loop until Ready',
      measured: start.workMaxMs,
      unit: 'ms',
      bar: { of: 'measured', most: 50 }
    },
    {
      what: 'longest stall of the event loop until Ready',
      measured: start.delayMaxMs,
      unit: 'ms',
      baseline: { what: 'idle process', measured: idle.delayMaxMs }
    },
    { what: 'peak RSS until Ready', measured: process.peakRssMb(), unit: 'MB', bar: { of: 'measured', most: 350 } }
  ]
}

async function memoryRows(process: Probed, heapOfFew: number): Promise<Row[]> {
  const { rssMb, heapMb } = await process.ask('collect')
  return [
    { what: 'RSS at rest', measured: rssMb, unit: 'MB', bar: { of: 'measured', most: 350 } },
    { what: 'heap a Pod', measured: ((heapMb - heapOfFew) * 1000) / (PODS - FEW_PODS), unit: 'KB', bar: { of: 'measured', most: 1 } }
  ]
}

async function idleRow(process: Probed): Promise<Row> {
  const before = await process.ask('sample')
  await sleep(IDLE_SECONDS * 1000)
  const { cpuSeconds } = await process.ask('sample')
  return { what: 'CPU at rest, of one core', measured: ((cpuSeconds - before.cpuSeconds) / IDLE_SECONDS) * 100, unit: '%' }
}

async function churnRows(plane: ControlPlane, process: Probed, idle: Probed): Promise<Row[]> {
  await process.ask('sample')
  await idle.ask('sample')
  const before = await process.ask('sample')
  const startMs = performance.now()
  const changed = await churn(plane, CHURN_SECONDS * 1000)
  const seconds = (performance.now() - startMs) / 1000
  const [sample, base] = [await process.ask('sample'), await idle.ask('sample')]
  return [
    {
      what: `p99 of work between two turns at ${Math.round(changed / seconds)} changed Pods/s`,
      measured: sample.workP99Ms,
      unit: 'ms',
      bar: { of: 'measured', most: 20 }
    },
    {
      what: 'p99 of event loop delay meanwhile',
      measured: sample.delayP99Ms,
      unit: 'ms',
      baseline: { what: 'idle process', measured: base.delayP99Ms }
    },
    { what: 'longest work between two turns meanwhile', measured: sample.workMaxMs, unit: 'ms' },
    { what: 'CPU meanwhile, of one core', measured: ((sample.cpuSeconds - before.cpuSeconds) / seconds) * 100, unit: '%' }
  ]
}

/** Pods lose and gain readiness, 1 % of them in a second. */
async function churn(plane: ControlPlane, milliseconds: number): Promise<number> {
  const endMs = performance.now() + milliseconds
  let changed = 0
  for (let piece = 0; performance.now() < endMs; piece++) {
    const dueMs = performance.now() + 1000 / CHURN_PIECES
    const hosts = Array.from({ length: PODS / 100 / CHURN_PIECES }, (_, at) => (piece * 7919 + at * 31) % HOSTS)
    const pods = hosts.flatMap((host) =>
      podsOf(host)
        .slice(piece % 10, (piece % 10) + 1)
        .map((pod) => flipped(running(stored(pod)), piece))
    )
    await store(plane.etcd, pods)
    changed += pods.length
    await sleep(Math.max(0, dueMs - performance.now()))
  }
  return changed
}

function flipped(pod: Fields, turn: number): Fields {
  const status = pod['status'] as { conditions: { type: string; status: string }[] }
  const isReady = Math.floor(turn / 10) % 2 === 1
  const conditions = status.conditions.map((each) => (each.type === 'Ready' && !isReady ? { ...each, status: 'False' } : each))
  return { ...pod, status: { ...status, conditions } }
}

/** Through a proxy that tells the Pods' watch that its history is gone, while reviews are answered. */
async function relistRows(plane: ControlPlane, files: PodFiles, stops: (() => Promise<unknown>)[]): Promise<Row[]> {
  const proxy = new FaultProxy(plane)
  const started = await startInPod(await proxy.listen(), files)
  stops.unshift(
    () => started.process.stop(),
    () => proxy.close()
  )
  await untilIdle(started.process.pid)
  const calm = await reviews(started, plane.ca, 4_000)
  await started.process.ask('sample')
  for (const stream of proxy.streams('pods'))
    stream.inject(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } })}\n`)
  const under = await reviews(started, plane.ca, 12_000)
  const sample = await started.process.ask('sample')
  return [
    {
      what: `p99 of a review while ${PODS.toLocaleString('en')} Pods are listed anew`,
      measured: percentile(under, 0.99),
      unit: 'ms',
      baseline: { what: 'otherwise', measured: percentile(calm, 0.99) }
    },
    {
      what: 'longest work between two turns of the event loop meanwhile',
      measured: sample.workMaxMs,
      unit: 'ms'
    },
    { what: 'peak RSS after a second list', measured: started.process.peakRssMb(), unit: 'MB', bar: { of: 'measured', most: 350 } }
  ]
}

async function reviews({ url }: StartedHitless, ca: string, milliseconds: number): Promise<number[]> {
  const agent = new Agent({ connect: { ca }, allowH2: false })
  const times: number[] = []
  const sent: Promise<void>[] = []
  const endMs = performance.now() + milliseconds
  for (let at = 0; performance.now() < endMs; at++) {
    sent.push(review(url, agent, at % 100, times))
    await sleep(1000 / REVIEWS_PER_SECOND)
  }
  await Promise.all(sent)
  await agent.close()
  return times
}

async function review(url: string, dispatcher: Agent, host: number, times: number[]): Promise<void> {
  const startMs = performance.now()
  const { statusCode, body } = await request(url, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: reviewOf(host)
  })
  const answer = (await body.json()) as { response?: { allowed?: boolean } }
  if (statusCode !== 200 || answer.response?.allowed !== true) throw new Error(`${statusCode} ${JSON.stringify(answer)}`)
  times.push(performance.now() - startMs)
}
