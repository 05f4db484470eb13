/** A server whose reviewer never comes back from a deletion, as a process of its own. Prints its ports and its authority. */
import { pino } from 'pino'
import { ADMITTED } from '../../src/review/decide.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { startServer } from '../../src/server/server.ts'
import { worldOf } from '../changes.ts'
import { guide } from '../manifests.ts'
import { authority, pairFor } from './client.ts'

const world = worldOf(guide())

async function lookForEver(): Promise<never> {
  for (;;) JSON.stringify([...world.all('Service')])
}

const { port, healthPort } = await startServer({
  reviewer: async ({ operation }) => (operation === 'DELETE' ? lookForEver() : ADMITTED),
  snapshot: () => world,
  health: () => ({ fresh: true, ageMs: {}, reasons: [] }),
  metrics: createMetrics(),
  log: pino({ level: 'warn' }, { write: (line: string) => process.stderr.write(line) }),
  tls: await pairFor('127.0.0.1'),
  host: '127.0.0.1',
  port: 0,
  healthHost: '127.0.0.1',
  healthPort: 0,
  maxInFlight: 10,
  maxConnections: 10,
  maxBodyBytes: 10_000_000,
  maxTurnMs: 3000,
  drainMs: 0
})
process.stdout.write(`${JSON.stringify({ port, healthPort, ca: authority.certificate })}\n`)
