/** Plays one script under constant requests, and says what became of each write and of the requests after it. */
import { type Answer, isFailure, type Load, startLoad } from './load.ts'
import { type Prediction, predict } from './predict.ts'
import { Release } from './release.ts'
import type { Guard, Rig } from './rig.ts'
import type { Script, Step, WriteStep } from './scripts.ts'

const PER_SECOND = 400
/** Requests of each class between two writes, sent once the proxies know the first; and after a refusal, when nothing has changed. */
const SAMPLE = 60
const SAMPLE_AFTER_REFUSAL = 40
const REFUSAL = 'denied the request: hitless:'

/** `forced`: with hitless, but what it refuses is then made past it, looked at, and taken back. */
export type Way = 'without' | 'with' | 'forced'

export interface Write {
  /** Its place among the writes of the script, from 1. */
  readonly step: number
  readonly what: string
  readonly verdict: 'admitted' | 'refused'
  /** What the API server said to a refused one. */
  readonly message: string
  readonly sentMs: number
  readonly answeredMs: number
  /** When the proxies knew it; null where the next write followed at once, and where nobody waited for requests after it. */
  readonly convergedMs: number | null
  /** Until when nothing else was done, so that requests since `convergedMs` are this write's alone; null where that is. */
  readonly steadyUntilMs: number | null
  /** For each class, by hitless' model, asked before it; null where the model does not say. */
  readonly predictions: readonly Prediction[] | null
}

export interface Run {
  readonly script: Script
  readonly way: Way
  readonly startedMs: number
  readonly writes: readonly Write[]
  readonly answers: readonly Answer[]
}

export async function play(rig: Rig, script: Script, way: Way): Promise<Run> {
  const release = new Release(rig)
  const guard = way === 'without' ? null : rig.guard
  try {
    // What stands before the first write is nobody's to judge.
    await release.start(script.base)
    await guard?.on()
    const load = startLoad({ host: release.host, classes: script.classes, perSecond: PER_SECOND })
    try {
      return { script, way, ...(await new Player(rig, script, release, load, way === 'forced' ? rig.guard : null).play()) }
    } finally {
      await load.stop()
    }
  } finally {
    await guard?.off()
    await release.end()
  }
}

class Player {
  readonly #rig: Rig
  readonly #script: Script
  readonly #release: Release
  readonly #load: Load
  /** What stands in the way of a write that is to be forced; null where none is. */
  readonly #toForce: Guard | null

  constructor(rig: Rig, script: Script, release: Release, load: Load, toForce: Guard | null) {
    this.#rig = rig
    this.#script = script
    this.#release = release
    this.#load = load
    this.#toForce = toForce
  }

  async play(): Promise<Pick<Run, 'startedMs' | 'writes' | 'answers'>> {
    const { steps, title } = this.#script
    const startedMs = performance.now()
    await this.#load.answered(startedMs, SAMPLE)
    const failed = this.#load.answers.find(isFailure)
    if (failed) throw new Error(`${title}: a request (${failed.loadClass.name}) got ${failed.status} before the first write`)
    const writes: Write[] = []
    let number = 0
    for (const [at, step] of steps.entries()) {
      if (step.do === 'hold') await this.#release.hold(step.version)
      else if (step.do === 'let go') await this.#release.letGo(step.version)
      else {
        number += 1
        const write = await this.#write(this.#release.placed(step), isAtOnce(steps[at + 1]))
        if (write !== null) writes.push({ step: number, ...write })
      }
    }
    return { startedMs, writes, answers: this.#load.answers }
  }

  async #write(step: WriteStep, isFollowedAtOnce: boolean): Promise<Omit<Write, 'step'> | null> {
    // What was forced is taken back already.
    if (this.#toForce !== null && this.#release.stands(step)) return null
    // The state between two writes that follow each other at once is nobody's to observe, and a question would keep them apart.
    const isObserved = !isFollowedAtOnce && step.atOnce !== true
    const predictions = isObserved ? await predict(this.#rig, this.#release.host, this.#script.classes, step) : null
    const sentMs = performance.now()
    const answer = await this.#release.write(step)
    const answeredMs = performance.now()
    if (step.do !== 'apply' && answer.status === 404) return null
    const message = answer.status >= 300 ? String(answer.body['message'] ?? '') : ''
    if (message !== '' && !message.includes(REFUSAL)) throw new Error(`${this.#script.title}: ${step.what}: ${message}`)
    const write = { what: step.what, sentMs, answeredMs, message, predictions, convergedMs: null, steadyUntilMs: null }
    if (message !== '' && this.#toForce !== null) return { ...write, verdict: 'refused', ...(await this.#forced(step, this.#toForce)) }
    if (message !== '') return { ...write, verdict: 'refused', ...(await this.#sample(SAMPLE_AFTER_REFUSAL)) }
    if (isFollowedAtOnce) return { ...write, verdict: 'admitted' }
    await this.#release.quiet()
    return { ...write, verdict: 'admitted', ...(await this.#sample(SAMPLE)) }
  }

  async #forced(step: WriteStep, guard: Guard): Promise<Pick<Write, 'convergedMs' | 'steadyUntilMs'>> {
    await guard.off()
    const undo = await this.#release.force(step)
    await this.#release.quiet()
    const sampled = await this.#sample(SAMPLE)
    await undo()
    await this.#release.quiet()
    await guard.on()
    return sampled
  }

  /** Now the proxies know everything; resolves when enough requests were answered since. */
  async #sample(perClass: number): Promise<Pick<Write, 'convergedMs' | 'steadyUntilMs'>> {
    const convergedMs = performance.now()
    await this.#load.answered(convergedMs, perClass)
    return { convergedMs, steadyUntilMs: performance.now() }
  }
}

function isAtOnce(step: Step | undefined): boolean {
  return step !== undefined && 'atOnce' in step && step.atOnce === true
}
