/** How the process tells what happens to it. */
import { type Logger, pino } from 'pino'
import type { Config } from '../config.ts'
import type { Io } from '../output/io.ts'
import { createMetrics, type Metrics } from '../server/metrics.ts'

export interface Telling {
  readonly log: Logger
  readonly metrics: Metrics
}

export function telling({ log }: Config, io: Io): Telling {
  return { log: pino({ level: log.level }, { write: io.err }), metrics: createMetrics() }
}
