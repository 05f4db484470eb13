/** The whole server on a world of so many hosts: what `hitless serve` does with a request once it follows a cluster. */
import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { createReviewer } from '../../src/admission/judge.ts'
import type { Leisure } from '../../src/admission/weighing.ts'
import { systemClock } from '../../src/kubernetes/clock.ts'
import { Steps } from '../../src/kubernetes/pace.ts'
import { Slots } from '../../src/kubernetes/slots.ts'
import type { State } from '../../src/mesh/snapshot/state.ts'
import { DEFAULT_POLICY } from '../../src/review/policy.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { startServer } from '../../src/server/server.ts'
import { worldOfHosts } from '../worlds.ts'

const [cert = '', key = '', hosts = '100'] = process.argv.slice(2)
const world = worldOfHosts(Number(hosts))
const health = () => ({ fresh: true, ageMs: {}, reasons: [] })
const unread = () => Promise.reject(new Error('a weight step between carried subsets needs no read'))
const state: State = { snapshot: () => world, admitted: () => undefined, pending: () => [], health, facts: { read: unread, list: unread } }
const slots = new Slots(1)
const busyMs = () => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
const leisure: Leisure = { pace: () => new Steps(systemClock, busyMs), take: (signal, asker) => slots.take(signal, asker) }
const { port } = await startServer({
  reviewer: createReviewer({ state, policy: () => DEFAULT_POLICY, nowMs: Date.now, leisure }),
  snapshot: () => world,
  health,
  metrics: createMetrics(),
  log: pino({ level: 'warn' }),
  tls: { certificate: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') },
  host: '127.0.0.1',
  port: 0,
  healthHost: '127.0.0.1',
  healthPort: 0,
  maxInFlight: 200,
  maxTurnMs: 20_000,
  maxConnections: 1000,
  maxBodyBytes: 32 * 1024 * 1024,
  drainMs: 0
})
process.stdout.write(`https://127.0.0.1:${port}/validate\n`)
