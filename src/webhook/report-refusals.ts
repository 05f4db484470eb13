/** What was refused, or would have been, told by an Event on the object: `hitless audit --cluster --refusals` lists them. */
import { formatRef, refKey } from '../kinds/index.ts'
import { REFUSED, RULES, USER, WOULD_BE_REFUSED } from '../kubernetes/events.ts'
import type { Change } from '../review/change.ts'
import { type Decision, refusedBy } from '../review/decision.ts'
import { line } from '../review/message.ts'
import type { EventSender } from './send-events.ts'

/** Controllers try again every few seconds: the same refusal is told once in this time. */
const QUIET_MS = 5 * 60_000
const MOST_REMEMBERED = 1000
/** Whoever reaches the port can have a review refused, so that Events are bounded whoever asks. */
const MOST_A_MINUTE = 60
const MINUTE_MS = 60_000

/** A dry run leaves no trace. */
export function reportRefusals(sender: EventSender, nowMs: () => number): (change: Change, decision: Decision) => void {
  const told = new Map<string, number>()
  let minute = { sinceMs: nowMs(), events: 0 }
  return (change, decision) => {
    if (change.dryRun) return
    const now = nowMs()
    if (now - minute.sinceMs >= MINUTE_MS) minute = { sinceMs: now, events: 0 }
    const rules = refusedBy(decision)
    const key = JSON.stringify([refKey(change.ref), change.author.username, rules, decision.observed])
    if (minute.events >= MOST_A_MINUTE || now - (told.get(key) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
    if (!sender.send(reportOf(change, decision, rules))) return
    minute.events += 1
    // The oldest comes first: what is told anew goes to the end.
    told.delete(key)
    told.set(key, now)
    for (const oldest of told.keys()) {
      if (told.size <= MOST_REMEMBERED) break
      told.delete(oldest)
    }
  }
}

function reportOf({ ref, before, after, operation, author }: Change, { observed, message }: Decision, rules: readonly string[]) {
  const { kind, namespace, name } = ref
  return {
    regarding: { kind, namespace, name, uid: (before ?? after)?.uid ?? '' },
    type: 'Warning',
    reason: observed ? WOULD_BE_REFUSED : REFUSED,
    action: operation,
    note: line(message, '') || formatRef(ref),
    annotations: { [USER]: line(author.username, ''), [RULES]: rules.join() }
  } as const
}
