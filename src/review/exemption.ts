/** The annotation by which one object is let past a rule: `hitless.io/allow: <rule>[,<rule>] until=<RFC 3339> reason=<text>`. */
import type { Labels } from '../mesh/names/labels.ts'

export const ALLOW_ANNOTATION = 'hitless.io/allow'
const MOST_DAYS = 30
const DAY_MS = 86_400_000

export interface Exemption {
  readonly rules: readonly string[]
  readonly untilMs: number
  readonly reason: string
}

/** The exemption that an object claims; text where it claims one that does not count, saying why; null where it claims none. */
export function exemptionOf(annotations: Labels, nowMs: number): Exemption | string | null {
  const text = annotations[ALLOW_ANNOTATION]
  if (text === undefined) return null
  const [rules = '', ...rest] = text.trim().split(/\s+/)
  const until = rest.find((word) => word.startsWith('until='))?.slice('until='.length)
  const reason = /(?:^|\s)reason=(.+)$/.exec(text)?.[1]?.trim() ?? ''
  if (until === undefined || reason === '') return `${ALLOW_ANNOTATION} needs until=<RFC 3339 time> and reason=<text>`
  const untilMs = Date.parse(until)
  if (Number.isNaN(untilMs)) return `${ALLOW_ANNOTATION}: until=${until} is no RFC 3339 time`
  if (untilMs <= nowMs) return `${ALLOW_ANNOTATION} expired at ${until}`
  if (untilMs - nowMs > MOST_DAYS * DAY_MS) return `${ALLOW_ANNOTATION}: until may be at most ${MOST_DAYS} days away`
  return { rules: rules.split(','), untilMs, reason }
}
