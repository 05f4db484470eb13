/** The port for probes and metrics, which a thread of its own keeps open, so that a long turn of this one is seen as what it is. */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { HitlessError } from '../errors.ts'
import { type FromWatchdog, type Probe, type ProbeAnswer, Pulse, plain, type ToWatchdog, type WatchdogData } from '../watchdog.ts'

export interface ProbesOptions {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** CPU time of one turn after which the process ends, to be started anew. */
  readonly maxTurnMs: number
  readonly answer: (probe: Probe) => Promise<ProbeAnswer>
}

export interface Probes {
  readonly port: number
  /** What this thread turns to: shown where it does not come back. */
  turnTo(work: string): void
  close(): Promise<void>
}

/** Often enough that half a second is seen. */
const BEAT_MS = 200
/** Compiled or not, the thread's file lies beside this folder. */
const THREAD = new URL(`../watchdog${extname(import.meta.url)}`, import.meta.url)

/** Throws HITLESS_LISTEN. */
export async function startProbes({ host, port, maxTurnMs, answer }: ProbesOptions): Promise<Probes> {
  const pulse = new Pulse()
  const workerData: WatchdogData = { host, port, pulse: pulse.memory, endMs: maxTurnMs }
  const thread = new Worker(THREAD, { workerData, resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 } })
  const beating = setInterval(() => pulse.beat(), BEAT_MS).unref()
  const close = async () => {
    clearInterval(beating)
    await thread.terminate()
  }
  try {
    const listening = await new Promise<number>((resolve, reject) => {
      thread.once('error', reject)
      thread.on('message', (message: FromWatchdog) => {
        if (message.says === 'listening') resolve(message.port)
        else if (message.says === 'not listening') reject(new Error(message.why))
        else void reply(thread, message.id, answer(message.probe))
      })
    })
    return { port: listening, turnTo: (work) => pulse.turnTo(work), close }
  } catch (cause) {
    await close()
    throw new HitlessError('HITLESS_LISTEN', `cannot listen on ${host} port ${port}`, { cause })
  }
}

async function reply(thread: Worker, id: number, answered: Promise<ProbeAnswer>): Promise<void> {
  const answer = await answered.catch(() => plain(500, 'this could not be answered'))
  thread.postMessage({ id, answer } satisfies ToWatchdog)
}
