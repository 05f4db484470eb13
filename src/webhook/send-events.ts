/** Events that are written beside what the webhook does: nobody waits for them, and one that cannot be written is logged. */
import type { Logger } from 'pino'
import type { Connection } from '../kubernetes/connection.ts'
import { type Report, writeEvent } from '../kubernetes/events.ts'

const EVENT_MS = 10_000
/** A cluster that falls apart is told by the metric; thousands of Events would only add to its load. */
const MOST_AT_ONCE = 20

export interface EventSenderOptions {
  readonly connection: Connection
  /** Names the replica that writes them. */
  readonly instance: string
  readonly log: Logger
  readonly nowMs: () => number
  readonly signal: AbortSignal
}

export class EventSender {
  readonly #options: EventSenderOptions
  /** On their way. */
  #sending = 0

  constructor(options: EventSenderOptions) {
    this.#options = options
  }

  /** False where so many are on their way that this one is left out. */
  send(report: Report): boolean {
    const { connection, instance, log, nowMs, signal } = this.#options
    if (this.#sending >= MOST_AT_ONCE) return false
    this.#sending += 1
    writeEvent(connection, report, instance, nowMs(), AbortSignal.any([signal, AbortSignal.timeout(EVENT_MS)]))
      .catch((error: unknown) => signal.aborted || log.warn({ err: error }, 'an Event could not be written'))
      .finally(() => {
        this.#sending -= 1
      })
    return true
  }
}
