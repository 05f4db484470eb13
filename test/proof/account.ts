/** What a run came to: the requests after each write, those of them that failed, and what hitless' model had said of them. */
import { type Answer, isFailure } from './load.ts'
import type { Run, Way, Write } from './play.ts'

/** How many standard deviations of a binomial sample a share may lie from the predicted one. */
const SIGMAS = 4

/** The requests of one class sent after a write was known to the proxies, and answered before anything else was done. */
export interface ClassAccount {
  readonly name: string
  readonly requests: number
  readonly failed: number
  /** Their statuses, each once. */
  readonly statuses: readonly number[]
  /** Null where the model says nothing. */
  readonly predicted: { readonly share: number; readonly status: number } | null
}

export interface WriteAccount extends Pick<Write, 'what' | 'verdict' | 'message'> {
  /** All requests answered from this write on, until the next. */
  readonly requests: number
  readonly failed: number
  /** Failed before the proxies knew the write; and how long after its answer the last of them came. */
  readonly converging: { readonly failed: number; readonly lastMs: number | null }
  readonly steady: readonly ClassAccount[]
}

export interface Account {
  readonly script: string
  readonly title: string
  readonly careless: boolean
  readonly way: Way
  readonly requests: number
  readonly failed: number
  /** Failures before the first write. */
  readonly failedBefore: number
  readonly writes: readonly WriteAccount[]
}

/** Every request belongs to the write before it, so that every failure has one write to answer for it. */
export function accountOf({ script: { name, title, careless, classes }, way, writes, answers }: Run): Account {
  const first = writes[0]?.sentMs ?? Number.POSITIVE_INFINITY
  return {
    script: name,
    title,
    careless,
    way,
    requests: answers.length,
    failed: answers.filter(isFailure).length,
    failedBefore: answers.filter((answer) => answer.answeredMs < first && isFailure(answer)).length,
    writes: writes.map((write, at) => {
      const end = writes[at + 1]?.sentMs ?? Number.POSITIVE_INFINITY
      const mine = answers.filter(({ answeredMs }) => answeredMs >= write.sentMs && answeredMs < end)
      return ofWrite(
        write,
        mine,
        classes.map((loadClass) => loadClass.name)
      )
    })
  }
}

function ofWrite(write: Write, mine: readonly Answer[], classes: readonly string[]): WriteAccount {
  const { what, verdict, message, answeredMs, predictions } = write
  const convergedMs = write.convergedMs ?? Number.POSITIVE_INFINITY
  const steadyUntilMs = write.steadyUntilMs ?? Number.POSITIVE_INFINITY
  const converging = mine.filter((answer) => answer.sentMs < convergedMs && isFailure(answer))
  return {
    what,
    verdict,
    message,
    requests: mine.length,
    failed: mine.filter(isFailure).length,
    converging: {
      failed: converging.length,
      lastMs: converging.length === 0 ? null : Math.max(...converging.map((answer) => answer.answeredMs - answeredMs))
    },
    steady: classes.map((name) => {
      const own = mine.filter(
        (answer) => answer.loadClass.name === name && answer.sentMs >= convergedMs && answer.answeredMs <= steadyUntilMs
      )
      const failed = own.filter(isFailure)
      const predicted = predictions?.find(({ loadClass }) => loadClass.name === name) ?? null
      return {
        name,
        requests: own.length,
        failed: failed.length,
        statuses: [...new Set(failed.map(({ status }) => status))],
        predicted: predicted === null ? null : { share: predicted.share, status: predicted.status }
      }
    })
  }
}

/** The classes whose requests can be compared with what was predicted of them, and the write that they follow. */
export function compared({ way, writes }: Account): { what: string; own: ClassAccount }[] {
  // With hitless a refused write changes nothing; forced past it, it does.
  const made = writes.filter(({ verdict }) => verdict === 'admitted' || way === 'forced')
  return made.flatMap(({ what, steady }) =>
    steady.filter(({ predicted, requests }) => predicted !== null && requests > 0).map((own) => ({ what, own }))
  )
}

/** What Envoy did is what was predicted, within the sampling error. */
export function isAsPredicted({ requests, failed, statuses, predicted }: ClassAccount): boolean {
  if (predicted === null) return true
  const { share, status } = predicted
  const error = SIGMAS * Math.sqrt(requests * share * (1 - share))
  // A share of 0 or 1 leaves no room but for the arithmetic.
  return Math.abs(failed - requests * share) <= error + 1e-6 && statuses.every((each) => each === status)
}

/** The shares that a refusal names are those that were predicted: each of a class, or together, where several gaps share one. */
export function isAsSaid({ message, steady }: WriteAccount): boolean {
  const said = [...message.matchAll(/([\d.]+)% of requests/g)].map(([, share]) => Number(share) / 100)
  const predicted = steady.flatMap((own) => (own.predicted === null ? [] : [own.predicted.share]))
  const isPredicted = (share: number) => predicted.some((own) => Math.abs(own - share) < 0.001)
  return said.every(isPredicted) || isPredicted(said.reduce((sum, share) => sum + share, 0))
}

/** What a run must not have come to, in words. */
export function faultsOf(account: Account): string[] {
  const { way, title, writes, failed, failedBefore, careless } = account
  const refused = writes.filter(({ verdict }) => verdict === 'refused')
  const faults: string[] = []
  const add = (text: string) => faults.push(`${title}, ${wayName(way)}: ${text}`)
  for (const { what, own } of compared(account)) if (!isAsPredicted(own)) add(`after "${what}" ${mismatch(own)}`)
  for (const write of refused) if (!isAsSaid(write)) add(`"${write.what}" was refused with other shares than predicted: ${write.message}`)
  if (failedBefore > 0) add(`${failedBefore} requests failed before the first write`)
  if (way === 'forced') return faults
  if (way === 'without') {
    if (refused.length > 0) add(`"${refused[0]?.what}" was refused`)
    if (careless && failed === 0) add('no request failed, so the release was not careless')
    return faults
  }
  for (const { what, failed: lost, converging } of writes) {
    if (lost > converging.failed) add(`${lost - converging.failed} requests failed after "${what}", when the proxies knew it`)
  }
  for (const { what, failed: lost } of refused) if (lost > 0) add(`${lost} requests failed after "${what}", though it was refused`)
  if (careless && refused.length === 0) add('nothing was refused')
  if (!careless && refused.length > 0) add(`"${refused[0]?.what}" was refused: ${refused[0]?.message}`)
  if (writes.at(-1)?.verdict !== 'admitted') add('the release did not come to its end')
  return faults
}

function mismatch({ name, failed, requests, statuses, predicted }: ClassAccount): string {
  const said = predicted === null ? 'nothing' : `${percent(predicted.share)} of them to get ${predicted.status}`
  return `${failed} of ${requests} requests "${name}" failed (${statuses}); predicted was ${said}`
}

export function wayName(way: Way): string {
  return way === 'forced' ? 'refused writes made all the same' : `${way} hitless`
}

export function percent(share: number): string {
  return `${Math.round(share * 1000) / 10}%`
}
