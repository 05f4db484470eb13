/** How far our verdicts and answers agree with Istio's, over many transitions. */
import type { Played } from './transition.ts'

/** Denials that may rest on a definition though nothing is lost. */
const DEFINITIONS = ['missing-fallback', 'undefined-subset', 'version-in-selector', 'unversioned-workload']

export type Judged = 'agrees' | 'false denial' | 'miss'

/** A denial exactly where the write opens a gap; on hosts that no VirtualService touches a warning will do. */
export function judged({ transition, verdict }: Played): Judged {
  if (!transition.opens) return verdict === 'deny' ? 'false denial' : 'agrees'
  if (verdict === 'deny' || (transition.plain === true && verdict === 'warn')) return 'agrees'
  return 'miss'
}

/** Counts in the figure: neither arguable nor denied for a definition where nothing is lost. */
export function isCounted({ transition, verdict, rules }: Played): boolean {
  if (transition.doubt !== undefined) return false
  return transition.opens || verdict !== 'deny' || !rules.some((rule) => DEFINITIONS.includes(rule))
}

export interface Share {
  readonly of: number
  readonly agree: number
}

export interface Figures {
  readonly verdicts: string
  readonly answers: string
}

/** For each kind of written object, and for each operator of it. */
export function byKind(played: readonly Played[]): Map<string, Figures & { operators: Map<string, Figures> }> {
  const kinds = Map.groupBy(played, ({ transition }) => transition.write.kind)
  return new Map(
    [...kinds].sort().map(([kind, ofKind]) => {
      const operators = Map.groupBy(ofKind, ({ transition }) => transition.write.what)
      return [kind, { ...figuresOf(ofKind), operators: new Map([...operators].sort().map(([what, some]) => [what, figuresOf(some)])) }]
    })
  )
}

function figuresOf(played: readonly Played[]): Figures {
  const counted = played.filter(isCounted)
  return {
    verdicts: `verdicts ${agreementOf(counted.map((each) => ({ of: 1, agree: judged(each) === 'agrees' ? 1 : 0 })))}`,
    answers: `answers ${agreementOf(played.map((each) => ({ of: each.answers, agree: each.answers - each.differences.length })))}`
  }
}

/** `93 of 95 agree (97.9 %)`. */
export function agreementOf(shares: readonly Share[]): string {
  const of = shares.reduce((sum, share) => sum + share.of, 0)
  const agree = shares.reduce((sum, share) => sum + share.agree, 0)
  return `${agree} of ${of} agree (${of === 0 ? '100.0' : ((100 * agree) / of).toFixed(1)} %)`
}
