/** What it costs to ask istiod: for each held write, by the number of proxies, on the wire and in this process. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fixedTime } from '../src/admission/fixed-time.ts'
import type { RecentChange } from '../src/mesh/snapshot/propagation.ts'
import { exactPropagation } from '../src/proxies/exact.ts'
import { openReplica } from '../src/proxies/replica.ts'
import { nodeOf } from '../src/proxies/replicas.ts'
import { parsed, worldOf } from '../test/changes.ts'
import { destinationRule, guide } from '../test/manifests.ts'
import { NAME } from '../test/proxies/istiod.ts'
import { percentile, type Row } from './report.ts'
import { Turns } from './turns.ts'

const HOST = 'helloworld.default.svc.cluster.local'
const NAMES = [`outbound|3000||${HOST}`, `outbound|3000|v2|${HOST}`]
const WRITES = 30
/** The time from the acknowledgement until a proxy serves by it, which every held write waits for. */
const MARGIN_MS = 50

export async function measureSettle(): Promise<Row[]> {
  const rows: Row[] = []
  for (const proxies of [100, 1000, 10_000]) rows.push(...(await measured(proxies)))
  return rows
}

async function measured(proxies: number): Promise<Row[]> {
  const child = fork(join(import.meta.dirname, 'servers', 'istiod.ts'), [String(proxies), ...NAMES], { execArgv: [] })
  const [{ target, ca }] = (await once(child, 'message')) as [{ target: string; ca: string }]
  const replica = openReplica({
    target,
    serverName: NAME,
    ca,
    token: 'x',
    node: nodeOf('istio-system', 'cluster.local', 'bench'),
    nowMs: Date.now
  })
  const pause = (ms: number, signal: AbortSignal) => sleep(ms, undefined, { signal })
  const world = worldOf(guide())
  const propagation = exactPropagation({
    fixed: fixedTime({ settleMs: () => 1000, nowMs: Date.now, sleep: pause }),
    snapshot: () => world,
    ready: async () => undefined,
    replicas: async () => [replica],
    settleMs: () => 1000,
    quiet: { since: () => false },
    nowMs: Date.now,
    sleep: pause,
    onAsked: (problem) => {
      if (problem !== null) throw problem
    }
  })
  const hold = () => propagation.arrival([gained()], 9000, new AbortController().signal)
  await hold()
  const held: number[] = []
  const before = process.cpuUsage()
  const turns = new Turns()
  for (let at = 0; at < WRITES; at += 1) {
    const sinceMs = performance.now()
    await hold()
    held.push(performance.now() - sinceMs - MARGIN_MS)
  }
  turns.stop()
  const { user, system } = process.cpuUsage(before)
  child.send('')
  const [{ bytes }] = (await once(child, 'message')) as [{ bytes: number }]
  replica.close()
  child.kill()
  const of = `${proxies.toLocaleString('en-US')} proxies`
  return [
    { what: `asking for ${of} that have it all, p50`, measured: percentile(held, 0.5), unit: 'ms' },
    { what: `CPU for it, of ${of}`, measured: (user + system) / 1000 / WRITES, unit: 'ms' },
    { what: `on the wire a proxy, of ${of}`, measured: bytes / proxies / 1024, unit: 'KB' },
    {
      what: `longest work between two turns of the event loop meanwhile, of ${of}`,
      measured: percentile(turns.take(), 1),
      unit: 'ms',
      bar: { of: 'measured', most: 50 }
    }
  ]
}

function gained(): RecentChange {
  const after = parsed(destinationRule(['v1', 'v2']))
  return { ref: after, before: parsed(destinationRule(['v1'])), after, atMs: Date.now() }
}
