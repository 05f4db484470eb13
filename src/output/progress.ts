/** What a command is at, for whoever waits for it at a terminal: one line on standard error, from the second second on, that goes away. */
import type { Io } from './io.ts'

const QUIET_MS = 1_000
const APART_MS = 200

export interface Progress {
  /** Told as often as there is news; shown now and then. */
  readonly at: (what: string) => void
  /** Takes the line away. */
  readonly done: () => void
}

export function progress({ status, nowMs }: Pick<Io, 'status' | 'nowMs'>): Progress {
  const startedMs = nowMs()
  let shownMs: number | null = null
  return {
    at: (what) => {
      const now = nowMs()
      if (status === null || now - startedMs < QUIET_MS || (shownMs !== null && now - shownMs < APART_MS)) return
      shownMs = now
      status(`${what}, ${Math.floor((now - startedMs) / 1000)} s`)
    },
    done: () => {
      if (shownMs !== null) status?.('')
    }
  }
}

/** While others do the work, which say nothing of it. */
export async function whileWaiting<T>(what: string, io: Pick<Io, 'status' | 'nowMs'>, work: Promise<T>): Promise<T> {
  const { at, done } = progress(io)
  const timer = setInterval(() => at(what), APART_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
    done()
  }
}
